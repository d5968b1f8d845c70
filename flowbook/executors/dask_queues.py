"""Calls that wait to be submitted to a Dask cluster: one queue for each set of resources that calls ask of a worker.

So a call that no worker can do holds up no other. Not thread-safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.executors.batches import CallQueue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.executors.base import Call

__all__ = ["ResourceQueues", "Resources"]

#: What a worker must have, by name.
Resources = tuple[tuple[str, float], ...]

#: How many batches of short calls are submitted ahead for each thread of the cluster.
_AHEAD = 3
_LEAST_AHEAD = 8


class _Queue:
    """The calls that ask for the same resources."""

    __slots__ = ("calls", "short_batches")

    def __init__(self) -> None:
        self.calls = CallQueue()
        #: How many batches of short calls are submitted and not done.
        self.short_batches = 0


class ResourceQueues:
    """The calls of one run that aren't submitted yet."""

    def __init__(self) -> None:
        self._queues: dict[Resources, _Queue] = {}

    def __len__(self) -> int:
        return sum(len(queue.calls) for queue in self._queues.values())

    def waiting(self) -> dict[Resources, int]:
        """Return how many calls wait, by the resources they ask for."""
        return {resources: len(queue.calls) for resources, queue in self._queues.items() if len(queue.calls)}

    def add(self, calls: Iterable[Call]) -> None:
        """Queue calls."""
        for call in calls:
            self._queue_of(call).calls.add((call,))

    def record_duration(self, call: Call, seconds: float) -> None:
        """Record how long a call took."""
        self._queue_of(call).calls.record_duration(call.group, seconds)

    def take(self, slots: int) -> list[list[Call]]:
        """Return the batches to submit now; `slots` is how many batches can run at once."""
        most = max(_AHEAD * slots, _LEAST_AHEAD)
        batches = []
        for queue in self._queues.values():
            while len(queue.calls) and (queue.short_batches < most or not queue.calls.is_quick()):
                batch = queue.calls.take(slots)
                queue.short_batches += bool(batch[0].group)
                batches.append(batch)
        return batches

    def batch_done(self, last: Call) -> None:
        """Record that a submitted batch is done; `last` is any of its calls."""
        if last.group:
            self._queue_of(last).short_batches -= 1

    def drain(self) -> list[Call]:
        """Return all calls that wait, and forget all that were submitted."""
        calls = [call for queue in self._queues.values() for call in queue.calls.drain()]
        for queue in self._queues.values():
            queue.short_batches = 0
        return calls

    def _queue_of(self, call: Call) -> _Queue:
        found = self._queues.get(call.resources)
        if found is None:
            found = self._queues[call.resources] = _Queue()
        return found
