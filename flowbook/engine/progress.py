"""The progress of a run: the state of each task and child, and how many upstream tasks it still waits for.

The machine and its parts share one Progress and are the only ones to change it. Pure: no clock, thread or file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.mapped_states import PENDING
from flowbook.engine.state import Mapped
from flowbook.engine.task_keys import child_key, child_keys, parent_key

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State

__all__ = ["UNDER_WAY", "Group", "Progress", "open_group"]

#: The count of a child that is running while something upstream, which was retried, settles again.
UNDER_WAY = -1


class Group:
    """The children of one mapped task. `linked` are mapped tasks whose child i takes its input from child i of this one."""

    __slots__ = ("left", "linked", "settled", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.left = width
        self.linked: list[str] = []
        #: 1 for each child that has settled. Its state may say so earlier: the runner marks it before it says Settled.
        self.settled = bytearray(width)

    def settle(self, index: int) -> None:
        """Note that a child has settled."""
        self.left -= 1
        self.settled[index] = 1

    def open(self, index: int) -> None:
        """Note that a settled child will run again."""
        self.left += 1
        self.settled[index] = 0


def open_group(width: int) -> Mapped:
    """Return the state of a mapped task whose children run; without theirs, as they are about to change."""
    return Mapped(f"Mapped over {width}.", n_map_states=width)


class Progress:
    """The state of a run, shared by the parts of its machine.

    Args:
        graph: the compiled flow.
        states: states given from before, by key; children included.
    """

    __slots__ = (
        "children",
        "failed",
        "graph",
        "groups",
        "has_reopened",
        "is_cancelled",
        "left",
        "states",
        "unsettled",
        "waits_for_whole",
    )

    def __init__(self, graph: Graph, states: Mapping[str, State] | None = None) -> None:
        self.graph = graph
        #: The state of every task and child, by key.
        self.states: dict[str, State] = dict.fromkeys(graph.specs, PENDING)
        self.states.update(states or {})
        #: For each child of a mapped task: its task's key and its index.
        self.children: dict[str, tuple[str, int]] = {}
        #: Number of tasks that a task still waits for. A child is in here only while it waits.
        self.left: dict[str, int] = {}
        #: The children of each task that was split.
        self.groups: dict[str, Group] = {}
        #: What failed and has settled: its state may say so earlier, and then be Retrying.
        self.failed: set[str] = set()
        #: Submitted tasks already marked as failed or paused: a person who sees that may retry or resume them before they settle.
        self.unsettled: set[str] = set()
        #: Children that wait for something that all of their task's children get whole, by its key: only after a retry, and
        #: where an epoch starts in the middle.
        self.waits_for_whole: dict[str, list[str]] = {}
        #: Whether anything was tried again on request, so that a task may settle that looked up too early.
        self.has_reopened = False
        self.is_cancelled = False

    def forget_stale(self) -> None:
        """Forget what a task that has yet to run makes stale: resources that were cleaned up, and collections that it is in."""
        facts = self.graph.facts
        if facts.has_cleanups:
            undone = [key for key in self.graph.specs if not self.states[key].is_finished()]
            for key in self.graph.to_set_up_again(undone, lambda key: self.states[key].is_finished()):
                self.states[key] = PENDING
        for key in facts.gatherers:
            if not all(self.states[up].is_finished() for up in self.graph.specs[key].upstream):
                self.states[key] = PENDING

    def wait_for_all(self) -> list[str]:
        """Make each task wait for all its upstream tasks; return the tasks that have none."""
        facts = self.graph.facts
        self.left = facts.upstream_counts.copy()
        return list(facts.roots)

    def wait_for_all_below(self, roots: Iterable[str], only: Container[str] | None = None) -> list[str]:
        """As `wait_for_all`, but only for `roots` and the tasks below them, if `only` has them; leave all others as they are."""
        specs = self.graph.specs
        tops = {parent_key(key) for key in roots}
        scope = self.graph.downstream(tops)
        if only is not None:
            scope = {key for key in scope if key in only}
        for key in filter(scope.__contains__, specs):
            above = () if key in tops else specs[key].upstream
            self.left[key] = sum(up in scope or self.is_open(up) for up in above)
        return [key for key, count in self.left.items() if not count]

    def release_below(self, key: str, but: Container[str] = ()) -> list[str]:
        """Return the tasks that waited only for `key`, which has settled; leave out `but`, which its children released."""
        ready: list[str] = []
        left = self.left
        for below in self.graph.children[key]:
            if below not in left or below in but:
                continue
            left[below] -= 1
            if not left[below]:
                ready.append(below)
        if self.has_reopened or self.waits_for_whole:
            ready += self._release_children(key)
        return ready

    def _release_children(self, key: str) -> list[str]:
        """Return the children that have waited for `key` alone; mark those under way, which may have looked too early."""
        ready = []
        for child in self.waits_for_whole.pop(key, ()):
            self.left[child] -= 1
            if not self.left[child]:
                del self.left[child]
                ready.append(child)
        if self.has_reopened:
            self._mark_under_way(key, set(ready))
        return ready

    def _mark_under_way(self, key: str, but: Container[str]) -> None:
        split = [below for below in self.graph.children[key] if below in self.groups]
        for below in split:
            for index, is_settled in enumerate(self.groups[below].settled):
                child = child_key(below, index)
                if not is_settled and child not in but:
                    self.left.setdefault(child, UNDER_WAY)

    def broken_rules(self) -> Iterator[str]:
        """Yield a sentence for each rule that is broken."""
        for key, count in self.left.items():
            if count < UNDER_WAY and not self.has_reopened:
                yield f"{key} waits for {count} others"
            if key not in self.graph.specs and key not in self.children:
                yield f"{key} waits and is no task"
        for key in self.failed:
            if not self.states[key].is_failed():
                yield f"{key} has failed and is {self.states[key]!r}"
        for key, group in self.groups.items():
            yield from self._broken_group(key, group)

    def _broken_group(self, key: str, group: Group) -> Iterator[str]:
        if group.left != group.width - sum(group.settled):
            yield f"{key} has {group.left} of {group.width} children left, and {sum(group.settled)} have settled"
        if not set(group.linked) <= set(self.graph.children[key]):
            yield f"{key} feeds {group.linked}, which are not all below it"
        for index, child in enumerate(child_keys(key, group.width)):
            if self.children.get(child) != (key, index) or child not in self.states:
                yield f"{child} is not known"
            elif group.settled[index] and not self.states[child].is_finished():
                yield f"{child} has settled and is {self.states[child]!r}"

    def is_open(self, key: str) -> bool:
        """Return whether a task, or any of its children, has not settled."""
        group = self.groups.get(key)
        return group.left > 0 if group is not None else not self.states[key].is_finished()

    def is_fed_only(self, below: str, key: str) -> bool:
        """Return whether `below` is mapped and its children take only one element each from `key`."""
        spec = self.graph.specs[below]
        return spec.is_mapped and all(b.mapped and not b.flattened for b in spec.bindings if b.upstream == key)

    def count_above(self, key: str) -> int:
        """Return for how many right above a whole task has to wait; not for those that feed it child by child."""
        ups = self.graph.specs[key].upstream
        return sum(self.is_open(up) for up in ups if up not in self.groups or key not in self.groups[up].linked)

    def wait_for_above(self, key: str, index: int, scope: Container[str] = ()) -> int:
        """Let a child wait for what is right above it and has not settled, or is in `scope`; return for how many."""
        child = child_key(key, index)
        count = 0
        fed_by = {b.upstream: self.groups.get(b.upstream) for b in self.graph.specs[key].bindings if b.mapped}
        for up in self.graph.specs[key].upstream:
            group = fed_by.get(up)
            if group is not None and key in group.linked:
                count += not group.settled[index]
            elif self.is_open(up) or up in scope:
                self.waits_for_whole.setdefault(up, []).append(child)
                count += 1
        return count
