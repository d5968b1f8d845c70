"""Reads what comes next along with what is asked for: one query for many questions, and answers as of this moment.

What was read is used only while nothing was committed to the database, by this process or another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Prefetch"]

T = TypeVar("T")
_AT_ONCE = 128
#: Answers that are held at most.
_HELD = 10_000


class Prefetch(Generic[T]):
    """Answers by place: a number that grows by one from one question to the next, mostly. From any thread.

    Args:
        read: gives the answers from one place on, up to another; places without one may be missing.
        version: differs after each commit.
    """

    def __init__(self, read: Callable[[int, int], Mapping[int, T]], version: Callable[[], object]) -> None:
        self._read = read
        self._version = version
        self._lock = RankedLock(Rank.READ_AHEAD)
        self._seen: object = None
        #: Also places without an answer.
        self._held: dict[int, T | None] = {}
        self._asked = 0
        self._count = 1

    def get(self, place: int) -> T | None:
        """Return the answer for a place; None if there is none. Raises StoreError."""
        with self._lock:
            version = self._version()
            if version != self._seen or place not in self._held:
                self._fill(place, version)
            self._asked += 1
            return self._held[place]

    def _fill(self, place: int, version: object) -> None:
        """Read twice as much as the last time if most of that was asked for, else only what is asked for."""
        if version != self._seen or len(self._held) >= _HELD:
            self._held = {}
        if version == self._seen:
            self._count = min(self._count * 2, _AT_ONCE) if self._asked * 2 >= self._count else 1
        places = range(place, place + self._count)
        found = self._read(places.start, places.stop)
        self._held.update(dict.fromkeys(places))
        self._held.update(found)
        self._asked = 0
        #: As it was before: what is committed meanwhile is seen the next time.
        self._seen = version
