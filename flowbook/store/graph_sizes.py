"""Counts the tasks in the graphs of runs, once for each run: lists ask often, and a graph of thousands of tasks is megabytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.store.queries import queries

if TYPE_CHECKING:
    from flowbook.store.database import Database

__all__ = ["GraphSizes"]

_MOST_KNOWN = 1000


class GraphSizes:
    """The sizes of graphs. From any thread.

    Args:
        database: has the graphs.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        #: By the number of the graph, and by the run and its epoch: the number of a graph that is gone is given to another one.
        self._known: dict[tuple[int, str, int], int] = {}

    def tasks(self, graph_id: int, run_id: str, epoch: int) -> int:
        """Return how many tasks the graph of a run has; to people, parameters and lists that are gathered are none."""
        known = self._known.get((graph_id, run_id, epoch))
        if known is not None:
            return known
        found: int = self._database.read(queries()["tasks_of_graph"], (graph_id,))[0][0]
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[graph_id, run_id, epoch] = found
        return found
