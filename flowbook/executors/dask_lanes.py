"""Calls that wait to be handed over to a Dask cluster, apart by what they ask of a worker.

So those that no worker can do hold up nobody else. Not safe for threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.executors.batches import CallQueue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.executors.base import Call

__all__ = ["Lanes", "Resources"]

#: What a worker must have, by name.
Resources = tuple[tuple[str, float], ...]

#: Short calls that are handed over at once, a thread of the cluster.
_AHEAD = 3
_LEAST_AHEAD = 8


class _Lane:
    """The calls that ask for the same."""

    __slots__ = ("queue", "quick")

    def __init__(self) -> None:
        self.queue = CallQueue()
        #: How many batches of short calls are handed over.
        self.quick = 0


class Lanes:
    """The calls of one run that are not handed over yet."""

    def __init__(self) -> None:
        self._lanes: dict[Resources, _Lane] = {}

    def __len__(self) -> int:
        return sum(len(lane.queue) for lane in self._lanes.values())

    def waiting(self) -> dict[Resources, int]:
        """Return how many calls wait here, by what they ask for."""
        return {resources: len(lane.queue) for resources, lane in self._lanes.items() if len(lane.queue)}

    def add(self, calls: Iterable[Call]) -> None:
        """Let calls wait."""
        for call in calls:
            self._of(call).queue.add((call,))

    def took(self, call: Call, seconds: float) -> None:
        """Note how long a call took."""
        self._of(call).queue.took(call.group, seconds)

    def take(self, slots: int) -> list[list[Call]]:
        """Return the batches to hand over now; `slots` is how many can be done at once."""
        most = max(_AHEAD * slots, _LEAST_AHEAD)
        batches = []
        for lane in self._lanes.values():
            while len(lane.queue) and (lane.quick < most or not lane.queue.is_quick()):
                batch = lane.queue.take(slots)
                lane.quick += bool(batch[0].group)
                batches.append(batch)
        return batches

    def ended(self, last: Call) -> None:
        """Note that a batch which was handed over has ended; `last` is any of its calls."""
        if last.group:
            self._of(last).quick -= 1

    def drain(self) -> list[Call]:
        """Return all that wait, and forget all that was handed over."""
        calls = [call for lane in self._lanes.values() for call in lane.queue.drain()]
        for lane in self._lanes.values():
            lane.quick = 0
        return calls

    def _of(self, call: Call) -> _Lane:
        found = self._lanes.get(call.resources)
        if found is None:
            found = self._lanes[call.resources] = _Lane()
        return found
