"""What a plan reads: what earlier runs of a flow gave and took, and the entries of tasks that will run. Loads no value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.results.code_source import read_sources
from flowbook.store.cached_output import read_inputs, read_parameters
from flowbook.store.queries import queries
from flowbook.store.records import from_stamp
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from flowbook.results.code_source import Sources
    from flowbook.store.cached_output import Inputs
    from flowbook.store.database import Database

__all__ = ["PastEntry", "PastOutput", "PlanReads", "TaskTimes"]

#: Runs with more events than this are left out of what durations are expected from.
_MOST_EVENTS = 50_000
_RUNS = 10
_ENTRIES = 8


class PastOutput(NamedTuple):
    """What a task gave in a run.

    Attributes:
        digest: of the stored value; None if it isn't stored, or is None.
        width: how many children a mapped task had; None for other tasks.
        input_hashes: content hash by argument, where the output was cached.
        is_kept: whether the value is stored, or is None.
    """

    digest: str | None
    width: int | None
    input_hashes: Mapping[str, str]
    is_kept: bool


class PastEntry(NamedTuple):
    """A cache entry that may serve no more. Times are aware UTC."""

    created: dt.datetime
    expires: dt.datetime
    inputs: Inputs
    parameters: Mapping[str, Any]
    code_hash: str | None
    run_id: str | None
    dropped: dt.datetime | None


class TaskTimes(NamedTuple):
    """How long a task, or one child of a mapped task, ran in earlier runs, in seconds.

    Attributes:
        calls: how many of them ran in the run with most.
    """

    least: float
    mean: float
    most: float
    runs: int
    calls: int = 1


class PlanReads:
    """Reads for one flow, for one plan or look back. For one thread."""

    def __init__(self, database: Database, project: str, flow: str) -> None:
        self._database = database
        self._names = {"project": project, "flow": flow}
        self._sql = queries()
        self._graphs: dict[str, dict[str, Any]] = {}

    @in_words
    def newest_runs(self, limit: int) -> list[str]:
        """Return the ids of the flow's newest runs, the newest first."""
        return [run_id for (run_id,) in self._database.read(self._sql["newest_runs"], {**self._names, "limit": limit})]

    @in_words
    def newest_number(self) -> int:
        """Return the number of the flow's newest run; 0 if there is none."""
        return int(self._database.read(self._sql["newest_number"], self._names)[0][0])

    def graph(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the tasks of a run's graph by key, see `graph_record`; none if the run isn't recorded."""
        return {task["key"]: task for task in self.content(run_id).get("tasks", ())}

    def sources(self, run_id: str) -> Sources:
        """Return the source of the functions of a run's flow; none if it isn't known."""
        return read_sources(self.content(run_id).get("sources", {}))

    @in_words
    def content(self, run_id: str) -> dict[str, Any]:
        """Return a run's graph as it was recorded, with the source of its functions; empty if the run isn't recorded."""
        if run_id not in self._graphs:
            rows = self._database.read(self._sql["graph_of_run"], (run_id,))
            self._graphs[run_id] = json.loads(rows[0][0]) if rows else {}
        return self._graphs[run_id]

    @in_words
    def outputs(self, run_id: str) -> dict[str, PastOutput]:
        """Return what the tasks and children of a run gave, by key; none if the run isn't recorded."""
        rows = self._database.read(self._sql["outputs_of_run"], (run_id,))
        last = {key: (name, digest, body) for key, name, digest, body in rows}
        return {key: _output(*found) for key, found in last.items()}

    @in_words
    def durations(self) -> dict[str, TaskTimes]:
        """Return how long tasks ran in the flow's newest runs, by key."""
        given = {**self._names, "limit": _RUNS, "most_events": _MOST_EVENTS}
        return {key: TaskTimes(*times) for key, *times in self._database.read(self._sql["task_durations"], given)}

    @in_words
    def latest_entries(self, tasks: Sequence[str], besides: str | None = None) -> dict[str, list[PastEntry]]:
        """Return the newest entries of these tasks, by key, newest first, whether they still serve or not.

        Args:
            tasks: keys.
            besides: id of a run whose own entries are left out.
        """
        given = {**self._names, "tasks": json.dumps(tasks), "most": _ENTRIES, "besides": besides}
        found: dict[str, list[PastEntry]] = {}
        for task, *row in self._database.read(self._sql["latest_of_tasks"], given):
            found.setdefault(task, []).append(_entry(*row))
        return found

    @in_words
    def entries(self, ids: Sequence[str]) -> dict[str, PastEntry]:
        """Return these entries, by id."""
        rows = self._database.read(self._sql["past_entries"], (json.dumps(ids),))
        return {entry_id: _entry(*row) for entry_id, *row in rows}

    @in_words
    def makers(self, entries: Iterable[str]) -> dict[str, int]:
        """Return the numbers of the recorded runs that made these entries, by the entry's id."""
        return dict(self._database.read(self._sql["makers_of_entries"], (json.dumps(list(entries)),)))


def _output(name: str, digest: bytes | None, body: str | None) -> PastOutput:
    noted: dict[str, Any] = json.loads(body) if body else {}
    return PastOutput(
        None if digest is None else digest.hex(),
        noted.get("n_map_states") if name == "Mapped" else None,
        noted.get("input_hashes") or {},
        "unkept" not in noted,
    )


def _entry(  # noqa: PLR0913  # a row
    created: float,
    expires: float,
    inputs: str,
    parameters: str,
    code_hash: str | None,
    run_id: str | None,
    dropped: float | None,
) -> PastEntry:
    return PastEntry(
        from_stamp(created),
        from_stamp(expires),
        read_inputs(inputs),
        read_parameters(parameters).plain,
        code_hash,
        run_id,
        from_stamp(dropped),
    )
