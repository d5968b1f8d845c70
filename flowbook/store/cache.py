"""The cache index: which stored value is the output of which task and inputs, and until when it is valid."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flowbook._utils.locks import Rank, RankedLock, renew_in_child
from flowbook.engine.ports import CacheScope
from flowbook.exceptions import CacheEntryError
from flowbook.results.reference import ResultRef
from flowbook.store.cached_output import read_inputs, read_parameters, write_inputs, write_parameters
from flowbook.store.queries import queries
from flowbook.store.records import from_stamp, now
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from flowbook.store.database import Database
    from flowbook.store.values import Values

__all__ = ["NEVER", "Cache", "CacheEntry", "CacheScope"]

#: Number of uses that are counted before they are written.
_MOST_USES = 10_000
_PAGE_ENTRIES = 100
#: The last day that both SQLite's REAL and `datetime` can express.
NEVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One output that other runs may use.

    Attributes:
        ref: the value.
        created: aware UTC; before that the entry isn't valid.
        expires: aware UTC; from then on it isn't valid.
        input_hashes: content hash by argument.
        input_texts: short inputs as text, by argument.
        parameters: the flow's parameters as plain JSON; other values as `{"$hash": …}`.
        parameter_texts: these other values as text by name, as far as they are short.
        code_hash: of the task that made it.
        id: assigned by the store.
        uses: how often runs used it; other processes' uses may be counted late.
        pinned: whether a sweep leaves it alone.
        dropped: when a sweep dropped its value; None while it is there.
    """

    project: str
    flow: str
    task: str
    ref: ResultRef
    expires: dt.datetime = NEVER
    created: dt.datetime = field(default_factory=now)
    cache_key: str | None = None
    input_hashes: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    code_hash: str | None = None
    run_id: str | None = None
    input_texts: Mapping[str, str] = field(default_factory=dict)
    parameter_texts: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    uses: int = 0
    pinned: bool = False
    dropped: dt.datetime | None = None

    def is_valid(self, at: dt.datetime) -> bool:
        """Return whether it is valid at that moment."""
        return self.created <= at < self.expires

    @property
    def told_parameters(self) -> dict[str, Any]:
        """The parameters for people: those of which only a hash is kept as text, where that is known."""
        return {**self.parameters, **self.parameter_texts}


class Cache:
    """All entries of a store. From any thread."""

    def __init__(self, database: Database, values: Values) -> None:
        self._database = database
        self._values = values
        self._sql = queries()
        #: Uses that aren't written yet: a hit must not cost a commit.
        self._uses: Counter[str] = Counter()
        self._renew_lock()
        renew_in_child(self, Cache._renew_lock)

    def _renew_lock(self) -> None:
        self._uses_lock = RankedLock(Rank.CACHE_USES)

    def add(self, entry: CacheEntry) -> CacheEntry:
        """Add `entry`; return it with its id. Its value must be in this store. Raises StoreError."""
        kept = replace(entry, id=entry.id or os.urandom(8).hex())
        self._database.write(lambda connection: connection.execute(self._sql["add_entry"], _row(kept)))
        return kept

    def find(self, scope: CacheScope, at: dt.datetime | None = None) -> Iterator[CacheEntry]:
        """Yield the entries of `scope` that are valid at `at` (default: now), the newest first; they are read page by page."""
        moment, offset, limit = at or now(), 0, 1
        while found := self.newest(scope, limit, offset, moment):
            yield from found
            if len(found) < limit:
                return
            offset, limit = offset + limit, _PAGE_ENTRIES

    @in_words
    def newest(self, scope: CacheScope, limit: int, offset: int = 0, at: dt.datetime | None = None) -> list[CacheEntry]:
        """Return a page of what `find` yields."""
        project, flow, task, cache_key = scope
        moment = (at or now()).timestamp()
        query = "find_by_task" if cache_key is None else "find_by_key"
        where = (project, flow, task) if cache_key is None else (cache_key,)
        given = (*where, moment, moment, limit, offset)
        return [self.entry(row) for row in self._database.read(self._sql[query], given)]

    @in_words
    def entries(
        self,
        at: dt.datetime | None = None,
        flow: str | None = None,
        task: str | None = None,
        project: str | None = None,
    ) -> list[CacheEntry]:
        """Return all entries, expired ones too, or those that were valid at a moment; the oldest first."""
        self.flush()
        given: dict[str, object] = {"task": task, "flow": flow, "project": project}
        asked = {name: value for name, value in given.items() if value is not None}
        which = [f"{name} = :{name}" for name in asked]
        if at is not None:
            asked["at"] = at.timestamp()
            which.append("created <= :at AND expires > :at")
        query = self._sql["list_entries"].format(which=" AND ".join(which) or "true")
        return [self.entry(row) for row in self._database.read(query, asked)]

    @in_words
    def last(self, flow: str, tasks: Sequence[str], project: str, at: dt.datetime) -> list[CacheEntry]:
        """Return the newest entry of each of these tasks as of a moment, expired or not, as far as they have any."""
        given = {"flow": flow, "tasks": json.dumps(tasks), "project": project, "at": at.timestamp()}
        return self._entries("newest_entries", given)

    def flows(self, project: str) -> list[str]:
        """Return the names of the flows of a project that have entries."""
        return [name for (name,) in self._database.read(self._sql["flows_of_entries"], (project,))]

    @in_words
    def get(self, entry_id: str) -> CacheEntry:
        """Return one entry. Raises CacheEntryError."""
        self.flush()
        found = self._entries("get_entry", (entry_id,))
        if not found:
            raise _unknown(entry_id)
        return found[0]

    def used(self, entry_id: str) -> None:
        """Count a use. It is written later, together with others."""
        with self._uses_lock:
            self._uses[entry_id] += 1
            is_enough = len(self._uses) >= _MOST_USES
        if is_enough:
            self.flush()

    def flush(self) -> None:
        """Write the counted uses. Raises StoreError."""
        with self._uses_lock:
            uses, self._uses = self._uses, Counter()
        if uses:
            self.count_uses(uses)

    def count_uses(self, uses: Mapping[str, int]) -> None:
        """Add to the uses of entries, by id; a store that can only be read counts none. Raises StoreError."""
        if not self._database.is_read_only:
            rows = [(count, entry_id) for entry_id, count in uses.items()]
            self._database.write(lambda connection: connection.executemany(self._sql["use_entry"], rows))

    def expire(self, entry_id: str) -> None:
        """Let an entry expire now; it stays listed. Raises CacheEntryError."""
        self._change("expire_entry", entry_id, {"id": entry_id, "now": now().timestamp()})

    def renew(self, entry_id: str, expires: dt.datetime) -> None:
        """Let an entry expire at another moment, e.g. to undo `expire`; a dropped value stays gone. Raises CacheEntryError."""
        self._change("renew_entry", entry_id, {"id": entry_id, "expires": expires.timestamp()})

    def pin(self, entry_id: str, *, pinned: bool = True) -> None:
        """Protect an entry from sweeps, or stop protecting it. Raises CacheEntryError."""
        self._change("pin_entry", entry_id, (int(pinned), entry_id))

    def _change(self, statement: str, entry_id: str, given: Any) -> None:  # noqa: ANN401  # what sqlite3 takes
        def change(connection: sqlite3.Connection) -> int:
            return connection.execute(self._sql[statement], given).rowcount

        if not self._database.write(change):
            raise _unknown(entry_id)

    def _entries(self, statement: str, given: Any) -> list[CacheEntry]:  # noqa: ANN401  # what sqlite3 takes
        return [self.entry(row) for row in self._database.read(self._sql[statement], given)]

    def entry(self, row: tuple[Any, ...]) -> CacheEntry:
        """Return the entry in a row of `cache_entry`."""
        (entry_id, project, flow, task, cache_key, created, expires, input_hashes, parameters, *rest) = row
        code_hash, digest, size_bytes, run_id, uses, pinned, dropped = rest
        inputs, given = read_inputs(input_hashes), read_parameters(parameters)
        return CacheEntry(
            project=project,
            flow=flow,
            task=task,
            ref=ResultRef(digest.hex(), size_bytes, self._values),
            expires=from_stamp(expires) or NEVER,
            created=from_stamp(created) or NEVER,
            cache_key=cache_key,
            input_hashes=inputs.hashes,
            input_texts=inputs.texts,
            parameters=given.plain,
            parameter_texts=given.texts,
            code_hash=code_hash,
            run_id=run_id,
            id=entry_id,
            uses=uses,
            pinned=bool(pinned),
            dropped=from_stamp(dropped),
        )


def _row(entry: CacheEntry) -> tuple[object, ...]:
    return (
        entry.id,
        entry.project,
        entry.flow,
        entry.task,
        entry.cache_key,
        entry.created.timestamp(),
        entry.expires.timestamp(),
        write_inputs(entry.input_hashes, entry.input_texts),
        write_parameters(entry.parameters, entry.parameter_texts),
        entry.code_hash,
        bytes.fromhex(entry.ref.digest),
        entry.ref.size_bytes,
        entry.run_id,
        entry.uses,
        int(entry.pinned),
    )


def _unknown(entry_id: str) -> CacheEntryError:
    msg = f"There is no cache entry {entry_id!r} in this store. flowbook.cache.entries() lists those that there are."
    return CacheEntryError(msg, id=entry_id)
