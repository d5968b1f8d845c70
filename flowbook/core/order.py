"""An order of a flow's tasks that keeps up with its edges, so that a ring is found at the edge that would close it.

Most edges lead from a task that was written earlier to a later one, and cost a comparison. For an edge that leads back, what
lies above its start and what lies below its end are looked at in turn, until one side is at its end; that side moves to the
front, or to the back. So an edge costs what the smaller side holds, never the whole flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowbook.core.task import Task

    Neighbours = Callable[[Task], Iterable[Task]]

__all__ = ["Order"]


class Order:
    """Places of tasks: each comes after all that lie above it."""

    def __init__(self) -> None:
        self._places: dict[Task, int] = {}
        self._first = 0
        self._last = 0

    def add(self, task: Task) -> None:
        """Put a task without edges at the end."""
        self._last += 1
        self._places[task] = self._last

    def remove(self, task: Task) -> None:
        """Take a task out."""
        del self._places[task]

    def copy(self) -> Order:
        """Return a copy of its own."""
        twin = Order()
        twin._places, twin._first, twin._last = dict(self._places), self._first, self._last
        return twin

    def admits(self, before: Task, after: Task, above: Neighbours, below: Neighbours) -> bool:
        """Return whether `after` may come after `before`, and see to it; False if that closes a ring.

        Args:
            before: a task that was added.
            after: likewise.
            above: gives the tasks directly above one, by the edges so far.
            below: gives those directly below.
        """
        places = self._places
        if places[before] < places[after]:
            return True
        side = _smaller_side(before, after, above, below)
        if side is None:
            return False
        moving = sorted(side, key=places.__getitem__)
        if before in side:
            self._first -= len(moving)
            start = self._first
        else:
            start = self._last + 1
            self._last += len(moving)
        places.update((task, place) for place, task in enumerate(moving, start))
        return True


def _smaller_side(before: Task, after: Task, above: Neighbours, below: Neighbours) -> dict[Task, None] | None:
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


def _walk(seen: dict[Task, None], neighbours: Neighbours) -> Iterator[Task]:
    """Yield what is reached, one edge a step, and note it in `seen`."""
    stack = list(seen)
    while stack:
        for found in neighbours(stack.pop()):
            if found not in seen:
                seen[found] = None
                stack.append(found)
            yield found
