"""The deployments of a store: created, found, paused and deleted, and the runs that their schedules ask for."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import UnknownDeploymentError
from flowbook.store.event_rows import value_ref
from flowbook.store.queries import queries
from flowbook.store.records import ReceiverRow, from_stamp, now
from flowbook.store.runs import insert_run_to_come, store_graph
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    import builtins
    import datetime as dt
    import sqlite3
    from collections.abc import Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef
    from flowbook.store.database import Database
    from flowbook.store.records import RunRecord
    from flowbook.store.values import Values

__all__ = ["SCHEDULE_ORIGIN", "DeploymentRecord", "Deployments"]

#: The origin of runs that a schedule made.
SCHEDULE_ORIGIN = "schedule"


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A deployment, as the store keeps it.

    Attributes:
        flow: name of the flow; with `name` it names the deployment.
        graph: of the flow when the deployment was made, plain JSON.
        parameters: as they are shown, plain JSON.
        parameters_ref: their values.
        flow_location: the file and the name of the flow, "/path/flows.py:nightly", from which each run reads it; None if
            it is kept by value.
        flow_ref: the flow by value, as it was when the deployment was made.
        file_digest: SHA-256 of that file when the deployment was made, as hex.
        made_by: what made it: versions of "python" and "flowbook", and the "folder" in which its runs work.
        executor: its description.
        schedule: settings; None if it has no schedule.
        flow_runner: settings.
        mark: up to when the schedule's times are dealt with; aware UTC.
        receivers: who is told of its runs, besides those who are told of all runs.
        further: the values that these need.
        flow_unkept: why there is no `flow_ref`.
        id: assigned by the store; it stays when the deployment is created again.
    """

    flow: str
    name: str
    project: str
    graph: Mapping[str, Any]
    parameters_ref: ResultRef
    flow_runner: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    flow_ref: ResultRef | None = None
    flow_location: str | None = None
    file_digest: str | None = None
    made_by: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    executor: str = ""
    schedule: Mapping[str, Any] | None = None
    is_paused: bool = False
    created: dt.datetime = field(default_factory=now)
    updated: dt.datetime = field(default_factory=now)
    mark: dt.datetime = field(default_factory=now)
    receivers: Sequence[ReceiverRow] = ()
    further: Sequence[ResultRef] = ()
    flow_unkept: str | None = None
    id: str = ""

    @property
    def title(self) -> str:
        """Its name with its flow's: "delays/nightly"."""
        return f"{self.flow}/{self.name}"


class Deployments:
    """All deployments of a store."""

    def __init__(self, database: Database, values: Values) -> None:
        self._database = database
        self._values = values
        self._sql = queries()

    def save(self, records: Sequence[DeploymentRecord]) -> builtins.list[DeploymentRecord]:
        """Create deployments, all or none; one of the same flow and name is changed, and keeps its id and whether it is paused.

        Its schedule goes on where it was, unless it is another one now.

        Raises:
            StoreError: if they can't be written.
        """
        rows = [_row(record) for record in records]

        def write(connection: sqlite3.Connection) -> builtins.list[str]:
            found = []
            for record, row in zip(records, rows, strict=True):
                graph = json.dumps(record.graph, separators=(",", ":"))
                values = {**row, "graph_id": store_graph(connection, graph)}
                number, deployment_id = connection.execute(self._sql["save_deployment"], values).fetchone()
                held = [(number, bytes.fromhex(ref.digest), ref.size_bytes) for ref in record.further]
                connection.execute(self._sql["clear_deployment_values"], (number,))
                connection.executemany(self._sql["hold_deployment_value"], held)
                found.append(deployment_id)
            return found

        return [self.get(each) for each in self._database.write(write)]

    @in_words
    def get(self, deployment_id: str) -> DeploymentRecord:
        """Return the deployment of that id. Raises UnknownDeploymentError."""
        found = self._select("deployment_id = :id", id=deployment_id)
        if not found:
            msg = f"There is no deployment {deployment_id!r} in this store. `flowbook deployment ls` lists them."
            raise UnknownDeploymentError(msg, deployment=deployment_id)
        return found[0]

    @in_words
    def list(self, flow: str | None = None) -> builtins.list[DeploymentRecord]:
        """Return the deployments, by flow and name; of one flow if given."""
        return self._select("true") if flow is None else self._select("flow = :flow", flow=flow)

    @in_words
    def named(self, name: str, flow: str | None = None) -> builtins.list[DeploymentRecord]:
        """Return the deployments of that name, of any flow or of one."""
        if flow is None:
            return self._select("name = :name", name=name)
        return self._select("name = :name AND flow = :flow", name=name, flow=flow)

    @in_words
    def that_begin(self, start: str) -> builtins.list[DeploymentRecord]:
        """Return the deployments whose ids begin with `start`."""
        return self._select("substr(deployment_id, 1, length(:start)) = :start", start=start)

    @in_words
    def scheduled(self) -> builtins.list[DeploymentRecord]:
        """Return the deployments whose schedules aren't paused."""
        return self._select("schedule IS NOT NULL AND NOT paused")

    def pause(self, deployment_id: str, *, paused: bool = True) -> DeploymentRecord:
        """Pause a deployment's schedule, or let it go on from now. Raises UnknownDeploymentError, StoreError."""
        values = {"deployment_id": deployment_id, "paused": int(paused), "now": now().timestamp()}
        self._database.write(lambda connection: connection.execute(self._sql["pause_deployment"], values))
        return self.get(deployment_id)

    def delete(self, deployment_id: str) -> None:
        """Delete a deployment; its runs stay. Raises UnknownDeploymentError, StoreError."""
        self.get(deployment_id)
        self._database.write(lambda connection: connection.execute(self._sql["delete_deployment"], (deployment_id,)))

    @in_words
    def waiting_runs(self, deployment_id: str) -> dict[str, dt.datetime]:
        """Return the times of the runs that the schedule made and that nobody has begun to start, by id, earliest first."""
        values = {"deployment": deployment_id, "origin": SCHEDULE_ORIGIN}
        rows = self._database.read(self._sql["waiting_runs"], values)
        return {run_id: from_stamp(due) for run_id, due in rows}

    def make_due(
        self, seen: DeploymentRecord, mark: dt.datetime, runs: Sequence[tuple[RunRecord, State]]
    ) -> builtins.list[RunRecord]:
        """Create runs of a schedule and move its mark, in one transaction; nothing if another process was quicker.

        Args:
            seen: the deployment as it was read; nothing is done if its mark, its schedule or its pause has changed since.
            mark: the new one.
            runs: not begun, due at different times, each with its flow's state; those whose time has a run are left out.

        Raises:
            StoreError: if they can't be written.
        """
        values = {
            "deployment_id": seen.id,
            "before": seen.mark.timestamp(),
            "mark": mark.timestamp(),
            "schedule": _json(seen.schedule),
        }
        graphs = [json.dumps(run.graph, separators=(",", ":")) for run, _ in runs]

        def write(connection: sqlite3.Connection) -> builtins.list[RunRecord]:
            if not connection.execute(self._sql["move_mark"], values).rowcount:
                return []
            made = []
            for (run, state), graph in zip(runs, graphs, strict=True):
                if (number := insert_run_to_come(connection, run, graph, state)) is not None:
                    made.append(replace(run, number=number))
            return made

        return self._database.write(write)

    def _select(self, which: str, **values: str) -> builtins.list[DeploymentRecord]:
        rows = self._database.read(self._sql["deployments"].format(which=which), values)
        return [self._record(*row) for row in rows]

    def _further(self, number: int) -> tuple[ResultRef, ...]:
        rows = self._database.read(self._sql["deployment_values"], (number,))
        return tuple(ref for row in rows if (ref := value_ref(row[0], row[1], self._values)) is not None)

    def _record(self, *row: Any) -> DeploymentRecord:  # noqa: ANN401  # as SQLite has it
        (number, id_, flow, name, project, created, updated, graph, location, file_digest, *rest) = row
        (flow_digest, flow_bytes, made_by, parameters, digest, size_bytes, tags, executor, *settings) = rest
        schedule, paused, mark, flow_runner, receivers, flow_unkept = settings
        parameters_ref = value_ref(digest, size_bytes, self._values)
        assert parameters_ref is not None  # noqa: S101  # the column is NOT NULL
        return DeploymentRecord(
            flow=flow,
            name=name,
            project=project,
            graph=json.loads(graph),
            parameters_ref=parameters_ref,
            flow_runner=json.loads(flow_runner),
            parameters=json.loads(parameters),
            flow_ref=value_ref(flow_digest, flow_bytes, self._values),
            flow_location=location,
            file_digest=file_digest,
            made_by=json.loads(made_by),
            tags=tuple(json.loads(tags)),
            executor=executor,
            schedule=None if schedule is None else json.loads(schedule),
            is_paused=bool(paused),
            created=from_stamp(created),
            updated=from_stamp(updated),
            mark=from_stamp(mark),
            receivers=tuple(ReceiverRow(spec, shown, tuple(causes)) for spec, shown, causes in json.loads(receivers)),
            further=self._further(number),
            flow_unkept=flow_unkept,
            id=id_,
        )


def _row(record: DeploymentRecord) -> dict[str, object]:
    flow = record.flow_ref
    return {
        "deployment_id": record.id or uuid.uuid4().hex,
        "flow": record.flow,
        "name": record.name,
        "project": record.project,
        "now": record.updated.timestamp(),
        "flow_location": record.flow_location,
        "file_digest": record.file_digest,
        "flow_digest": flow and bytes.fromhex(flow.digest),
        "flow_bytes": flow and flow.size_bytes,
        "made_by": _json(record.made_by),
        "parameters": _json(record.parameters),
        "parameters_digest": bytes.fromhex(record.parameters_ref.digest),
        "parameters_bytes": record.parameters_ref.size_bytes,
        "tags": _json(record.tags),
        "executor": record.executor,
        "schedule": _json(record.schedule),
        "flow_runner": _json(record.flow_runner),
        "receivers": _json([(each.spec, each.shown, each.causes) for each in record.receivers]),
        "flow_unkept": record.flow_unkept,
    }


def _json(value: object) -> str | None:
    """Return plain JSON, the same text for equal values; None for None."""
    return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True, default=repr)
