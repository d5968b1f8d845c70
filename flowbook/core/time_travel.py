"""What a flow's tasks had come to by a moment: from recorded runs and from the cache, whichever is newer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook import config
from flowbook.engine.state import Cached, Mapped, Success
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import DefinitionError, ResultGoneError
from flowbook.flow_run.times import parse_time
from flowbook.store import open_store

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from flowbook.core.flow import Flow
    from flowbook.engine.state import State
    from flowbook.results.reference import Preview, ResultRef
    from flowbook.store import CacheEntry, Store
    from flowbook.store.records import TaskResult

__all__ = ["AsOf", "Version", "history"]

_COLUMNS = ("created", "task", "state", "run_id", "number", "entry", "size_bytes", "value")


@dataclass(frozen=True, slots=True)
class Version:
    """One successful outcome of a task.

    Attributes:
        created: aware UTC.
        run_id: of the run that made it; None where the run was not recorded.
        number: of that run.
        entry: id of its cache entry.
    """

    created: dt.datetime
    state: State
    run_id: str | None = None
    number: int | None = None
    entry: str | None = None


class AsOf:
    """A flow's outputs as they were at a moment; `flow.as_of(moment)` gives it.

    `flow.as_of("2026-11-20 09:00")["clean"]` is the value that task `clean` had produced last by then.
    """

    def __init__(self, flow: Flow, at: dt.datetime | str) -> None:
        self._flow = flow
        #: Aware UTC.
        self.at = parse_time(at)

    def __getitem__(self, task: object) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return the value; the list of a mapped task's children. A copy: changing it changes no cache.

        Raises:
            UnknownTaskError: if the task isn't in the flow.
            ResultGoneError: if it had produced nothing by then, or its value was not kept or was dropped.
            DamagedValueError: if its bytes changed.
        """
        return self.version(task).state.copy().result

    def version(self, task: object) -> Version:
        """Return the outcome and where it came from; its value is not loaded. Raises as `[]`."""
        key = self._flow.compile().key_of(task)
        newest = _newest(self._flow.name, key, self.at)
        if newest is None:
            msg = (
                f"Task {key!r} of flow {self._flow.name!r} had produced nothing that was kept by "
                f"{self.at:%Y-%m-%d %H:%M:%S} UTC. flow.history({key!r}) lists what there is."
            )
            raise ResultGoneError(msg, key=key, at=self.at)
        return newest

    def states(self, *tasks: object) -> dict[str, State]:
        """Return states for `flow.run(task_states=…)`: then these tasks stand as they did, and what is below them runs.

        So a flow runs on from an old version of an output:

            flow.run(task_states=flow.as_of("2026-11-20 09:00").states("clean"))

        Tasks that are neither named nor below a named one are given as they were too, as far as they had produced
        something, so that nothing but what lies below runs again. Parameters are not: they are those of the new run.

        Args:
            tasks: or their keys; none: every task that had produced something.

        Raises:
            UnknownTaskError, ResultGoneError: as `[]`, for the tasks named.
            DefinitionError: if a child of a mapped task is named.
        """
        graph = self._flow.compile()
        named = [graph.key_of(task) for task in tasks]
        if children := [key for key in named if key not in graph.specs]:
            parent = parent_key(children[0])
            msg = (
                f"{children[0]} is a child of a mapped task. Name the task, {parent!r}: its children stand as they did."
            )
            raise DefinitionError(msg, key=children[0])
        below = graph.downstream(child for key in named for child in graph.children[key])
        found: dict[str, State] = {key: self.version(key).state for key in named}
        for key, spec in graph.specs.items():
            if key in found or key in below or spec.is_parameter:
                continue
            newest = _newest(self._flow.name, key, self.at)
            if newest is not None:
                found[key] = newest.state
        return {key: _settled(state) for key, state in found.items()}

    def __repr__(self) -> str:
        return f"<{self._flow.name!r} as of {self.at:%Y-%m-%d %H:%M:%S} UTC>"


def history(flow: str | None, key: str) -> pd.DataFrame:
    """Return every outcome of a task that is known, see `Flow.history`."""
    import pandas as pd  # noqa: PLC0415  # heavy

    store = open_store()
    names = [flow] if flow is not None else _flow_names(store)
    found = sorted((each for name in names for each in _versions(name, key)), key=lambda each: each.created)
    refs = [_kept(each) for each in found]
    noted = store.values.previews(ref for ref in refs if ref is not None)  # noqa: PD011  # no table
    rows = []
    for each, ref in zip(found, refs, strict=True):
        size, words = (None, None) if ref is None else (ref.size_bytes, _words(noted.get(ref.digest)))
        kind = type(each.state).__name__
        rows.append((each.created, key, kind, each.run_id, each.number, each.entry, size, words))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"number": "Int64", "size_bytes": "Int64"})


def _newest(flow: str, key: str, at: dt.datetime) -> Version | None:
    """Return the newest outcome by `at`. What the cache keeps counts where no run tells of it, and so nothing newer does."""
    store, project = open_store(), config.project()
    result = store.history.newest_result(flow, key, project, at)
    entry = store.cache.last(flow, key, project, at)
    if entry is not None and (result is None or entry.created > result.state.timestamp):
        return _of_entry(entry)
    return None if result is None else _of_run(result)


def _versions(flow: str, key: str) -> Iterator[Version]:
    """Yield all outcomes, each once: what a run made and the cache keeps is one."""
    store, project = open_store(), config.project()
    entries = {entry.id: entry for entry in store.cache.entries(flow=flow, task=key, project=project)}
    for result in _last_of_each(store.history.results(flow, key, project)):
        version = _of_run(result)
        if version.entry is not None:
            entries.pop(version.entry, None)
        yield version
    yield from map(_of_entry, entries.values())


def _of_run(result: TaskResult) -> Version:
    state = result.state
    return Version(state.timestamp, state, result.run_id, result.number, getattr(state, "entry", None))


def _of_entry(entry: CacheEntry) -> Version:
    made = Cached(
        None, entry.ref, entry.input_hashes, entry.parameters, entry.expires, entry=entry.id, created=entry.created
    )
    made.at = entry.created.timestamp()
    return Version(entry.created, made, entry.run_id, None, entry.id)


def _last_of_each(results: Iterable[TaskResult]) -> Iterator[TaskResult]:
    """Yield the outcomes in recorded runs; what is told twice (kept, or split and gathered) is one, the second."""
    before: TaskResult | None = None
    for result in results:
        if not result.is_whole:
            continue
        state = result.state
        if before is not None and not (before.run_id == result.run_id and _is_told_again(before.state, state)):
            yield before
        before = result
    if before is not None:
        yield before


def _is_told_again(before: State, state: State) -> bool:
    if isinstance(state, Mapped):
        return isinstance(before, Mapped)
    return isinstance(state, Cached) and before.reference == state.reference


def _settled(state: State) -> State:
    """Return a state that a new run takes as it is: a Cached one would be looked up again."""
    return Success(state.message, state.raw_result) if isinstance(state, Cached) else state  # never loads it


def _flow_names(store: Store) -> list[str]:
    project = config.project()
    return list(dict.fromkeys([*store.runs.flows(project), *store.cache.flows(project)]))


def _kept(version: Version) -> ResultRef | None:
    ref = version.state.reference
    return ref if ref is not None and ref.digest else None


def _words(noted: Preview | None) -> str | None:
    return None if noted is None else str(noted.get("text", noted.get("type", "")))
