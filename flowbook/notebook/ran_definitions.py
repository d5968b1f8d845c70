"""By which definitions the tasks of a run ran last: what differs from today's was edited since, also in a run that went on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.exceptions import UnknownRunError
from flowbook.flow_run.fingerprint import fingerprint
from flowbook.flow_run.flow_changes import compare_graphs
from flowbook.flow_run.recording import Recording
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from flowbook.flow_run.ports import RunnableFlow

__all__ = ["RanDefinitions"]

#: How many runs that went on with another flow are remembered.
_RUNS_AT_MOST = 50


class RanDefinitions:
    """Compares the definitions of runs' tasks with a flow. Its methods may be called in any thread."""

    def __init__(self) -> None:
        #: By the run's id, for runs that went on with another flow: their graph with each task as it ran last.
        self._ran: dict[str, Mapping[str, Any]] = {}

    def is_mixed(self, run_id: str) -> bool:
        """Return whether a run went on with another flow than it began with, in this kernel."""
        return run_id in self._ran

    def edited(self, run_id: str, flow: RunnableFlow) -> tuple[str, ...]:
        """Return keys of the tasks of `flow` that are new, or ran by another definition in that run.

        Reads the code of all tasks: not for after each cell.
        """
        ran = self._graph(run_id)
        if ran is None:
            return ()
        changes = compare_graphs(ran, fingerprint(flow, flow.compile()))
        found = {*changes.changed, *changes.added}
        return tuple(key for key in flow.compile().specs if key in found)

    def note(self, run_id: str, flow: RunnableFlow, keys: Container[str]) -> None:
        """Note that a run went on with `flow`, and that these of its tasks run again by its definitions."""
        ran = self._graph(run_id)
        if ran is None:
            return
        known = {task["key"]: task for task in ran["tasks"]}
        now = fingerprint(flow, flow.compile())
        tasks: list[dict[str, Any]] = now["tasks"]  # type: ignore[assignment]  # as graph_record makes them
        merged = [known.get(task["key"], task) if task["key"] not in keys else task for task in tasks]
        self._ran.pop(run_id, None)
        self._ran[run_id] = {**ran, "tasks": merged}
        while len(self._ran) > _RUNS_AT_MOST:
            del self._ran[next(iter(self._ran))]

    def _graph(self, run_id: str) -> Mapping[str, Any] | None:
        """Return the graph of a run with each task as it ran last; None if the run isn't recorded."""
        known = self._ran.get(run_id)
        if known is not None:
            return known
        try:
            return Recording.of(open_store(), run_id).record.graph
        except UnknownRunError:
            return None
