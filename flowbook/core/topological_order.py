"""A topological order of a flow's tasks, updated edge by edge, so that the edge that would close a ring is refused.

Most edges lead from a task written earlier to a later one, and cost one comparison. For an edge that leads back, we search
upwards from its start and downwards from its end in turns, until one search is exhausted; the tasks found by that search move
to the front, or to the back. So an edge costs what the smaller side holds, never the whole flow.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TopologicalOrder"]

Task = TypeVar("Task", bound=Hashable)
Neighbours = Callable[[Task], Iterable[Task]]


class TopologicalOrder(Generic[Task]):
    """A rank for each task, greater than the ranks of all tasks upstream of it."""

    def __init__(self) -> None:
        self._ranks: dict[Task, int] = {}
        self._first = 0
        self._last = 0

    def add(self, task: Task) -> None:
        """Append a task that has no edges."""
        self._last += 1
        self._ranks[task] = self._last

    def remove(self, task: Task) -> None:
        """Remove a task."""
        del self._ranks[task]

    def copy(self) -> TopologicalOrder[Task]:
        """Return an independent copy."""
        twin: TopologicalOrder[Task] = TopologicalOrder()
        twin._ranks, twin._first, twin._last = dict(self._ranks), self._first, self._last
        return twin

    def admits(self, before: Task, after: Task, above: Neighbours[Task], below: Neighbours[Task]) -> bool:
        """Reorder so that `after` comes after `before`; return False, and change nothing, if that would close a ring.

        Args:
            before: a task in this order.
            after: likewise.
            above: returns the tasks directly upstream of a task, by the edges so far.
            below: returns the tasks directly downstream.
        """
        ranks = self._ranks
        if ranks[before] < ranks[after]:
            return True
        side = _smaller_side(before, after, above, below)
        if side is None:
            return False
        moving = sorted(side, key=ranks.__getitem__)
        if before in side:
            self._first -= len(moving)
            start = self._first
        else:
            start = self._last + 1
            self._last += len(moving)
        ranks.update((task, rank) for rank, task in enumerate(moving, start))
        return True


def _smaller_side(
    before: Task, after: Task, above: Neighbours[Task], below: Neighbours[Task]
) -> dict[Task, None] | None:
    """Return `before` and all above it, or `after` and all below it, whichever is found first; None if the two meet."""
    up: dict[Task, None] = {before: None}
    down: dict[Task, None] = {after: None}
    if before is after:
        return None
    upwards, downwards = _walk(up, above), _walk(down, below)
    while True:
        if (found := next(upwards, None)) is None:
            return up
        if found is after:
            return None
        if (found := next(downwards, None)) is None:
            return down
        if found is before:
            return None


def _walk(seen: dict[Task, None], neighbours: Neighbours[Task]) -> Iterator[Task]:
    """Yield each task reached, one edge a step, and add it to `seen`."""
    stack = list(seen)
    while stack:
        for found in neighbours(stack.pop()):
            if found not in seen:
                seen[found] = None
                stack.append(found)
            yield found
