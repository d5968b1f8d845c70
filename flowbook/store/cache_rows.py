"""The rows of cache entries by which runs look outputs up, and by which people browse them. Knows nothing of what they mean."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from flowbook.store.queries import queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.ports import CacheScope
    from flowbook.store.database import Database

__all__ = ["CacheRows"]

#: Values up to this size, in bytes, are read together with their entries.
_INLINE_BYTES = 1000
_WAYS = {True: {"side": "<=", "way": "DESC"}, False: {"side": ">", "way": "ASC"}}


class CacheRows:
    """Reads the rows of a store's cache entries. From any thread.

    Attributes:
        first_ahead: how many answers a lookup reads ahead at first.
        most_ahead: how many at most.
    """

    first_ahead, most_ahead = 1, 128

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries()

    def version(self) -> object:
        """Return a value that differs once there may be other rows."""
        return self._database.version()

    # For lookups: rows as `cached_output.OutputRow`

    def newest_of_tasks(self, project: str, flow: str, tasks: Sequence[str], most: int) -> list[tuple[object, ...]]:
        """Return the newest `most` entries of each of these tasks; the first column is the task's place in `tasks`."""
        given = {"tasks": json.dumps(tasks), "project": project, "flow": flow, "most": most, **_as_of_now()}
        return self._database.read(self._sql["newest_of_tasks"], given)

    def by_numbers(self, first: int, end: int) -> list[tuple[object, ...]]:
        """Return the entries with these numbers in the database, from one up to, not including, another."""
        return self._database.read(self._sql["find_by_number"], {"first": first, "end": end, **_as_of_now()})

    def last_number(self) -> int:
        """Return the number of the newest entry; 0 if there is none."""
        return int(self._database.read(self._sql["last_entry"])[0][0])

    def inputs_since(self, number: int) -> list[tuple[object, ...]]:
        """Return number, project, flow, task, cache key, time and inputs of the entries after a number."""
        return self._database.read(self._sql["entries_since"], (number,))

    def inputs_of(self, scope: CacheScope, last: int) -> list[tuple[object, ...]]:
        """Return time, number and inputs of the valid entries of a scope up to the number `last`, the oldest first."""
        query = self._sql["inputs_by_task" if scope.cache_key is None else "inputs_by_key"]
        return self._database.read(query, {**scope._asdict(), "now": time.time(), "last": last})

    # For people: rows as `Cache.entry` takes them

    def near(
        self, at: float, limit: int, *, is_before: bool, names: Sequence[tuple[str, str]] | None = None
    ) -> list[tuple[object, ...]]:
        """Return the entries closest to a moment (seconds since the epoch) on one side; of pairs of flow and task if given."""
        query = self._sql["entries_near" if names is None else "entries_near_of_names"]
        given = {"at": at, "limit": limit, **({} if names is None else {"names": json.dumps(names)})}
        return self._database.read(query.format(**_WAYS[is_before]), given)

    def count(self, most: int, names: Sequence[tuple[str, str]] | None = None) -> int:
        """Return how many entries there are, at most `most`; of pairs of flow and task if given."""
        query = self._sql["count_entries" if names is None else "count_entries_of_names"]
        given = {"most": most, **({} if names is None else {"names": json.dumps(names)})}
        return int(self._database.read(query, given)[0][0])

    def names(self) -> list[tuple[str, str]]:
        """Return the pairs of flow and task that have entries, ordered by task."""
        return [(flow, task) for flow, task in self._database.read(self._sql["names_of_entries"])]

    def first(self) -> float | None:
        """Return when the oldest entry was made, in seconds since the epoch; None if there is none."""
        found: float | None = self._database.read(self._sql["first_entry"])[0][0]
        return found

    def of_ids(self, ids: Sequence[str]) -> list[tuple[object, ...]]:
        """Return the entries of these ids, the oldest first."""
        return self._database.read(self._sql["entries_of_ids"], (json.dumps(ids),))

    def added(self, asked: Mapping[str, str], last: int, limit: int) -> list[tuple[object, ...]]:
        """Return the entries after the number `last`, each after its number; `asked` may name their flow and their task."""
        which = "".join(f"+{name} = :{name} AND " for name in ("flow", "task") if name in asked)
        query = self._sql["entries_added"].format(which=which)
        return self._database.read(query, {**asked, "last": last, "limit": limit})


def _as_of_now() -> dict[str, Any]:
    return {"now": time.time(), "inline_bytes": _INLINE_BYTES}
