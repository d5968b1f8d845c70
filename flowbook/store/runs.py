"""The runs of a store: creates and lists them, and makes the recorder for a run's owner."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowbook.engine.events import FLOW
from flowbook.engine.state import Cancelling, Running
from flowbook.exceptions import FlowbookError, StoreError
from flowbook.store.event_rows import STATE, value_ref
from flowbook.store.event_writer import EventWriter
from flowbook.store.graph_sizes import GraphSizes
from flowbook.store.notices import add_receivers
from flowbook.store.process_identity import has_owner, is_alive, this_process
from flowbook.store.queries import queries
from flowbook.store.recorder import Recorder
from flowbook.store.records import RunRecord, RunSummary, RunToBegin, RunWithProcess, from_stamp
from flowbook.store.run_lookup import claimed_error, find_run, unknown_run
from flowbook.store.run_table import RunTable, run_table
from flowbook.store.state_codec import encode, state_name
from flowbook.store.store_errors import in_words
from flowbook.store.waiting_runs import Claimer, WaitingRuns
from flowbook.store.working_time import working_time

if TYPE_CHECKING:
    import builtins
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef
    from flowbook.store.database import Database
    from flowbook.store.records import ClaimsToBegin
    from flowbook.store.values import Values

__all__ = ["Runs", "insert_run", "store_flow", "store_graph"]

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
#: The conditions by which runs are selected. SQLite looks the first up in its index and compares the others.
_CONDITIONS = {
    "run_id": "run_id = :run_id",
    "open": "(state IS NULL OR state IN ('Pending', 'Running', 'Cancelling', 'Crashed', 'Submitted'))",
    "deployment": "deployment = :deployment",
    "flow": "flow = :flow",
    "state": "state = :state",
    "project": "project = :project",
    "before": (
        "created <= (SELECT created FROM run WHERE run_id = :before)"
        " AND (created, id) < (SELECT created, id FROM run WHERE run_id = :before)"
    ),
}
_GO_ON = (Running.__name__, Cancelling.__name__)
_log = logging.getLogger("flowbook.store")


class Runs:
    """All runs of a store."""

    def __init__(self, database: Database, values: Values) -> None:
        self._database = database
        self._values = values
        self._sql = queries()
        self._graph_sizes = GraphSizes(database)

    def create(self, record: RunRecord) -> RunRecord:
        """Create a run at epoch 1, owned by `record.owner`; return the record with its number.

        Raises:
            StoreError: if there is a run of that id, or it can't be written.
        """
        graph = self._checked_graph(record)
        _, number = self._database.write(lambda connection: insert_run(connection, record, graph))
        return replace(record, number=number)

    def create_to_come(self, record: RunRecord, state: State) -> RunRecord | None:
        """Create a run that has yet to begin, with its flow's state as its first event, in one transaction.

        Args:
            record: its `owner` is the process that is about to start it; "" if it is at rest until somebody claims it.
            state: Scheduled, or Submitted if it has an owner.

        Returns:
            The record with its number; None if its deployment has a run of that time already.

        Raises:
            StoreError: if there is a run of that id, or it can't be written.
        """
        graph = self._checked_graph(record)
        number = self._database.write(lambda connection: insert_run_to_come(connection, record, graph, state))
        return None if number is None else replace(record, number=number)

    def to_begin(self, now: float, limit: int = 100, deployment: str | None = None) -> builtins.list[RunToBegin]:
        """Return the runs that are due by `now`, the earliest first, which nobody is starting; of one deployment if given.

        Among them are runs that a process claimed in order to start them, and that died before they began.
        """
        values = {"due": now, "limit": limit, "deployment": deployment}
        found = [
            RunToBegin(run_id, from_stamp(due), epoch, was_claimed=False)
            for run_id, due, epoch in self._database.read(self._sql["runs_to_begin"], values)
        ]
        found += [
            RunToBegin(run_id, from_stamp(due), epoch, was_claimed=True)
            for run_id, due, epoch, state, process, identifier, beat in self._database.read(
                self._sql["runs_being_started"], values
            )
            if not has_owner(state, process, identifier, beat, time.time())
        ]
        return sorted(found, key=lambda run: (run.due, run.run_id))[:limit]

    def claim_to_begin(
        self, wanted: Sequence[RunToBegin], most: int, owner: str, process: str | None = None
    ) -> ClaimsToBegin:
        """Claim the first `most` of `wanted` that are still free, for processes that are being started; they are Submitted.

        Args: as for `RunOwnership.claim`. `wanted` are as `to_begin` returned them; those that were claimed are left alone.
        """
        runs = WaitingRuns(self._database, self._values, self.get)
        return runs.claim(wanted, most, Claimer(owner, process or this_process()))

    def coming(self, now: float, limit: int) -> builtins.list[tuple[str, str, int, float]]:
        """Return id, flow, number and time (seconds since the epoch) of the runs that are due next, after `now`."""
        return self._database.read(self._sql["next_to_begin"], {"now": now, "limit": limit})

    def with_process(self) -> builtins.list[RunWithProcess]:
        """Return the runs that didn't come to rest, with the process that had each last; it may be gone."""
        rows = self._database.read(self._sql["runs_with_process"])
        return [
            RunWithProcess(run_id, epoch, state, process, beat, identifier, due, bool(has_started))
            for run_id, epoch, state, process, beat, identifier, due, has_started in rows
        ]

    def identifier(self, run_id: str) -> str | None:
        """Return what its flow runner calls the process that runs it, or ran it last; None if it never had one."""
        rows = self._database.read(self._sql["run_identifier"], (run_id,))
        if not rows:
            raise unknown_run(run_id)
        found: str | None = rows[0][0]
        return found

    @staticmethod
    def _checked_graph(record: RunRecord) -> str:
        """Return the run's graph as JSON. Raises StoreError if its id or a key can't be stored."""
        if not _RUN_ID.fullmatch(record.run_id):
            msg = f"{record.run_id!r} can't be a run's id. Use letters, digits, '-', '_' and '.', at most 100."
            raise StoreError(msg, run_id=record.run_id)
        graph = json.dumps(record.graph, separators=(",", ":"))
        if "\\ud" in graph:
            _refuse_invalid_unicode(record)
        return graph

    def store_flow(self, flow: object) -> tuple[ResultRef | None, str | None]:
        """Store a flow, so that it can run without its modules; return the reference, or None and the reason.

        The user's modules go with it by value, or by name where one of them can't be pickled.
        """
        return store_flow(self._values, flow)

    def inputs(self, run_id: str) -> ResultRef | None:
        """Return the reference to the run's present inputs: `RunRecord.parameters_ref`. Raises UnknownRunError."""
        rows = self._database.read(self._sql["run_inputs"], (run_id,))
        if not rows:
            raise unknown_run(run_id)
        digest, size_bytes = rows[0]
        return value_ref(digest, size_bytes, self._values)

    def recorder(
        self,
        run_id: str,
        epoch: int,
        never_keep: frozenset[str] | None = None,
        *,
        graph: Mapping[str, Any] | None = None,
        on_notices: Callable[[], None] | None = None,
    ) -> Recorder:
        """Return the sink that records the run for the process that claimed it at `epoch`.

        Args:
            run_id: of a run that was created.
            epoch: 1 after `create`, else what `RunOwnership.claim` returned.
            never_keep: keys of tasks whose values are not stored; by default those that the run's graph marks.
            graph: the run's, if the caller has it; otherwise it is read, which takes long for a large one.
            on_notices: called, under no lock, when there are notices to send.

        Raises:
            UnknownRunError: if there is no such run.
            RunClaimedError: if somebody else claimed it since.
        """
        row = find_run(self._database, run_id)
        if row.epoch != epoch:
            raise claimed_error(run_id, row)
        known = graph if graph is not None else self.get(run_id).graph
        writer = EventWriter(self._database, self._values, row.id, epoch)
        return Recorder(writer, self._values, known, never_keep, on_notices)

    @in_words
    def get(self, run_id: str) -> RunRecord:
        """Return the record that was made when the run began. Raises UnknownRunError."""
        rows = self._database.read(self._sql["run_record"], (run_id,))
        if not rows:
            raise unknown_run(run_id)
        run_id, flow, number, project, created, graph, parameters, *refs = rows[0][:11]
        flow_unkept, executor, origin, owner, flow_runner, due, deployment, flow_location = rows[0][11:]
        return RunRecord(
            run_id=run_id,
            flow=flow,
            project=project,
            graph=json.loads(graph),
            created=from_stamp(created),
            number=number,
            parameters=json.loads(parameters),
            parameters_ref=value_ref(refs[0], refs[1], self._values),
            flow_ref=value_ref(refs[2], refs[3], self._values),
            flow_unkept=flow_unkept,
            executor=executor,
            origin=origin,
            owner=owner or "",
            flow_runner=None if flow_runner is None else json.loads(flow_runner),
            due=from_stamp(due),
            deployment=deployment,
            flow_location=flow_location,
        )

    @in_words
    def summary(self, run_id: str) -> RunSummary:
        """Return the run's line in the list. Raises UnknownRunError."""
        summaries = self._summaries(run_id=run_id)
        if not summaries:
            raise unknown_run(run_id)
        return summaries[0]

    @in_words
    def list(  # noqa: PLR0913  # what runs are selected by
        self,
        flow: str | None = None,
        project: str | None = None,
        state: str | None = None,
        limit: int | None = None,
        *,
        is_open: bool = False,
        deployment: str | None = None,
        before: str | None = None,
    ) -> builtins.list[RunSummary]:
        """Return the runs, oldest first, at most the `limit` newest; of one flow, project, state or deployment if given.

        With `is_open` those that did not come to rest: they are running, or their process crashed. With `before`, the id of
        a run, those that are older; raises UnknownRunError if there is no such run.
        """
        if before is not None:
            find_run(self._database, before)
        limit = -1 if limit is None else max(limit, 0)
        asked = {"flow": flow, "state": state, "project": project, "deployment": deployment, "before": before}
        return self._summaries(open=is_open or None, limit=limit, **asked)

    @in_words
    def table(
        self, flow: str | None = None, state: str | None = None, limit: int | None = None, *, is_open: bool = False
    ) -> RunTable:
        """Return what `list` does as columns, for very many runs; a run whose process died shows as Crashed."""
        limit = -1 if limit is None else max(limit, 0)
        query, values = self._select("run_rows", open=is_open or None, flow=flow, state=state, limit=limit)
        return run_table(self._database, query, values)

    def of_deployment(self, deployment_id: str, limit: int | None) -> builtins.list[RunSummary]:
        """Return the runs of a deployment, oldest first, at most the `limit` newest."""
        return self._summaries(deployment=deployment_id, limit=limit)

    def numbers(self, run_ids: Sequence[str]) -> dict[str, int]:
        """Return the numbers of these runs, by id; runs that were not recorded are left out."""
        return dict(self._database.read(self._sql["run_numbers"], (json.dumps(run_ids),)))

    def of_number(self, number: int, project: str | None, flow: str | None = None, limit: int = 6) -> dict[str, str]:
        """Return the flows of the runs of that number, by run id, newest first: each flow of a project counts its own."""
        values = {"number": number, "project": project, "flow": flow, "limit": limit}
        return dict(self._database.read(self._sql["runs_of_number"], values))

    def that_begin(self, start: str, limit: int = 6) -> builtins.list[str]:
        """Return the ids that begin with `start`."""
        return [
            run_id for (run_id,) in self._database.read(self._sql["runs_that_begin"], {"start": start, "limit": limit})
        ]

    def overdue(self, now: float) -> builtins.list[str]:
        """Return the ids of the runs at rest with a task that waits beyond its deadline, the longest first.

        Args:
            now: seconds since the epoch.
        """
        rows = self._database.read(self._sql["runs_overdue"], {"now": now})
        return [run_id for run_id, process, beat in rows if not is_alive(process, beat, now)]

    def count(self, flow: str, project: str) -> int:
        """Return how many runs a flow has."""
        found: int = self._database.read(self._sql["count_runs"], {"flow": flow, "project": project})[0][0]
        return found

    def flow_counts(self) -> builtins.list[tuple[str, str, int]]:
        """Return project, flow and number of runs of each flow that has runs, by project and name."""
        return self._database.read(self._sql["flows"])

    def flows(self, project: str) -> builtins.list[str]:
        """Return the names of the flows of a project that have runs."""
        return [name for (name,) in self._database.read(self._sql["flows_that_ran"], (project,))]

    def _summaries(self, **criteria: str | int | None) -> builtins.list[RunSummary]:
        query, values = self._select("run_summaries", **criteria)
        return [self._summary(row) for row in reversed(self._database.read(query, values))]

    def _select(self, query: str, **criteria: str | int | None) -> tuple[str, dict[str, str | int]]:
        """Return the query of that name for the runs that meet the criteria (None: any), and its parameters."""
        values = {"limit": -1, **{name: value for name, value in criteria.items() if value is not None}}
        first, *others = [condition for name, condition in _CONDITIONS.items() if name in values] or ["true"]
        which = " AND ".join([first, *(f"+{condition}" for condition in others)])
        return self._sql[query].format(which=which), values

    def _summary(self, row: tuple[Any, ...]) -> RunSummary:
        (row_id, run_id, flow, number, project, created, parameters, executor, origin, epoch, owner, *rest) = row
        claimed, state, message, started, ended, counts, process, beat, due, deployment, identifier, graph_id = rest
        tally = json.loads(counts) if counts else dict(self._database.read(self._sql["count_states"], {"run": row_id}))
        return RunSummary(
            run_id=run_id,
            flow=flow,
            number=number,
            project=project,
            created=from_stamp(created),
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
            took_s=self._took_s(row_id, epoch, state, started, ended),
            due=from_stamp(due),
            deployment=deployment,
            identifier=identifier,
            flow_tasks=None if counts else self._graph_sizes.tasks(graph_id, run_id, epoch),
        )

    def _took_s(
        self, row_id: int, epoch: int, state: str | None, started: float | None, ended: float | None
    ) -> float | None:
        """Return for how long a run ran. Only of those that went on later are the events read."""
        if started is None or (ended is None and state not in _GO_ON):
            return None
        if epoch == 1:
            return (time.time() if ended is None else ended) - started
        return working_time(self._database.read(self._sql["flow_times"], (row_id,)), time.time())


def store_flow(values: Values, flow: object) -> tuple[ResultRef | None, str | None]:
    """See `Runs.store_flow`."""
    try:
        return values.put(flow, by_value=True), None
    except FlowbookError:
        _log.debug("A flow is stored without the modules that it uses.", exc_info=True)
    try:
        return values.put(flow), None
    except FlowbookError as exc:
        return None, str(exc)


def _refuse_invalid_unicode(record: RunRecord) -> None:
    """Refuse keys of tasks with lone surrogates: SQLite can't hold them, and another key would be another task."""
    for task in record.graph.get("tasks", ()):
        key = task["key"]
        if key.encode("utf-8", "replace").decode() != key:
            msg = f"A text that is no valid Unicode can't be kept or looked for: {key[:40]!r}. Give the task another name."
            raise StoreError(msg, text=key)


def insert_run(connection: sqlite3.Connection, record: RunRecord, graph: str) -> tuple[int, int]:
    """Add a run, within a transaction; return its key in the database and its number among the runs of its flow."""
    sql = queries()
    if connection.execute(sql["run_row"], (record.run_id,)).fetchone():
        msg = f"There is a run {record.run_id} already. Give each run an id of its own."
        raise StoreError(msg, run_id=record.run_id)
    values = {**_run_row(record), "graph_id": store_graph(connection, graph)}
    row, number = connection.execute(sql["create_run"], values).fetchone()
    refs = [ref for ref in (record.parameters_ref, record.flow_ref, *record.further) if ref is not None]
    connection.executemany(sql["hold_value"], [(row, bytes.fromhex(ref.digest)) for ref in refs])
    add_receivers(connection, row, record.receivers)
    return row, number


def insert_run_to_come(connection: sqlite3.Connection, record: RunRecord, graph: str, state: State) -> int | None:
    """Add a run that has yet to begin, within a transaction; return its number, or None if its deployment has it already."""
    sql = queries()
    due = None if record.due is None else record.due.timestamp()
    if record.deployment is not None and due is not None:
        asked = {"deployment": record.deployment, "due": due}
        if connection.execute(sql["run_of_deployment"], asked).fetchone():
            return None
    row, number = insert_run(connection, record, graph)
    name, body = state_name(state), encode(state, None)
    connection.execute(sql["add_event"], (row, 1, STATE, FLOW, state.at, name, body, None, None))
    changed = {"run": row, "state": name, "message": state.message, "started": None, "ended": None, "answer_due": None}
    connection.execute(sql["flow_changed"], changed)
    if not record.owner:
        connection.execute(sql["release_run"], {"run_id": record.run_id, "epoch": 1, "now": time.time(), "why": None})
    return number


def store_graph(connection: sqlite3.Connection, graph: str) -> int:
    """Store a graph's JSON, once for all runs that share it; return its key in the database."""
    digest = hashlib.sha256(graph.encode()).digest()
    connection.execute(queries()["store_graph"], {"digest": digest, "content": graph})
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
        "process": record.process or this_process(),
        "flow_runner": None if record.flow_runner is None else json.dumps(dict(record.flow_runner)),
        "due": None if record.due is None else record.due.timestamp(),
        "deployment": record.deployment,
        "flow_location": record.flow_location,
    }
