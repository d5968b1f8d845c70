"""Lists cache entries as of a moment, page by page; the cost of a page doesn't grow with the number of entries."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, NamedTuple

from flowbook.store.records import from_stamp, to_stamp

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from flowbook.store.cache import Cache, CacheEntry
    from flowbook.store.cache_rows import CacheRows

    Choose = Callable[[Sequence[CacheEntry]], Iterable[CacheEntry]]

__all__ = ["MOST_COUNTED", "CacheListing", "Window"]

#: Entries are counted up to this number; above it, the exact count doesn't matter.
MOST_COUNTED = 10_000
_AT_ONCE = 1000


class Window(NamedTuple):
    """A page of entries around a moment.

    Attributes:
        entries: the newest at that moment, and if there is room those that came next; oldest first.
        total: how many match in all; `MOST_COUNTED + 1` if there are more than `MOST_COUNTED`.
    """

    entries: list[CacheEntry]
    total: int


class CacheListing:
    """Lists the entries of a store. For one thread."""

    def __init__(self, rows: CacheRows, cache: Cache) -> None:
        self._rows = rows
        self._cache = cache
        self._search: _Search | None = None

    def window(
        self,
        at: dt.datetime,
        limit: int,
        flow: str | None = None,
        task: str | None = None,
        choose: Choose | None = None,
    ) -> Window:
        """Return at most `limit` entries around a moment; of one flow and one task if given.

        Args:
            at: aware.
            limit: how many.
            flow: name of the flow.
            task: key of the task.
            choose: returns the matching ones of some entries; for conditions that SQL can't express. As long as the caller
                passes the same function, each entry is examined once.
        """
        self._cache.flush()
        asked = {name: value for name, value in (("flow", flow), ("task", task)) if value is not None}
        if choose is not None:
            if self._search is None or not self._search.is_for(asked, choose):
                self._search = _Search(self._rows, self._cache, asked, choose)
            return self._search.window(to_stamp(at), limit)
        pairs = None
        if asked:
            pairs = [pair for pair in self.names() if flow in {None, pair[0]} and task in {None, pair[1]}]
        stamp, entry = to_stamp(at), self._cache.entry
        before = [entry(row) for row in self._rows.near(stamp, limit, is_before=True, names=pairs)]
        room = limit - len(before)
        after = [entry(row) for row in self._rows.near(stamp, room, is_before=False, names=pairs)] if room > 0 else []
        return Window([*reversed(before), *after], self._rows.count(MOST_COUNTED + 1, pairs))

    def entry(self, entry_id: str) -> CacheEntry:
        """Return one entry. Raises CacheEntryError."""
        return self._cache.get(entry_id)

    def first(self) -> dt.datetime | None:
        """Return when the oldest entry was made; None if there is none."""
        return from_stamp(self._rows.first())

    def names(self) -> list[tuple[str, str]]:
        """Return the pairs of flow and task that have entries, ordered by task."""
        return self._rows.names()


class _Search:
    """The entries that a function chooses. The fields that it examines never change, so each entry is examined once."""

    def __init__(self, rows: CacheRows, cache: Cache, asked: dict[str, str], choose: Choose) -> None:
        self._rows = rows
        self._cache = cache
        self._asked = asked
        self._choose = choose
        self._last = 0
        #: When each was created, its number in the database, and its id.
        self._found: list[tuple[float, int, str]] = []

    def is_for(self, asked: dict[str, str], choose: Choose) -> bool:
        return self._asked == asked and self._choose is choose

    def window(self, at: float, limit: int) -> Window:
        self._take_in()
        end = min(len(self._found), max(limit, bisect.bisect(self._found, (at, float("inf"), ""))))
        rows = self._rows.of_ids([entry_id for *_, entry_id in self._found[max(0, end - limit) : end]])
        return Window([self._cache.entry(row) for row in rows], min(len(self._found), MOST_COUNTED + 1))

    def _take_in(self) -> None:
        while rows := self._added():
            numbers = {row[1]: row[0] for row in rows}
            for entry in self._choose([self._cache.entry(row[1:]) for row in rows]):
                bisect.insort(self._found, (entry.created.timestamp(), numbers[entry.id], entry.id))
            self._last = rows[-1][0]

    def _added(self) -> list[tuple[Any, ...]]:
        return self._rows.added(self._asked, self._last, _AT_ONCE)
