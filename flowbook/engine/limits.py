"""Limits on how many tasks run at once: tasks take and release slots, and wait in order for a free one. Pure."""

from __future__ import annotations

from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flowbook.engine.graph import TaskSpec

__all__ = ["Limits", "Slots"]

#: The tag that stands for all tasks; users' tags are never empty.
_ALL = ""


class Limits(NamedTuple):
    """At most `total` tasks run at once (None: any number), and of those with a tag at most `by_tag[tag]`."""

    total: int | None = None
    by_tag: Mapping[str, int] = MappingProxyType({})


class Slots:
    """The slots that tasks take while they run, and the queue for them.

    Waiting tasks are grouped by the limits that apply to them. So a task that waits holds up no task under other limits, and
    releasing a slot takes time for each group, not for each waiting task.
    """

    def __init__(self, limits: Limits) -> None:
        self._free: dict[str, int] = dict(limits.by_tag)
        if limits.total is not None:
            self._free[_ALL] = limits.total
        self._held: dict[str, tuple[str, ...]] = {}
        self._queues: dict[tuple[str, ...], deque[tuple[int, str]]] = {}
        self._arrived = 0

    def limits_of(self, spec: TaskSpec) -> tuple[str, ...]:
        """Return the names of the limits that apply to a task, in a fixed order."""
        return tuple(name for name in self._free if name == _ALL or name in spec.tags)

    def take(self, key: str, under: tuple[str, ...]) -> bool:
        """Take a slot for `key` and return True if all its limits have one free; otherwise queue it and return False."""
        if self._has_room(under):
            self._hold(key, under)
            return True
        self._arrived += 1
        self._queues.setdefault(under, deque()).append((self._arrived, key))
        return False

    def release(self, key: str) -> None:
        """Release the slot of `key`, if it has one."""
        for name in self._held.pop(key, ()):
            self._free[name] += 1

    def admit(self) -> Iterable[str]:
        """Give free slots to waiting tasks, first come, first served; yield their keys."""
        while True:
            open_ones = [(queue[0], under) for under, queue in self._queues.items() if queue and self._has_room(under)]
            if not open_ones:
                return
            (_, key), under = min(open_ones)
            self._queues[under].popleft()
            self._hold(key, under)
            yield key

    def forget(self) -> None:
        """Empty the queue."""
        self._queues.clear()

    def reason(self, under: tuple[str, ...]) -> str:
        """Return in words which of these limits are reached."""
        full = [name for name in under if self._free[name] < 1]
        return " and ".join("max_concurrency" if name == _ALL else f"the limit of {name!r}" for name in full)

    def broken_rules(self) -> Iterator[str]:
        """Yield a sentence for each rule that is broken."""
        for name, free in self._free.items():
            if free < 0:
                yield f"{-free} more tasks than the limit of {name or 'all'} allows run"
        held = set(self._held)
        for queue in self._queues.values():
            if twice := held.intersection(key for _, key in queue):
                yield f"{sorted(twice)} wait for a place and hold one"

    def _has_room(self, under: tuple[str, ...]) -> bool:
        return all(self._free[name] > 0 for name in under)

    def _hold(self, key: str, under: tuple[str, ...]) -> None:
        for name in under:
            self._free[name] -= 1
        self._held[key] = under
