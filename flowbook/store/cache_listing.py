"""Lists cache entries as of a moment, page by page; the cost of a page doesn't grow with the number of entries."""

from __future__ import annotations

import bisect
import json
from typing import TYPE_CHECKING, NamedTuple

from flowbook.store.queries import queries
from flowbook.store.records import from_stamp, to_stamp

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from flowbook.store.cache import Cache, CacheEntry
    from flowbook.store.database import Database

    Choose = Callable[[Sequence[CacheEntry]], Iterable[CacheEntry]]

__all__ = ["MOST_COUNTED", "CacheListing", "Window"]

#: Entries are counted up to this number; above it, the exact count doesn't matter.
MOST_COUNTED = 10_000
_AT_ONCE = 1000
_WAYS = {True: {"side": "<=", "way": "DESC"}, False: {"side": ">", "way": "ASC"}}


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

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database = database
        self._cache = cache
        self._sql = queries()
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
                self._search = _Search(self._database, self._cache, asked, choose)
            return self._search.window(to_stamp(at), limit)
        given: dict[str, Any] = {"at": to_stamp(at)}
        if asked:
            pairs = [pair for pair in self.names() if flow in {None, pair[0]} and task in {None, pair[1]}]
            given["names"] = json.dumps(pairs)
        before = self._near(given, limit, is_before=True)
        after = self._near(given, limit - len(before), is_before=False) if len(before) < limit else []
        query = "count_entries_of_names" if asked else "count_entries"
        total = self._database.read(self._sql[query], {**given, "most": MOST_COUNTED + 1})[0][0]
        return Window([*reversed(before), *after], total)

    def entry(self, entry_id: str) -> CacheEntry:
        """Return one entry. Raises CacheEntryError."""
        return self._cache.get(entry_id)

    def first(self) -> dt.datetime | None:
        """Return when the oldest entry was made; None if there is none."""
        created: float | None = self._database.read(self._sql["first_entry"])[0][0]
        return from_stamp(created)

    def names(self) -> list[tuple[str, str]]:
        """Return the pairs of flow and task that have entries, ordered by task."""
        return [(flow, task) for flow, task in self._database.read(self._sql["names_of_entries"])]

    def _near(self, given: Mapping[str, object], limit: int, *, is_before: bool) -> list[CacheEntry]:
        query = self._sql["entries_near_of_names" if "names" in given else "entries_near"]
        rows = self._database.read(query.format(**_WAYS[is_before]), {**given, "limit": limit})
        return [self._cache.entry(row) for row in rows]


class _Search:
    """The entries that a function chooses. The fields that it examines never change, so each entry is examined once."""

    def __init__(self, database: Database, cache: Cache, asked: dict[str, str], choose: Choose) -> None:
        self._database = database
        self._cache = cache
        self._asked = asked
        self._choose = choose
        self._sql = queries()
        self._last = 0
        #: When each was created, its number in the database, and its id.
        self._found: list[tuple[float, int, str]] = []

    def is_for(self, asked: dict[str, str], choose: Choose) -> bool:
        return self._asked == asked and self._choose is choose

    def window(self, at: float, limit: int) -> Window:
        self._take_in()
        end = min(len(self._found), max(limit, bisect.bisect(self._found, (at, float("inf"), ""))))
        ids = json.dumps([entry_id for *_, entry_id in self._found[max(0, end - limit) : end]])
        rows = self._database.read(self._sql["entries_of_ids"], (ids,))
        return Window([self._cache.entry(row) for row in rows], min(len(self._found), MOST_COUNTED + 1))

    def _take_in(self) -> None:
        which = "".join(f"+{name} = :{name} AND " for name in self._asked)
        query = self._sql["entries_added"].format(which=which)
        while rows := self._database.read(query, {**self._asked, "last": self._last, "limit": _AT_ONCE}):
            numbers = {row[1]: row[0] for row in rows}
            for entry in self._choose([self._cache.entry(row[1:]) for row in rows]):
                bisect.insort(self._found, (entry.created.timestamp(), numbers[entry.id], entry.id))
            self._last = rows[-1][0]
