"""Keeps what is said about outputs up to date while a run goes on: their rows and makers, looked up in the worker's thread."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from flowbook.draw.grouping import LARGEST_UNGROUPED
from flowbook.engine.state import Cached
from flowbook.notebook.row_flow import NO_ROWS, RowFlow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flowbook.engine.state import State
    from flowbook.notebook.patch_feed import PatchFeed

__all__ = ["RowWatch"]


class RowWatch:
    """Looks at the rows of outputs.

    Args:
        feed: has the projection, which the facts go into, and sends the tasks that they change.
        queue: has a job done in the worker's thread.
        before: returns the rows of a task's output in earlier runs, by the run's id.
        maker: returns the number of the run that made a cache entry, by the entry's id.
        found: called in the worker's thread when an output that another task takes has rows.
    """

    def __init__(
        self,
        feed: PatchFeed,
        queue: Callable[[Callable[[], object]], None],
        before: Callable[[str], Mapping[str, int]],
        maker: Callable[[str], str],
        found: Callable[[], None],
    ) -> None:
        self._feed = feed
        self._queue = queue
        self._before = before
        self._maker = maker
        self._found = found
        self._flow: RowFlow | None = None
        #: Tasks to look at; and whether a job for that is queued.
        self._waiting: deque[str] = deque()
        self._is_queued = False

    def restart(self) -> None:
        """Look at another run, from now on; all of its tasks."""
        self._flow = None
        self.changed(self._feed.projection.graph.specs)

    def changed(self, keys: Iterable[str]) -> None:
        """Have these tasks looked at; keys of children and of the flow are ignored. Returns at once.

        Tasks of a graph that is drawn as groups are not looked at: nothing would show it, and reading takes its time.
        """
        specs = self._feed.projection.graph.specs
        if len(specs) > LARGEST_UNGROUPED:
            return
        self._waiting.extend(key for key in keys if key in specs)
        if self._waiting and not self._is_queued:
            self._is_queued = True
            self._queue(self._look)

    def _look(self) -> None:
        self._is_queued = False
        waiting: dict[str, None] = {}
        while self._waiting:
            waiting[self._waiting.popleft()] = None
        projection = self._feed.projection
        if self._flow is None or self._flow.graph is not projection.graph:
            self._flow = RowFlow(projection.graph, projection.state, self._before)
        told = [key for key in waiting if self._tell(key, projection.state(key))]
        if told:
            self._feed.touch(*told)
        if any(projection.graph.children[key] and projection.row_facts[key][1].rows is not None for key in told):
            self._found()

    def _tell(self, key: str, state: State | None) -> bool:
        """Work out what is said about a task's rows; return whether that is something new."""
        projection = self._feed.projection
        known = projection.row_facts.get(key)
        if self._flow is None or state is None or not state.is_successful() or (known and known[0] is state):
            return False
        facts = replace(self._flow.facts(key), maker=self._maker_of(state))
        with self._feed.locked:
            projection.row_facts[key] = (state, facts)
        return facts != NO_ROWS

    def _maker_of(self, state: State) -> str:
        if not isinstance(state, Cached) or state.made_here or state.entry is None:
            return ""
        return self._maker(state.entry)
