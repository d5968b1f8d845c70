"""Runs: created, claimed by one process at a time, recorded, and read back by any."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowbook.engine.events import Decided, Event, Logged, StateChanged
from flowbook.engine.state import Mapped, State
from flowbook.exceptions import FlowbookError, RunClaimedError, StoreError, UnknownRunError
from flowbook.results.reference import ResultRef
from flowbook.store.codec import decode, is_finished_name, state_name
from flowbook.store.processes import is_alive, this_process
from flowbook.store.queries import queries
from flowbook.store.recorder import DECISION, LOG, STATE, Recorder
from flowbook.store.records import Claim, Request, RunRecord, RunSummary, TaskOutcome, TaskResult, from_stamp, to_stamp
from flowbook.store.run_table import RunTable, run_table

if TYPE_CHECKING:
    import builtins
    import datetime as dt
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from flowbook.store.database import Database
    from flowbook.store.values import Values

__all__ = ["Runs", "gather_children", "insert_run", "keep_graph"]

#: Runs that are asked for in one go.
_AT_ONCE = 100
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_CHILD = re.compile(r"(.*)\[(\d+)\]", re.DOTALL)
_FOREVER = float("inf")
#: What runs are asked for by. Of several the first is looked up in its index, newest first, and the others are compared.
_WHICH = {
    "run_id": "run_id = :run_id",
    "open": "(state IS NULL OR state IN ('Pending', 'Running', 'Cancelling', 'Crashed'))",
    "flow": "flow = :flow",
    "state": "state = :state",
    "project": "project = :project",
}
#: Runs with more events than this are passed over in a task's history: it has to come at once.
_MOST_EVENTS = 50_000
_log = logging.getLogger("flowbook.store")


class Runs:
    """All runs of a store."""

    def __init__(self, database: Database, values: Values) -> None:
        self._database = database
        self._values = values
        self._sql = queries()

    def create(self, record: RunRecord) -> RunRecord:
        """Begin a run at epoch 1, claimed by `record.owner`; returns the record with its number.

        Raises:
            StoreError: if there is a run of that id, or it can't be written.
        """
        if not _RUN_ID.fullmatch(record.run_id):
            msg = f"{record.run_id!r} can't be a run's id. Use letters, digits, '-', '_' and '.', at most 100."
            raise StoreError(msg, run_id=record.run_id)
        graph = json.dumps(record.graph, separators=(",", ":"))
        _, number = self._database.write(lambda connection: insert_run(connection, record, graph))
        return replace(record, number=number)

    def keep_flow(self, flow: object) -> tuple[ResultRef | None, str | None]:
        """Keep a flow, so that it runs where its code isn't at hand; the reference, or None and why not.

        The user's modules go with it by value, or by name where one of them can't be pickled.
        """
        try:
            return self._values.put(flow, by_value=True), None
        except FlowbookError:
            _log.debug("A flow is kept without the modules that it uses.", exc_info=True)
        try:
            return self._values.put(flow), None
        except FlowbookError as exc:
            return None, str(exc)

    def given(self, run_id: str) -> ResultRef | None:
        """Return where what the run was given is kept, as of now: `RunRecord.parameters_ref`. Raises UnknownRunError."""
        found = self._database.read(self._sql["run_given"], (run_id,))
        if not found:
            raise _unknown(run_id)
        return self._reference(*found[0])

    def keep_given(self, run_id: str, epoch: int, given: ResultRef, further: Sequence[ResultRef]) -> None:
        """Let `given` stand for what the run was given from now on; `further` is what it names. Raises as `claim`."""
        self._compare_and_set(
            "keep_given",
            {"run_id": run_id, "epoch": epoch, "digest": bytes.fromhex(given.digest), "size_bytes": given.size_bytes},
            holding=(given, *further),
        )

    def claim(self, run_id: str, epoch: int, owner: str) -> int:
        """Take up a run that was at `epoch`; returns the new epoch. Of many who try at once, one wins.

        Raises:
            RunClaimedError: if somebody else took it up in the meantime; says who and when.
            UnknownRunError: if there is no such run.
        """
        given = {"run_id": run_id, "epoch": epoch, "owner": owner, "now": time.time(), "process": this_process()}
        self._compare_and_set("claim_run", given)
        return epoch + 1

    def release(self, run_id: str, epoch: int) -> None:
        """Let go of a run, so that it shows that nobody runs it. Raises as `claim`."""
        self._compare_and_set("release_run", {"run_id": run_id, "epoch": epoch, "now": time.time()})

    def finish(self, run_id: str, epoch: int, state: str | State) -> None:
        """Note the state in which a run comes to rest (finished, or Paused) and let go of it. Raises as `claim`."""
        name = state if isinstance(state, str) else state_name(state)
        given = {"run_id": run_id, "epoch": epoch, "now": time.time(), "state": name}
        self._compare_and_set("finish_run", {**given, "is_finished": is_finished_name(name)})

    def beat(self, run_id: str, epoch: int) -> None:
        """Say that the owner lives. Raises as `claim`."""
        self._compare_and_set("beat_run", {"run_id": run_id, "epoch": epoch, "now": time.time()})

    def is_owned(self, run_id: str) -> bool:
        """Return whether a process that lives, as far as can be known from here, has the run. Raises UnknownRunError."""
        claim = self.owned(run_id)
        beat = None if claim.beat is None else claim.beat.timestamp()
        return is_alive(claim.process, beat, time.time())

    def owned(self, run_id: str) -> Claim:
        """Return who has the run: what `summary` says of that, without a look at the run's events. Raises UnknownRunError."""
        found = self._database.read(self._sql["run_owner"], (run_id,))
        if not found:
            raise _unknown(run_id)
        process, beat, owner, epoch, started, ended = found[0]
        return Claim(epoch, owner, process, from_stamp(beat), from_stamp(started), from_stamp(ended))

    def ask(self, run_id: str, request: Request, epoch: int) -> int:
        """Leave a request for whoever has the run at `epoch`; return its number. Raises UnknownRunError."""
        given = {
            "run": self._row(run_id)[0],
            "epoch": epoch,
            "action": request.action,
            "keys": json.dumps(request.keys),
            "person": request.by,
            "note": request.note,
            "now": time.time(),
        }
        return int(
            self._database.write(lambda connection: connection.execute(self._sql["ask_owner"], given).fetchone()[0])
        )

    def requests(self, run_id: str, epoch: int) -> builtins.list[Request]:
        """Return what others ask of the run's owner and has no answer yet, in order. Raises UnknownRunError."""
        found = self._database.read(self._sql["open_requests"], (self._row(run_id)[0], epoch))
        return [Request(action, tuple(json.loads(keys)), by, note, number) for number, action, keys, by, note in found]

    def answer(self, number: int, answer: Mapping[str, object]) -> bool:
        """Answer a request with plain JSON; return False if it has an answer (was withdrawn) already."""
        text = json.dumps(answer)
        change = self._sql["answer_request"]
        return bool(self._database.write(lambda connection: connection.execute(change, (text, number)).rowcount))

    def answered(self, number: int) -> dict[str, Any] | None:
        """Return the answer to a request, or None as long as there is none."""
        found = self._database.read(self._sql["request_answer"], (number,))
        answer: dict[str, Any] | None = json.loads(found[0][0]) if found and found[0][0] is not None else None
        return answer

    def recorder(
        self,
        run_id: str,
        epoch: int,
        never_keep: frozenset[str] | None = None,
        *,
        graph: Mapping[str, Any] | None = None,
    ) -> Recorder:
        """Return the sink that records the run for whoever claimed it at `epoch`.

        Args:
            run_id: of a run that was created.
            epoch: what `create` (1) or `claim` gave.
            never_keep: keys of tasks whose values are not stored; by default what the run's graph says.
            graph: the run's, where it is at hand; it is read otherwise, which takes long for a large one.

        Raises:
            UnknownRunError: if there is no such run.
            RunClaimedError: if somebody else took it up since.
        """
        row = self._row(run_id)
        if row[1] != epoch:
            raise _claimed(run_id, *row[1:])
        known = graph if graph is not None else self.get(run_id).graph
        return Recorder(self._database, self._values, row[0], epoch, known, never_keep)

    def get(self, run_id: str) -> RunRecord:
        """Return what was known when the run began. Raises UnknownRunError."""
        found = self._database.read(self._sql["run_record"], (run_id,))
        if not found:
            raise _unknown(run_id)
        (run_id, flow, number, project, created, graph, parameters, *refs, flow_unkept, executor, origin, owner) = (
            found[0]
        )
        moment = from_stamp(created)
        assert moment is not None  # noqa: S101  # the column is NOT NULL
        return RunRecord(
            run_id=run_id,
            flow=flow,
            project=project,
            graph=json.loads(graph),
            created=moment,
            number=number,
            parameters=json.loads(parameters),
            parameters_ref=self._reference(refs[0], refs[1]),
            flow_ref=self._reference(refs[2], refs[3]),
            flow_unkept=flow_unkept,
            executor=executor,
            origin=origin,
            owner=owner or "",
        )

    def summary(self, run_id: str) -> RunSummary:
        """Return the run's line in the list. Raises UnknownRunError."""
        found = self._summaries(run_id=run_id)
        if not found:
            raise _unknown(run_id)
        return found[0]

    def list(
        self,
        flow: str | None = None,
        project: str | None = None,
        state: str | None = None,
        limit: int | None = None,
        *,
        is_open: bool = False,
    ) -> builtins.list[RunSummary]:
        """Return the runs, oldest first, of one flow, project or state if asked for; at most the `limit` newest.

        With `is_open` those that go on, or crashed: that did not come to rest.
        """
        limit = -1 if limit is None else max(limit, 0)
        return self._summaries(open=is_open or None, flow=flow, state=state, project=project, limit=limit)

    def table(
        self, flow: str | None = None, state: str | None = None, limit: int | None = None, *, is_open: bool = False
    ) -> RunTable:
        """Return what `list` does as columns, to show very many; the states as they are shown."""
        limit = -1 if limit is None else max(limit, 0)
        query, asked = self._asking("run_rows", open=is_open or None, flow=flow, state=state, limit=limit)
        return run_table(self._database, query, asked)

    def numbers(self, run_ids: Sequence[str]) -> dict[str, int]:
        """Return the numbers by which people know these runs, those that were recorded."""
        return dict(self._database.read(self._sql["run_numbers"], (json.dumps(run_ids),)))

    def flows(self, project: str) -> builtins.list[str]:
        """Return the names of the flows of a project that have runs."""
        return [name for (name,) in self._database.read(self._sql["flows_that_ran"], (project,))]

    def outcomes(
        self, flow: str, key: str, *, project: str, besides: str = "", limit: int = 14
    ) -> builtins.list[TaskOutcome]:
        """Return how task `key` stands in the flow's newest runs, the newest first; no value is looked at.

        Args:
            flow: name of the flow.
            key: of a task, or of one child of a mapped task.
            project: of the flow.
            besides: id of a run to leave out.
            limit: how many runs are looked at.
        """
        given = {"flow": flow, "key": key, "project": project, "besides": besides, "limit": limit}
        rows = self._database.read(self._sql["task_outcomes"], {**given, "most_events": _MOST_EVENTS})
        return [
            TaskOutcome(run_id, number, name, _moment(at), from_stamp(running_at))
            for number, run_id, name, at, running_at in rows
        ]

    def states(self, run_id: str, at: dt.datetime | None = None) -> dict[str, State]:
        """Return the last state of each task, by key; the flow's own under `events.FLOW`.

        Args:
            run_id: of the run.
            at: only what had happened by then; default now.

        Returns:
            Mapped children stand under their keys (`clean[3]`) and in their parent's `map_states`; results and cached
            inputs are references.

        Raises:
            UnknownRunError: if there is no such run.
        """
        row = self._row(run_id)[0]
        found = self._database.read(self._sql["states"], {"run": row, "at": _FOREVER if at is None else to_stamp(at)})
        states = {
            key: decode(name, moment, body, self._reference(digest, size), self._values)
            for _, key, moment, name, body, digest, size in found
        }
        gather_children(states)
        return states

    def events(self, run_id: str, since: int = 0) -> builtins.list[Event]:
        """Return the run's events after number `since`, in order. Raises UnknownRunError."""
        row = self._row(run_id)[0]
        return [self._event(*found) for found in self._database.read(self._sql["events"], (row, since))]

    def results(
        self, flow: str, key: str, project: str | None = None, at: dt.datetime | None = None
    ) -> Iterator[TaskResult]:
        """Yield what task `key` of a flow had come to by `at`: its successful states, runs newest first, each in order.

        A mapped task's state has its children's as they were at the same moment.
        """
        given = {"flow": flow, "project": project, "key": key, "at": _FOREVER if at is None else to_stamp(at)}
        for run_id, number, *found in self._database.read(self._sql["task_results"], given):
            yield self._result(run_id, number, key, at, found)

    def newest_result(
        self, flow: str, key: str, project: str | None = None, at: dt.datetime | None = None
    ) -> TaskResult | None:
        """Return the newest of `results` that counts: of mapped tasks one whose children all succeeded."""
        before = _FOREVER if at is None else to_stamp(at)
        newest: TaskResult | None = None
        for row, run_id, number, last in self._runs_by_end(flow, project, before):
            if newest is not None and last is not None and last < newest.state.at:
                break
            asked = {"run": row, "key": key, "at": before}
            for found in self._database.read(self._sql["newest_task_result"], asked):
                result = self._result(run_id, number, key, at, found)
                if result.is_whole and (newest is None or result.state.at > newest.state.at):
                    newest = result
                if result.is_whole:
                    break
        return newest

    def _runs_by_end(self, flow: str, project: str | None, before: float) -> Iterator[tuple[Any, ...]]:
        """Yield the flow's runs, those that somebody has first, the others from the one that was let go of last."""
        for offset in itertools.count(0, _AT_ONCE):
            given = {"flow": flow, "project": project, "at": before, "limit": _AT_ONCE, "offset": offset}
            found = self._database.read(self._sql["runs_by_end"], given)
            yield from found
            if len(found) < _AT_ONCE:
                return

    def _result(self, run_id: str, number: int, key: str, at: dt.datetime | None, found: Sequence[Any]) -> TaskResult:
        moment, name, body, digest, size = found
        state = decode(name, moment, body, self._reference(digest, size), self._values)
        return TaskResult(run_id, number, self.states(run_id, at)[key] if isinstance(state, Mapped) else state)

    def logs(self, run_id: str, key: str | None = None) -> builtins.list[Logged]:
        """Return what was logged and printed, in order; of one task if asked for. Raises UnknownRunError."""
        return [event for event in self._of_kind(run_id, LOG, key) if isinstance(event, Logged)]

    def decisions(self, run_id: str) -> builtins.list[Decided]:
        """Return what people decided, in order. Raises UnknownRunError."""
        return [event for event in self._of_kind(run_id, DECISION, None) if isinstance(event, Decided)]

    def _of_kind(self, run_id: str, kind: int, key: str | None) -> builtins.list[Event]:
        given = {"run": self._row(run_id)[0], "kind": kind, "key": key}
        return [self._event(*found) for found in self._database.read(self._sql["events_of_kind"], given)]

    def _event(  # noqa: PLR0913  # a row
        self,
        seq: int,
        kind: int,
        key: str,
        at: float,
        name: str,
        body: str | None,
        digest: bytes | None,
        size: int | None,
    ) -> Event:
        if kind == STATE:
            return StateChanged(seq, key, decode(name, at, body, self._reference(digest, size), self._values))
        if kind == LOG:
            return Logged(seq, key, at, int(name), body or "")
        decided = json.loads(body or "{}")
        return Decided(seq, key, at, name, decided["by"], decided["note"])

    def _summaries(self, **given: str | int | None) -> builtins.list[RunSummary]:
        query, asked = self._asking("run_summaries", **given)
        return [self._summary(row) for row in reversed(self._database.read(query, asked))]

    def _asking(self, query: str, **given: str | int | None) -> tuple[str, dict[str, str | int]]:
        """Return the query of that name for the runs that are asked for, and what it is given."""
        asked = {"limit": -1, **{name: value for name, value in given.items() if value is not None}}
        first, *others = [text for name, text in _WHICH.items() if name in asked] or ["true"]
        which = " AND ".join([first, *(f"+{text}" for text in others)])
        return self._sql[query].format(which=which), asked

    def _summary(self, row: tuple[Any, ...]) -> RunSummary:
        (row_id, run_id, flow, number, project, created, parameters, executor, origin, epoch, owner, *rest) = row
        claimed, state, message, started, ended, counts, process, beat = rest
        moment = from_stamp(created)
        assert moment is not None  # noqa: S101  # the column is NOT NULL
        tally = json.loads(counts) if counts else dict(self._database.read(self._sql["count_states"], (row_id,)))
        return RunSummary(
            run_id=run_id,
            flow=flow,
            number=number,
            project=project,
            created=moment,
            parameters=json.loads(parameters),
            executor=executor,
            origin=origin,
            epoch=epoch,
            owner=owner,
            claimed=from_stamp(claimed),
            state=state,
            message=message,
            started=from_stamp(started),
            ended=from_stamp(ended),
            counts=tally,
            process=process,
            beat=from_stamp(beat),
        )

    def _reference(self, digest: bytes | None, size_bytes: int | None) -> ResultRef | None:
        return None if digest is None else ResultRef(digest.hex(), size_bytes or 0, self._values)

    def row_of(self, run_id: str) -> int:
        """Return the run's number in the database. Raises UnknownRunError."""
        return int(self._row(run_id)[0])

    def _row(self, run_id: str) -> tuple[Any, ...]:
        found = self._database.read(self._sql["run_row"], (run_id,))
        if not found:
            raise _unknown(run_id)
        return found[0]

    def _compare_and_set(self, statement: str, given: dict[str, object], holding: Sequence[ResultRef] = ()) -> None:
        run_id = str(given["run_id"])

        def change(connection: sqlite3.Connection) -> tuple[Any, ...] | None:
            is_done = connection.execute(self._sql[statement], given).rowcount
            if is_done and not holding:
                return None
            row: tuple[Any, ...] | None = connection.execute(self._sql["run_row"], (run_id,)).fetchone()
            if row is None:
                raise _unknown(run_id)
            if is_done:
                held = [(row[0], bytes.fromhex(ref.digest)) for ref in holding]
                connection.executemany(self._sql["hold_value"], held)
                return None
            decided = connection.execute(self._sql["last_decision"], (row[0],)).fetchone()
            return (*row, json.loads(decided[0])["by"] if decided else "")

        if (row := self._database.write(change)) is not None:
            raise _claimed(run_id, *row[1:])


def _moment(stamp: float) -> dt.datetime:
    found = from_stamp(stamp)
    assert found is not None  # noqa: S101  # the column is NOT NULL
    return found


def insert_run(connection: sqlite3.Connection, record: RunRecord, graph: str) -> tuple[int, int]:
    """Add a run, within a transaction; return its number in the database and among the runs of its flow."""
    sql = queries()
    if connection.execute(sql["run_row"], (record.run_id,)).fetchone():
        msg = f"There is a run {record.run_id} already. Give each run an id of its own."
        raise StoreError(msg, run_id=record.run_id)
    given = {**_run_row(record), "graph_id": keep_graph(connection, graph)}
    row, number = connection.execute(sql["create_run"], given).fetchone()
    refs = [ref for ref in (record.parameters_ref, record.flow_ref, *record.further) if ref is not None]
    connection.executemany(sql["hold_value"], [(row, bytes.fromhex(ref.digest)) for ref in refs])
    return row, number


def keep_graph(connection: sqlite3.Connection, graph: str) -> int:
    """Keep a graph's JSON, once for all runs of the same; return its number in the database."""
    digest = hashlib.sha256(graph.encode()).digest()
    connection.execute(queries()["keep_graph"], {"digest": digest, "content": graph})
    return int(connection.execute(queries()["graph_of_digest"], (digest,)).fetchone()[0])


def _run_row(record: RunRecord) -> dict[str, object]:
    parameters, flow = record.parameters_ref, record.flow_ref
    return {
        "run_id": record.run_id,
        "project": record.project,
        "flow": record.flow,
        "created": record.created.timestamp(),
        "parameters": json.dumps(dict(record.parameters), separators=(",", ":"), default=repr),
        "parameters_digest": parameters and bytes.fromhex(parameters.digest),
        "parameters_bytes": parameters and parameters.size_bytes,
        "flow_digest": flow and bytes.fromhex(flow.digest),
        "flow_bytes": flow and flow.size_bytes,
        "flow_unkept": record.flow_unkept,
        "executor": record.executor,
        "origin": record.origin,
        "owner": record.owner or None,
        "claimed": time.time(),
        "process": this_process(),
    }


def gather_children(states: dict[str, State]) -> None:
    """Give each Mapped state its children's, in order; up to the first that has none yet."""
    by_parent: dict[str, dict[int, State]] = {}
    for key, state in states.items():
        if match := _CHILD.fullmatch(key):
            by_parent.setdefault(match[1], {})[int(match[2])] = state
    for key, state in states.items():
        if isinstance(state, Mapped):
            children = by_parent.get(key, {})
            state.map_states = [children[index] for index in range(state.n_map_states) if index in children]


def _unknown(run_id: str) -> UnknownRunError:
    msg = f"There is no run {run_id!r} in this store. flowbook.runs() lists those that there are."
    return UnknownRunError(msg, run_id=run_id)


def _claimed(run_id: str, epoch: int, owner: str | None, claimed: float, by: str = "") -> RunClaimedError:
    since = from_stamp(claimed)
    who = f"{owner} goes on with run {run_id}" if owner else f"{by or 'Somebody'} went on with run {run_id}"
    msg = (
        f"{who} since {since:%Y-%m-%d %H:%M:%S} UTC (epoch {epoch}). "
        f"Wait for it, or look at it with flowbook.run({run_id!r})."
    )
    return RunClaimedError(msg, run_id=run_id, owner=owner or by or None, since=since, epoch=epoch)
