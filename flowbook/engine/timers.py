"""When tasks that sleep are due: by the time that has passed, whatever is done to the clock meanwhile.

A start time is a moment, but what leads to it is a wait. A clock that is set back must not lengthen it; one that jumps ahead
(it was set, or the machine slept and the clock that counts elapsed time stood still) makes it due as early as the moment says.
"""

from __future__ import annotations

import heapq
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Timers"]

#: A smaller difference is how clocks are kept right, or noise.
_JUMP_S = 1.0
#: So often somebody looks whether the clock has jumped.
_LOOK_S = 30.0


class Timers:
    """Keys and when they are due. Not for several threads at once.

    Args:
        now: gives seconds since the epoch.
        elapsed: gives seconds that only grow.
    """

    def __init__(self, now: Callable[[], float] | None = None, elapsed: Callable[[], float] | None = None) -> None:
        self._now = now if now is not None else time.time
        self._elapsed = elapsed if elapsed is not None else time.monotonic
        self._heap: list[tuple[float, str]] = []
        self._offset = self._now() - self._elapsed()

    def set(self, key: str, at: float) -> None:
        """Let `key` be due at `at`, seconds since the epoch."""
        self._look_at_the_clock()
        heapq.heappush(self._heap, (at - self._offset, key))

    def due(self) -> Iterator[str]:
        """Yield what is due now, the earliest first; it is forgotten."""
        if not self._heap:
            return
        self._look_at_the_clock()
        while self._heap and self._heap[0][0] <= self._elapsed():
            yield heapq.heappop(self._heap)[1]

    def wait_s(self) -> float | None:
        """Return how long to wait before looking again; None: nothing sleeps."""
        return min(max(0.0, self._heap[0][0] - self._elapsed()), _LOOK_S) if self._heap else None

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()

    def _look_at_the_clock(self) -> None:
        jump = self._now() - self._elapsed() - self._offset
        if abs(jump) < _JUMP_S:
            return
        self._offset += jump
        if jump > 0:
            self._heap = [(due - jump, key) for due, key in self._heap]
