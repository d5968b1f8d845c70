"""The outputs of a flow's tasks as of any time: from recorded runs and from the cache, whichever is newer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from flowbook import config
from flowbook.engine.state import Cached, Mapped, Success
from flowbook.engine.task_keys import child_key, parent_key
from flowbook.exceptions import DefinitionError, ResultGoneError, StartTaskError
from flowbook.flow_run.run_names import find_run_id
from flowbook.flow_run.run_part import EarlierRun
from flowbook.flow_run.times import parse_time
from flowbook.report.secret_names import shown_parameters
from flowbook.store import open_store
from flowbook.store.records import from_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.flow_run.plan import RunPlan
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.results.reference import Preview, ResultRef
    from flowbook.store import CacheEntry, Store
    from flowbook.store.records import TaskResult

__all__ = ["AsOf", "Version", "as_of", "below_version", "history", "version_in_run", "version_of_entry"]

_CODE_DIGITS = 8
#: Number of a flow's newest runs whose durations are read.
_TIMED_RUNS = 1000
_COLUMNS = (
    "created",
    "task",
    "state",
    "run_id",
    "number",
    "entry",
    "size_bytes",
    "value",
    "parameters",
    "code",
    "duration",
)


@dataclass(frozen=True, slots=True)
class Version:
    """One successful result of a task.

    Attributes:
        created: aware UTC.
        run_id: of the run that made it; None if that wasn't recorded.
        number: of that run.
        entry: id of its cache entry.
        parameters: those of the entry.
    """

    created: dt.datetime
    state: State
    run_id: str | None = None
    number: int | None = None
    entry: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)


class AsOf:
    """A flow's outputs as they were at a time; `flow.as_of(time)` gives it.

    `flow.as_of("2026-11-20 09:00")["clean"]` is the value that task `clean` had produced last by then.
    """

    def __init__(self, flow: RunnableFlow, at: dt.datetime | str) -> None:
        self._flow = flow
        #: Aware UTC.
        self.at = parse_time(at)

    def __getitem__(self, task: object) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return the value; the list of a mapped task's children. A copy: changing it changes no cache.

        Raises:
            UnknownTaskError: if the task isn't in the flow.
            ResultGoneError: if it had no stored result by then, or its value wasn't stored or was dropped.
            DamagedValueError: if its bytes changed.
        """
        return self.version(task).state.copy().result

    def version(self, task: object) -> Version:
        """Return the result and where it came from; its value is not loaded. Raises as `[]`."""
        key = self._flow.compile().key_of(task)
        newest = _newest(self._flow.name, [key], self.at).get(key)
        if newest is None:
            msg = (
                f"Task {key!r} of flow {self._flow.name!r} had no stored result at "
                f"{self.at:%Y-%m-%d %H:%M:%S} UTC. flow.history({key!r}) lists the results that it has."
            )
            raise ResultGoneError(msg, key=key, at=self.at)
        return newest

    def states(self, *tasks: object) -> dict[str, State]:
        """Return states for `flow.run(task_states=…)`: these tasks keep their results of then, and those downstream run.

        So you can run the rest of a flow from an old version of an output:

            flow.run(task_states=flow.as_of("2026-11-20 09:00").states("clean"))

        The states of all other tasks that had a result are included, so that only tasks downstream of the named ones run
        again. Parameters are not included: they are those of the new run.

        Args:
            tasks: or their keys; none: every task that had a result.

        Raises:
            UnknownTaskError, ResultGoneError: as `[]`, for the tasks named.
            DefinitionError: if a child of a mapped task is named.
        """
        graph = self._flow.compile()
        named = [graph.key_of(task) for task in tasks]
        for key in named:
            _refuse_child(graph, key)
        below = graph.downstream(child for key in named for child in graph.children[key])
        found: dict[str, State] = {key: self.version(key).state for key in named}
        others = [key for key, spec in graph.specs.items() if not (key in found or key in below or spec.is_parameter)]
        newest = _newest(self._flow.name, others, self.at)
        found |= {key: newest[key].state for key in others if key in newest}
        return {key: _settled(state) for key, state in found.items()}

    def plan_below(self, task: object, **options: Any) -> RunPlan:  # noqa: ANN401  # as `Flow.plan` takes them
        """Return what `run_below` would do; runs and loads nothing. Raises as `run_below`."""
        planned: RunPlan = cast("Any", self._flow).plan(**self._below(task), **options)
        return planned

    def run_below(self, task: object, **options: Any) -> State:  # noqa: ANN401  # as `Flow.run` takes them
        """Run what lies below a task, with its output of then; all else keeps its results of then. Return the flow's state.

        Args:
            task: or its key.
            options: parameters, and options as for `Flow.run`.

        Raises:
            StartTaskError: if nothing lies below it, or what is asked for can't run.
            UnknownTaskError, ResultGoneError: as `[]`.
        """
        state: State = cast("Any", self._flow).run(**self._below(task), **options)
        return state

    def _below(self, task: object) -> dict[str, Any]:
        return below_version(self._flow, self._flow.compile().key_of(task), self.version(task), self)

    def __repr__(self) -> str:
        return f"<{self._flow.name!r} as of {self.at:%Y-%m-%d %H:%M:%S} UTC>"


def as_of(flow: RunnableFlow, at: dt.datetime | str | None, run: int | str | None) -> AsOf:
    """Return the flow's outputs as they were, see `Flow.as_of`."""
    if (at is None) == (run is None):
        msg = f"as_of takes a time or a run, got moment={at!r} and run={run!r}. Write as_of('yesterday 9:00') or as_of(run=4)."
        raise DefinitionError(msg, moment=repr(at), run=repr(run))
    return AsOf(flow, _end_of(flow.name, run) if at is None else at)


def _end_of(flow: str, run: int | str | None) -> dt.datetime:
    """Return when that run came to rest; the present if it goes on. Raises UnknownRunError."""
    store = open_store()
    found = store.runs.summary(find_run_id(store, run, flow))
    let_go = found.claimed if found.process is None else None
    return found.ended or let_go or dt.datetime.now(dt.UTC)


def history(flow: str | None, keys: Iterable[str], run: int | str | None = None) -> pd.DataFrame:
    """Return every known successful result of these tasks, see `Flow.history`; `flow`: None for all flows."""
    import pandas as pd  # noqa: PLC0415  # heavy

    store = open_store()
    run_id = None if run is None else find_run_id(store, run, flow)
    tasks = tuple(keys)
    rows: list[tuple[object, ...]] = []
    for name in [flow] if flow is not None else _flow_names(store):
        rows += _rows(store, name, _versions(store, name, tasks, run_id))
    table = pd.DataFrame(sorted(rows, key=lambda row: row[0]), columns=list(_COLUMNS))  # type: ignore[arg-type, return-value]  # a datetime
    return table.astype({"number": "Int64", "size_bytes": "Int64", "duration": "timedelta64[us]"})


def _rows(store: Store, flow: str, versions: Sequence[tuple[str, Version]]) -> Iterator[tuple[object, ...]]:
    """Yield a row of `Flow.history` for each version of a flow's tasks. The store is read once for all of them."""
    if not versions:
        return
    project = config.project()
    tasks = list(dict.fromkeys(key for key, _ in versions))
    refs = [_value_ref(each) for _, each in versions]
    previews = store.values.previews(ref for ref in refs if ref is not None)  # noqa: PD011  # no table
    known = store.history.task_versions(flow, list(dict.fromkeys(map(parent_key, tasks))), project)
    times = store.history.working_times(flow, tasks, project=project, limit=_TIMED_RUNS)
    took = {(run_id, key): from_stamp(ended) - from_stamp(began) for run_id, key, began, ended in times}
    for (key, each), ref in zip(versions, refs, strict=True):
        size, text = (None, None) if ref is None else (ref.size_bytes, _text(previews.get(ref.digest)))
        parameters, codes = known.get(each.run_id or "", (each.parameters, {}))
        code, duration = codes.get(parent_key(key)), took.get((each.run_id or "", key))
        row = (each.created, key, _state_name(each.state), each.run_id, each.number, each.entry, size, text)
        yield (*row, shown_parameters(parameters), code and code[:_CODE_DIGITS], duration)


def _state_name(state: State) -> str:
    """Return the name of a result's state; one that the run made itself and then stored in the cache is a Success."""
    made_here = isinstance(state, Cached) and state.made_here
    return Success.__name__ if made_here else type(state).__name__


def _newest(flow: str, keys: Sequence[str], at: dt.datetime) -> dict[str, Version]:
    """Return the newest results by `at`, of each task that has one. A cache entry counts if no run recorded a newer one."""
    store, project = open_store(), config.project()
    found = {each.key: _of_run(each) for each in store.history.newest_results(flow, keys, project, at)}
    for entry in store.cache.last(flow, keys, project, at):
        if entry.task not in found or entry.created > found[entry.task].created:
            found[entry.task] = _of_entry(entry)
    return found


def _versions(store: Store, flow: str, keys: Sequence[str], run_id: str | None) -> list[tuple[str, Version]]:
    """Return all results of these tasks, maybe only a run's, each once: one that a run made and the cache keeps is one."""
    project, wanted = config.project(), set(keys)
    only = keys[0] if len(keys) == 1 else None
    entries = {
        entry.id: entry
        for entry in store.cache.entries(flow=flow, task=only, project=project)
        if entry.task in wanted and run_id in {None, entry.run_id}
    }
    found: list[tuple[str, Version]] = []
    for result in _last_of_each(store.history.results_of_tasks(flow, keys, project, run_id=run_id)):
        version = _of_run(result)
        if version.entry is not None:
            entries.pop(version.entry, None)
        found.append((result.key, version))
    return [*found, *((entry.task, _of_entry(entry)) for entry in entries.values())]


def _of_run(result: TaskResult) -> Version:
    state = result.state
    return Version(state.timestamp, state, result.run_id, result.number, getattr(state, "entry", None))


def _of_entry(entry: CacheEntry) -> Version:
    made = Cached(
        None, entry.ref, entry.input_hashes, entry.parameters, entry.expires, entry=entry.id, created=entry.created
    )
    made.at = entry.created.timestamp()
    return Version(entry.created, made, entry.run_id, None, entry.id, entry.parameters)


def _last_of_each(results: Iterable[TaskResult]) -> list[TaskResult]:
    """Return the results in recorded runs. Of one that a run recorded twice (cached, or split and gathered) the second."""
    found: list[TaskResult] = []
    #: By task: where its last one is among them.
    last: dict[str, int] = {}
    for result in results:
        if not result.is_whole:
            continue
        before = found[last[result.key]] if result.key in last else None
        if before is not None and before.run_id == result.run_id and _is_same_again(before.state, result.state):
            found[last[result.key]] = result
            continue
        last[result.key] = len(found)
        found.append(result)
    return found


def _is_same_again(before: State, state: State) -> bool:
    if isinstance(state, Mapped):
        return isinstance(before, Mapped)
    return isinstance(state, Cached) and before.reference == state.reference


def below_version(flow: RunnableFlow, key: str, version: Version, then: AsOf) -> dict[str, Any]:
    """Return the options of a run of what lies below a task, with one of its outputs; all else has the results of then.

    Raises:
        StartTaskError: if nothing lies below it.
        UnknownTaskError: if it isn't in the flow.
        DefinitionError: if it is a child of a mapped task.
    """
    graph = flow.compile()
    _refuse_child(graph, graph.key_of(key))
    below = graph.children[key]
    if not below:
        msg = f"Nothing lies below {key}, so there is nothing to run with an earlier output of it."
        raise StartTaskError(msg, key=key)
    states: dict[str, State] = {}
    for each, state in {**then.states(key), key: _settled(version.state)}.items():
        states |= _with_children(each, state)
    return {"start_at": list(below), "based_on": EarlierRun(_name(key, version), states)}


def _refuse_child(graph: Graph, key: str) -> None:
    if key not in graph.specs:
        msg = f"{key} is a child of a mapped task. Name the task, {parent_key(key)!r}: its children keep their results."
        raise DefinitionError(msg, key=key)


def _name(key: str, version: Version) -> str:
    """Return what is said of the tasks that don't run: "Kept from 20 Nov 09:06 (clean of run 11)"."""
    made = version.created.astimezone()
    by = f" of run {version.number}" if version.number is not None else ""
    return f"{made.day} {made:%b %H:%M} ({key}{by})"


def _with_children(key: str, state: State) -> Mapping[str, State]:
    if not isinstance(state, Mapped):
        return {key: state}
    return {key: state, **{child_key(key, place): _settled(child) for place, child in enumerate(state.map_states)}}


def version_in_run(flow: RunnableFlow, key: str, run_id: str) -> Version:
    """Return what a task gave in a recorded run.

    Raises:
        UnknownRunError: if there is no such run.
        ResultGoneError: if it gave nothing there.
    """
    store = open_store()
    state = store.history.states(run_id).get(key)
    if state is None or not state.is_successful() or state.is_skipped():
        named = type(state).__name__ if state is not None else "Pending"
        msg = f"Task {key!r} of flow {flow.name!r} has no output in that run: it is {named}."
        raise ResultGoneError(msg, key=key)
    number = store.runs.numbers([run_id]).get(run_id)
    return Version(state.timestamp, state, run_id, None if number is None else int(number))


def version_of_entry(entry: CacheEntry) -> Version:
    """Return the output that an entry of the cache is of, with the number of the run that made it."""
    version = _of_entry(entry)
    number = open_store().runs.numbers([entry.run_id]).get(entry.run_id) if entry.run_id else None
    return replace(version, number=None if number is None else int(number))


def _settled(state: State) -> State:
    """Return a state that a new run takes unchanged: a Cached one would make it read the cache again."""
    return Success(state.message, state.raw_result) if isinstance(state, Cached) else state  # never loads it


def _flow_names(store: Store) -> list[str]:
    project = config.project()
    return list(dict.fromkeys([*store.runs.flows(project), *store.cache.flows(project)]))


def _value_ref(version: Version) -> ResultRef | None:
    ref = version.state.reference
    return ref if ref is not None and ref.digest else None


def _text(preview: Preview | None) -> str | None:
    return None if preview is None else str(preview.get("text", preview.get("type", "")))
