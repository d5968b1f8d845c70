"""Answers one question after another with few queries: each reads the answers to the next questions too.

An answer is used only until something is committed to the database, by this process or another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Prefetch"]

T = TypeVar("T")
_AT_ONCE = 128
#: How many answers are cached at most.
_MOST_CACHED = 10_000


class Prefetch(Generic[T]):
    """Caches answers by number; mostly, each question has the next number. From any thread.

    Args:
        read: returns the answers from one number up to, not including, another; it may leave numbers without one out.
        version: returns another value after each commit.
        first: how many answers the first query reads.
        most: how many a query reads at most.
    """

    def __init__(
        self,
        read: Callable[[int, int], Mapping[int, T]],
        version: Callable[[], object],
        first: int = 1,
        most: int = _AT_ONCE,
    ) -> None:
        self._read = read
        self._version = version
        self._lock = RankedLock(Rank.READ_AHEAD)
        self._seen: object = None
        #: None: there is no answer.
        self._cached: dict[int, T | None] = {}
        self._asked = 0
        self._first = first
        self._most = most
        self._count = first

    def get(self, number: int) -> T | None:
        """Return the answer to a question; None if there is none. Raises StoreError."""
        with self._lock:
            version = self._version()
            if version != self._seen or number not in self._cached:
                self._fill(number, version)
            self._asked += 1
            return self._cached[number]

    def _fill(self, number: int, version: object) -> None:
        """Read twice as many as last time if most of those were used, otherwise as few as at first."""
        if version != self._seen or len(self._cached) >= _MOST_CACHED:
            self._cached = {}
        if version == self._seen:
            self._count = min(self._count * 2, self._most) if self._asked * 2 >= self._count else self._first
        numbers = range(number, number + self._count)
        found = self._read(numbers.start, numbers.stop)
        self._cached.update(dict.fromkeys(numbers))
        self._cached.update(found)
        self._asked = 0
        #: The version from before the query: the next question sees what was committed during it.
        self._seen = version
