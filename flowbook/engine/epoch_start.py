"""Starts an epoch in the middle of a run: keeps the states of earlier epochs and visits only the tasks below its start.

Pure, like the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.mapped_states import PENDING
from flowbook.engine.progress import Group, open_group
from flowbook.engine.state import Mapped
from flowbook.engine.task_keys import child_key, child_keys, split_child_key

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.progress import Progress

__all__ = ["EpochStart"]


class EpochStart:
    """The start of one epoch.

    Args:
        progress: the run's progress, with the states that the earlier epochs left; changed here.
        keys: tasks to start, and children of mapped tasks.
        only: the tasks that may run; None: all may.
    """

    def __init__(self, progress: Progress, keys: Iterable[str], only: Container[str] | None = None) -> None:
        self._progress = progress
        #: Whole tasks to start.
        self._whole: set[str] = set()
        #: The indices of the children to start, by mapped task that was split already.
        self._opened: dict[str, set[int]] = {}
        for key in keys:
            self._sort_out(key)
        below = progress.graph.downstream([*self._whole, *self._opened])
        self._scope = below if only is None else {key for key in below if key in only}
        #: Mapped tasks with children that run or wait for a person: the indices of those that run.
        self._again: dict[str, set[int]] = {}

    def take_up(self) -> list[str]:
        """Set what each task waits for; return the keys that run at once."""
        specs = self._progress.graph.specs
        ready = [key for key in specs if key in self._whole]
        for key, spec in specs.items():
            if key not in self._whole:
                ready += self._visit(key, spec)
        return ready

    def _sort_out(self, key: str) -> None:
        if key not in self._progress.graph.specs:
            parent, index = split_child_key(key)
            self._opened.setdefault(parent, set()).add(index)
            return
        state = self._progress.states[key]
        width = state.n_map_states if isinstance(state, Mapped) else 0
        if open_ones := {index for index in range(width) if not self._has_succeeded(key, index)}:
            self._opened.setdefault(key, set()).update(open_ones)
        else:
            self._whole.add(key)

    def _visit(self, key: str, spec: TaskSpec) -> list[str]:
        """Visit one task, after all tasks above it; return the keys of it and its children that run at once."""
        progress, state = self._progress, self._progress.states[key]
        is_in_scope = key in self._scope
        roots = self._opened.get(key, set())
        fed = self._fed_again(key) if is_in_scope else set()
        if roots or fed or (not is_in_scope and isinstance(state, Mapped)):
            return self._take_up_children(key, roots, fed)
        if is_in_scope and spec.gathers:
            state = progress.states[key] = PENDING
        if is_in_scope and isinstance(state, Mapped) and any(b.flattened for b in spec.bindings):
            self._forget_children(key, state.n_map_states)
        if is_in_scope or not state.is_finished():
            progress.left[key] = sum(up in self._scope or progress.is_open(up) for up in spec.upstream)
            if isinstance(state, Mapped):
                progress.states[key] = open_group(state.n_map_states)
            return self._link_above(key) if is_in_scope else []
        if state.is_failed():
            progress.failed.add(key)
        return []

    def _forget_children(self, key: str, width: int) -> None:
        """Make all children of a task run again, because the number of flattened elements may have changed."""
        for child in child_keys(key, width):
            self._progress.states.pop(child, None)

    def _fed_again(self, key: str) -> set[int]:
        """Return which children of a task that was split before wait for children above that run again.

        Only what has not succeeded goes along. A task that also waits for anything else is visited as a whole, later.
        """
        progress, state = self._progress, self._progress.states[key]
        if not isinstance(state, Mapped):
            return set()
        above = [up for up in progress.graph.specs[key].upstream if up in self._scope]
        if not all(up in self._again and progress.is_fed_only(key, up) for up in above):
            return set()
        indices = {index for up in above for index in self._again[up] if index < state.n_map_states}
        return {index for index in indices if not self._has_succeeded(key, index)}

    def _take_up_children(self, key: str, roots: set[int], fed: set[int]) -> list[str]:
        """Visit a task that was split before; return its children that can run at once."""
        progress, state = self._progress, self._progress.states[key]
        width = state.n_map_states if isinstance(state, Mapped) else max(roots) + 1
        group = progress.groups[key] = Group(width)
        for up in progress.graph.specs[key].upstream:
            above = progress.groups.get(up)
            if above is not None and above.width == width and progress.is_fed_only(key, up):
                above.linked.append(key)
        for index in range(width):
            child = child_key(key, index)
            progress.children[child] = (key, index)
            progress.states.setdefault(child, PENDING)
            if index in roots:
                continue
            if index in fed:
                progress.states[child] = PENDING
            self._take_up_child(group, key, index, self._scope if roots else ())
        if group.left:
            progress.states[key] = open_group(width)
            self._again[key] = roots | fed
        return [child_key(key, index) for index in sorted(roots)]

    def _take_up_child(self, group: Group, key: str, index: int, scope: Container[str]) -> None:
        """Set what a child that doesn't start waits for, or mark it as finished."""
        progress, child = self._progress, child_key(key, index)
        known = progress.states[child]
        if not known.is_finished():
            if count := progress.wait_for_above(key, index, scope):
                progress.left[child] = count
            return
        group.settle(index)
        if known.is_failed():
            progress.failed.add(child)

    def _link_above(self, key: str) -> list[str]:
        """Let a mapped task that is not split yet know that widths above are there; return it in a list if it is ready."""
        progress = self._progress
        for up in progress.graph.specs[key].upstream:
            if up not in self._again or not progress.is_fed_only(key, up):
                continue
            progress.groups[up].linked.append(key)
            progress.left[key] -= 1
            if not progress.left[key]:
                return [key]
        return []

    def _has_succeeded(self, key: str, index: int) -> bool:
        return self._progress.states.get(child_key(key, index), PENDING).is_successful()
