"""What happened in recorded runs: events, logs, decisions, and states folded from them, now or at an earlier moment."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, cast

from flowbook._utils.costs import Cost
from flowbook.engine.events import Decided, Event, Logged
from flowbook.engine.mapped_states import fill_children
from flowbook.engine.remote_error import RemoteError
from flowbook.engine.state import Mapped
from flowbook.results.reference import ResultRef
from flowbook.store.event_feed import EventFeed, event_page, log_page, numbers_up_to
from flowbook.store.event_rows import DECISION, LOG, STATE, decode_event, value_ref
from flowbook.store.queries import queries
from flowbook.store.records import PastDecision, TaskHistoryEntry, TaskResult, from_stamp, to_stamp
from flowbook.store.run_lookup import find_run
from flowbook.store.run_snapshot import RunSnapshot, read_snapshot
from flowbook.store.state_codec import decode
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.store.database import Database
    from flowbook.store.event_feed import FeedRow
    from flowbook.store.values import Values

__all__ = ["RunHistory"]

#: How many runs one query reads.
_PAGE_RUNS = 100
_FOREVER = float("inf")
#: A task's history leaves out runs with more events than this, since it must be fast.
_MOST_EVENTS = 50_000


class RunHistory:
    """Reads the events of all runs of a store. From any thread."""

    def __init__(self, database: Database, values: Values) -> None:
        self._database = database
        self._values = values
        self._sql = queries()

    @in_words
    def states(self, run_id: str, at: dt.datetime | None = None) -> dict[str, State]:
        """Return the last state of each task, by key; the flow's own under `events.FLOW`.

        Args:
            run_id: of the run.
            at: only what had happened by then; default now.

        Returns:
            Mapped children are under their keys (`clean[3]`) and in their parent's `map_states`; results and cached
            inputs are references.

        Raises:
            UnknownRunError: if there is no such run.
        """
        row = find_run(self._database, run_id).id
        rows = self._database.read(self._sql["states"], {"run": row, "at": _FOREVER if at is None else to_stamp(at)})
        states = {
            key: decode(name, moment, body, value_ref(digest, size, self._values), self._values)
            for _, key, moment, name, body, digest, size in rows
        }
        fill_children(states)
        return states

    def errors(self, run_id: str) -> dict[str, RemoteError]:
        """Return what the run's tasks raised that stand as failed, by key: type, message and traceback; unpickles nothing.

        Raises:
            UnknownRunError: if there is no such run.
        """
        row = find_run(self._database, run_id).id
        bodies = {
            key: body
            for _, key, _, _, body, *_ in self._database.read(self._sql["states"], {"run": row, "at": _FOREVER})
        }
        noted = {key: json.loads(body).get("error") for key, body in bodies.items() if body and '"error"' in body}
        return {
            key: RemoteError(error["type"], error["message"], error["traceback"])
            for key, error in noted.items()
            if error is not None
        }

    def snapshot(self, run_id: str, since: int = 0, progress_since: float = 0.0) -> RunSnapshot:
        """Return the run in one piece, as it is now: owner, state, inputs, events after number `since`, and progress.

        Raises:
            UnknownRunError: if there is no such run.
        """
        return read_snapshot(self._database, self._values, run_id, since, progress_since)

    def page(self, run_id: str, since: int, limit: int) -> list[FeedRow]:
        """Return the run's events after number `since` as rows, in order, at most `limit`; none if there is no such run."""
        return event_page(self._database, run_id, since, limit)

    def numbers(self, run_id: str, last: int) -> list[int]:
        """Return the numbers of the run's events up to `last`: only the last one if none is missing, else all from 0 on."""
        return numbers_up_to(self._database, run_id, last)

    def log_page(self, run_id: str, since: int, limit: int, key: str | None = None) -> list[FeedRow]:
        """Return what the run, or one of its tasks, logged after event `since` as rows, in order, at most `limit`."""
        return log_page(self._database, run_id, since, limit, key)

    def feed(self) -> EventFeed:
        """Return what reads the events of all runs from now on."""
        return EventFeed(self._database)

    @in_words
    def events(self, run_id: str, since: int = 0) -> list[Event]:
        """Return the run's events after number `since`, in order. Raises UnknownRunError."""
        row = find_run(self._database, run_id).id
        return [decode_event(found, self._values) for found in self._database.read(self._sql["events"], (row, since))]

    @in_words
    def logs(self, run_id: str, key: str | None = None) -> list[Logged]:
        """Return what the run, or one of its tasks, logged and printed, in order. Raises UnknownRunError."""
        return [event for event in self._of_kind(run_id, LOG, key) if isinstance(event, Logged)]

    @in_words
    def changes_of(self, run_id: str, key: str) -> list[Event]:
        """Return the changes of state of one task or child, in order; values are references. Raises UnknownRunError."""
        return self._of_kind(run_id, STATE, key)

    @in_words
    def output_sizes(self, run_id: str) -> dict[str, int]:
        """Return the sizes of a run's stored outputs in bytes, by key. Raises UnknownRunError."""
        return dict(self._database.read(self._sql["output_sizes"], {"run": find_run(self._database, run_id).id}))

    @in_words
    def decisions(self, run_id: str) -> list[Decided]:
        """Return what people decided, in order. Raises UnknownRunError."""
        return [event for event in self._of_kind(run_id, DECISION, None) if isinstance(event, Decided)]

    @in_words
    def decisions_of_flow(
        self, flow: str, key: str | None = None, *, project: str, besides: str = "", limit: int | None = None
    ) -> list[PastDecision]:
        """Return what people decided in the runs of a flow, the newest first.

        Args:
            flow: its name.
            key: only about this task or child; of a mapped task also about its children.
            project: of the flow.
            besides: id of a run to leave out.
            limit: at most this many, the newest; default: all.
        """
        most = -1 if limit is None else limit
        values = {"flow": flow, "key": key, "project": project, "besides": besides, "limit": most}
        rows = self._database.read(self._sql["decisions_of_flow"], values)
        return [
            PastDecision(run_id, number, cast("Decided", decode_event(tuple(event), self._values)))
            for run_id, number, *event in rows
        ]

    @in_words
    def task_history(
        self, flow: str, key: str, *, project: str, besides: str = "", limit: int = 14
    ) -> list[TaskHistoryEntry]:
        """Return the last state of task `key` in the flow's newest runs, the newest first; loads no value.

        Args:
            flow: name of the flow.
            key: of a task, or of one child of a mapped task.
            project: of the flow.
            besides: id of a run to leave out.
            limit: how many runs to read.
        """
        values = {"flow": flow, "key": key, "project": project, "besides": besides, "limit": limit}
        rows = self._database.read(self._sql["task_history"], {**values, "most_events": _MOST_EVENTS})
        return [
            TaskHistoryEntry(
                run_id,
                number,
                name,
                from_stamp(at),
                from_stamp(started),
                ResultRef(digest.lower(), size, self._values) if digest else None,
                Cost(*json.loads(cost)) if cost else None,
                message or "",
                json.loads(inputs or "{}"),
                json.loads(parameters or "{}"),
            )
            for number, run_id, name, at, started, digest, size, cost, message, inputs, parameters in rows
        ]

    def results(
        self, flow: str, key: str, project: str | None = None, at: dt.datetime | None = None
    ) -> Iterator[TaskResult]:
        """Yield the successful states of task `key` of a flow by `at`, runs newest first, each run's in order.

        A mapped task's state has its children's as they were at the same moment.
        """
        return self.results_of_tasks(flow, [key], project, at)

    def results_of_tasks(
        self,
        flow: str,
        keys: Sequence[str],
        project: str | None = None,
        at: dt.datetime | None = None,
        run_id: str | None = None,
    ) -> Iterator[TaskResult]:
        """Yield as `results` does, of many tasks in one pass over the events; with `run_id` only those of that run."""
        before = _FOREVER if at is None else to_stamp(at)
        values = {"flow": flow, "project": project, "keys": json.dumps(keys), "at": before, "run_id": run_id}
        whole = _WholeStates(self, at)
        for found, number, *row in self._database.read(self._sql["task_results"], values):
            yield self._result(found, number, row, whole)

    @in_words
    def newest_result(
        self, flow: str, key: str, project: str | None = None, at: dt.datetime | None = None
    ) -> TaskResult | None:
        """Return the newest of `results` that is whole: of mapped tasks one whose children all succeeded."""
        return next(iter(self.newest_results(flow, [key], project, at)), None)

    @in_words
    def newest_results(
        self, flow: str, keys: Sequence[str], project: str | None = None, at: dt.datetime | None = None
    ) -> list[TaskResult]:
        """Return the `newest_result` of each of these tasks that has one; a run is read once for all of them."""
        before, whole = _FOREVER if at is None else to_stamp(at), _WholeStates(self, at)
        newest: dict[str, TaskResult] = {}
        wanted = list(keys)
        for run, run_id, number, last in self._runs_by_end(flow, project, before):
            if last is not None:
                wanted = [key for key in wanted if key not in newest or newest[key].state.at <= last]
            if not wanted:
                break
            of_run: dict[str, TaskResult] = {}
            values = {"run": run, "keys": json.dumps(wanted), "at": before}
            for key, *row in self._database.read(self._sql["newest_task_results"], values):
                if key not in of_run and (result := self._result(run_id, number, [key, *row], whole)).is_whole:
                    of_run[key] = result
            newest.update(
                (key, each) for key, each in of_run.items() if key not in newest or each.state.at > newest[key].state.at
            )
        return list(newest.values())

    @in_words
    def working_times(
        self, flow: str, keys: Sequence[str], *, project: str, limit: int
    ) -> list[tuple[str, str, float, float]]:
        """Return when tasks began to run and ended, in the flow's newest runs; of one that ran twice, the last time.

        Args:
            flow: name of the flow.
            keys: of the tasks.
            project: of the flow.
            limit: how many runs to read.

        Returns:
            Id of the run, key, and both times in seconds since the epoch.
        """
        values = {"flow": flow, "keys": json.dumps(keys), "project": project, "limit": limit}
        return self._database.read(self._sql["working_times"], {**values, "most_events": _MOST_EVENTS})

    @in_words
    def task_versions(
        self, flow: str, tasks: Sequence[str], project: str
    ) -> dict[str, tuple[dict[str, Any], dict[str, str | None]]]:
        """Return for each run of a flow its parameters, as they are shown, and the hashes of these tasks' code, by run id."""
        given = {"flow": flow, "project": project}
        codes: dict[int, dict[str, str | None]] = {}
        for graph, key, code in self._database.read(
            self._sql["codes_of_graphs"], {**given, "tasks": json.dumps(tasks)}
        ):
            codes.setdefault(graph, {})[key] = code
        rows = self._database.read(self._sql["parameters_of_runs"], given)
        return {run_id: (json.loads(parameters), codes.get(graph, {})) for run_id, parameters, graph in rows}

    def _runs_by_end(self, flow: str, project: str | None, before: float) -> Iterator[tuple[Any, ...]]:
        """Yield the flow's runs: those with an owner first, then the others from the one that was released last."""
        for offset in itertools.count(0, _PAGE_RUNS):
            values = {"flow": flow, "project": project, "at": before, "limit": _PAGE_RUNS, "offset": offset}
            rows = self._database.read(self._sql["runs_by_end"], values)
            yield from rows
            if len(rows) < _PAGE_RUNS:
                return

    def _result(self, run_id: str, number: int, row: Sequence[Any], whole: _WholeStates) -> TaskResult:
        key, moment, name, body, digest, size = row
        state = decode(name, moment, body, value_ref(digest, size, self._values), self._values)
        if isinstance(state, Mapped):
            state = whole.of(run_id)[key]
        return TaskResult(run_id, number, state, key)

    def _of_kind(self, run_id: str, kind: int, key: str | None) -> list[Event]:
        values = {"run": find_run(self._database, run_id).id, "kind": kind, "key": key}
        return [decode_event(row, self._values) for row in self._database.read(self._sql["events_of_kind"], values)]


class _WholeStates:
    """The states of one run after the other as they were at a moment, those of mapped tasks with their children's."""

    def __init__(self, history: RunHistory, at: dt.datetime | None) -> None:
        self._history = history
        self._at = at
        self._run_id = ""
        self._states: Mapping[str, State] = {}

    def of(self, run_id: str) -> Mapping[str, State]:
        if run_id != self._run_id:
            self._run_id, self._states = run_id, self._history.states(run_id, self._at)
        return self._states
