"""How far the clock of a store's server is ahead of this machine's: by minutes or hours, where one of them is wrong.

Times in a store are by its server's clock: two machines can't agree otherwise on what is due, over, or dead.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ServerClock"]

#: Clocks that differ by less are taken for equal.
_SMALL_S = 1.0
#: A header tells whole seconds, and was written some time ago: only if it says something else by more is it believed.
_MEANT_S = 3.0
#: How often a header is read.
_EVERY_S = 5.0


class ServerClock:
    """Compares the two clocks. From any thread.

    Args:
        clock: of this machine; seconds since the epoch.
        steady: never goes back; seconds.

    Attributes:
        ahead_s: what the server's clock is ahead of this machine's; 0 where they differ by less than a second.
    """

    def __init__(self, clock: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steady = steady
        self._next = 0.0
        self.ahead_s = 0.0

    def compare(self, now: float) -> None:
        """Take the server's time, as it has just come."""
        ahead_s = now - self._clock()
        self.ahead_s = ahead_s if abs(ahead_s) >= _SMALL_S else 0.0

    def note(self, date: str | None) -> None:
        """Take the header Date of an answer; it tells whether a clock was set since they were compared."""
        if date is None or self._steady() < self._next:
            return
        self._next = self._steady() + _EVERY_S
        try:
            now = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            return
        if abs(now - self._clock() - self.ahead_s) > _MEANT_S:
            self.compare(now)

    def now_s(self) -> float:
        """Return the time by the server's clock, in seconds since the epoch."""
        return self._clock() + self.ahead_s
