"""Mapped tasks: which children are ready when a task splits, when a child ends, and when all have ended.

A mapped task below another one takes its inputs child by child, so no branch waits for another. Pure, like the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.mapped_states import PENDING
from flowbook.engine.messages import Emit
from flowbook.engine.progress import UNDER_WAY, Group, open_group
from flowbook.engine.state import Mapped
from flowbook.engine.task_keys import child_key

if TYPE_CHECKING:
    from flowbook.engine.messages import Instruction
    from flowbook.engine.progress import Progress

__all__ = ["Groups"]


class Groups:
    """The mapped tasks of one run.

    Args:
        progress: of the run.
        has_handlers: whether the run has state handlers, besides those of the tasks.
    """

    __slots__ = ("_has_handlers", "_progress", "gathering")

    def __init__(self, progress: Progress, *, has_handlers: bool) -> None:
        self._progress = progress
        self._has_handlers = has_handlers
        #: Mapped tasks that are submitted again after their children have ended, so that their handlers are called.
        self.gathering: set[str] = set()

    def split(self, key: str, width: int, out: list[Instruction]) -> list[str]:
        """Split a mapped task into children; return what is ready: maps below it, then children."""
        progress = self._progress
        group = progress.groups[key] = Group(width)
        state = progress.states[key] = open_group(width)
        out.append(Emit(key, state))
        for index in range(width):
            child = child_key(key, index)
            progress.children[child] = (key, index)
            progress.states.setdefault(child, PENDING)
        # Maps below are split before the first child runs: or its branch would wait for all its neighbours.
        ready = self._link_below(key, group)
        ready += self._children_ready(key, width)
        if not width:
            ready += self._finish(key, out)
        return ready

    def settle(self, key: str, index: int, out: list[Instruction]) -> list[str]:
        """Note that a child has finished; return what is ready: children that it feeds, and what waits for them all."""
        progress = self._progress
        left = progress.left
        group = progress.groups[key]
        group.settle(index)
        ready = []
        for below in group.linked:
            child = child_key(below, index)
            if child not in left:
                if progress.has_reopened:
                    self._mark_under_way(below, index)
                continue
            left[child] -= 1
            if not left[child]:
                del left[child]
                ready.append(child)
        if not group.left:
            ready += self._finish(key, out)
        return ready

    def release_below(self, key: str) -> list[str]:
        """Return the tasks that waited for a mapped task as a whole."""
        if self._progress.states[key].is_failed():
            self._progress.failed.add(key)
        return self._progress.release_below(key, but=self._progress.groups[key].linked)

    def _link_below(self, key: str, group: Group) -> list[str]:
        """Release mapped tasks below that only need the width, though the children still run."""
        if not group.width:
            return []
        progress = self._progress
        left = progress.left
        fed = [each for each in progress.graph.children[key] if each in left and progress.is_fed_only(each, key)]
        group.linked += fed
        for below in fed:
            left[below] -= 1
        return [below for below in fed if not left[below]]

    def _children_ready(self, key: str, width: int) -> list[str]:
        """Return the children of `key` that can run, and set what the others wait for."""
        progress = self._progress
        if progress.has_reopened:
            counts = {child_key(key, index): progress.wait_for_above(key, index) for index in range(width)}
        elif feeders := [group for group in self._feeders(key) if group.left]:
            counts = {
                child_key(key, index): sum(not group.settled[index] for group in feeders) for index in range(width)
            }
        else:
            return [child_key(key, index) for index in range(width)]
        progress.left.update((child, count) for child, count in counts.items() if count)
        return [child for child, count in counts.items() if not count]

    def _feeders(self, key: str) -> list[Group]:
        groups = self._progress.groups
        ups = dict.fromkeys(b.upstream for b in self._progress.graph.specs[key].bindings if b.mapped)
        return [groups[up] for up in ups if up in groups]

    def _mark_under_way(self, below: str, index: int) -> None:
        """Note that a child looked up too early, if it is under way."""
        group = self._progress.groups.get(below)
        if group is not None and not group.settled[index]:
            self._progress.left[child_key(below, index)] = UNDER_WAY

    def _finish(self, key: str, out: list[Instruction]) -> list[str]:
        """Mark all children as ended; return the keys that are ready, or the task itself if its handlers must be called first."""
        progress = self._progress
        width = progress.groups[key].width
        states = [progress.states[child_key(key, index)] for index in range(width)]
        failed = sum(state.is_failed() for state in states)
        message = f"{failed} of {width} failed." if failed else f"All {width} succeeded."
        if not failed and (cancelled := sum(state.is_cancelled() for state in states)):
            message = f"{cancelled} of {width} were cancelled."
        state = progress.states[key] = Mapped(message, map_states=states)
        if (self._has_handlers or progress.graph.specs[key].handlers) and not progress.is_cancelled:
            self.gathering.add(key)
            return [key]
        out.append(Emit(key, state))
        return self.release_below(key)
