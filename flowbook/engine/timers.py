"""When sleeping tasks are due. Setting the clock back doesn't make them sleep longer.

A task has a start time, but what it needs is a wait. If the clock is set back, the wait stays as long as it was. If the
clock jumps ahead (somebody set it, or the machine slept while the monotonic clock stood still), the start time counts.
"""

from __future__ import annotations

import heapq
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Timers"]

#: Smaller differences are noise, or a time server at work.
_JUMP_S = 1.0
#: The clock is checked for jumps this often.
_LOOK_S = 30.0


class Timers:
    """Keys, each with the time when it is due. Not thread-safe.

    Args:
        now: returns seconds since the epoch; default `time.time`.
        elapsed: returns monotonic seconds; default `time.monotonic`.
    """

    def __init__(self, now: Callable[[], float] | None = None, elapsed: Callable[[], float] | None = None) -> None:
        self._now = now if now is not None else time.time
        self._elapsed = elapsed if elapsed is not None else time.monotonic
        self._heap: list[tuple[float, str]] = []
        self._offset = self._now() - self._elapsed()

    def set(self, key: str, at: float) -> None:
        """Make `key` due at `at` (seconds since the epoch)."""
        self._look_at_the_clock()
        heapq.heappush(self._heap, (at - self._offset, key))

    def due(self) -> Iterator[str]:
        """Remove and yield the keys that are due, earliest first."""
        if not self._heap:
            return
        self._look_at_the_clock()
        while self._heap and self._heap[0][0] <= self._elapsed():
            yield heapq.heappop(self._heap)[1]

    def wait_s(self) -> float | None:
        """Return the seconds to wait before the next check, or None if no task sleeps."""
        return min(max(0.0, self._heap[0][0] - self._elapsed()), _LOOK_S) if self._heap else None

    def clear(self) -> None:
        """Remove all keys."""
        self._heap.clear()

    def _look_at_the_clock(self) -> None:
        jump = self._now() - self._elapsed() - self._offset
        if abs(jump) < _JUMP_S:
            return
        self._offset += jump
        if jump > 0:
            self._heap = [(due - jump, key) for due, key in self._heap]
