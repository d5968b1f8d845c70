"""Finds cached outputs for the runs of one flow by the hashes of their inputs, also where a task has very many.

Memory has the keys of entries by hash, for the tasks that were looked up; each lookup first adds the entries that others
made meanwhile. The store says each time whether an entry is still valid, unless nothing was committed since it was read:
then the entry itself is in memory, with a small value as bytes, from which each reader makes its own.
"""

from __future__ import annotations

import bisect
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.ports import CacheScope
from flowbook.store.cache import NEVER, CacheEntry
from flowbook.store.cached_output import StoredOutput
from flowbook.store.prefetch import Prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from flowbook.engine.ports import CachedOutput, NewOutput
    from flowbook.store.cache import Cache
    from flowbook.store.cache_rows import CacheRows
    from flowbook.store.cached_output import OutputRow
    from flowbook.store.values import Values

__all__ = ["CacheLookup", "ExpectedTasks"]

_FEW = 4
#: When an entry was created, and its key in the database: sorted like this, the last one is the newest.
_EntryKey = tuple[float, int]


class ExpectedTasks(NamedTuple):
    """The tasks of one flow whose outputs will be looked up, in this order."""

    project: str = ""
    flow: str = ""
    tasks: Sequence[str] = ()


class CacheLookup:
    """Looks outputs up for the runs of a flow: implements `CacheIndex`. From any thread.

    Args:
        rows: of the store's entries.
        cache: of the store.
        values: of the store.
        expected: tasks whose outputs are read ahead.
    """

    def __init__(self, rows: CacheRows, cache: Cache, values: Values, expected: ExpectedTasks | None = None) -> None:
        self._rows = rows
        self._values = values
        self._project, self._flow, self._tasks = expected or ExpectedTasks()
        self._number_of = {task: number for number, task in enumerate(self._tasks)}
        ahead = rows.first_ahead, rows.most_ahead
        self._tasks_ahead = Prefetch(self._read_tasks, rows.version, *ahead)
        self._numbers_ahead = Prefetch(self._read_numbers, rows.version, *ahead)
        self._seen_version: object = None
        self._cache = cache
        self._lock = RankedLock(Rank.CACHE_LOOKUP)
        #: By scope and names of inputs, as they were looked up: the entries by the hashes of these inputs.
        self._index: dict[CacheScope, dict[tuple[str, ...], dict[tuple[str, ...], list[_EntryKey]]]] = {}
        self._last = 0

    def find(self, scope: CacheScope, hashes: Mapping[str, str] | None = None) -> Iterable[CachedOutput]:
        """Return the entries of `scope` that are valid now, newest first; with `hashes` those whose inputs had these.

        Raises:
            StoreError: if the store can't be read.
        """
        few = self._few(scope, is_compared=bool(hashes))
        if few is None:
            return self._cache.find(scope) if not hashes else self._among_many(scope, hashes)
        return few if not hashes else [each for each in few if hashes.items() <= each.input_hashes.items()]

    def _among_many(self, scope: CacheScope, hashes: Mapping[str, str]) -> Iterator[CachedOutput]:
        scope = _found_by(scope)
        names = tuple(sorted(hashes))
        for _, number in self._newest_first(scope, names, tuple(hashes[name] for name in names)):
            row = self._numbers_ahead.get(number)
            if row is not None and (found := StoredOutput(self._values, row)).is_valid(time.time()):
                yield found

    def record(self, output: NewOutput) -> str:
        """Add an entry, return its id. Raises StoreError."""
        project, flow, task, cache_key = output.scope
        entry = CacheEntry(
            project=project,
            flow=flow,
            task=task,
            ref=output.ref,
            expires=output.expires or NEVER,
            created=output.created,
            cache_key=cache_key,
            input_hashes=output.input_hashes,
            input_texts=output.input_texts,
            parameters=output.parameters,
            parameter_texts=output.parameter_texts,
            code_hash=output.code_hash,
            run_id=output.run_id,
        )
        return self._cache.add(entry).id

    def used(self, entry_id: str) -> None:
        """Count a use."""
        self._cache.used(entry_id)

    def _few(self, scope: CacheScope, *, is_compared: bool) -> Sequence[CachedOutput] | None:
        """Return all valid entries of `scope` if they are few: most tasks have an entry or two. None otherwise."""
        if self._index and _found_by(scope) in self._index:
            return None
        project, flow, task, cache_key = scope
        number = self._number_of.get(task)
        if number is not None and cache_key is None and flow == self._flow and project == self._project:
            rows = self._tasks_ahead.get(number) or ()
            if len(rows) > _FEW:
                return None
            moment = time.time()
            read = [StoredOutput(self._values, row) for row in rows]
            return [each for each in read if each.is_valid(moment)]
        if not is_compared:
            return None
        found = self._cache.newest(scope, _FEW + 1)
        return found if len(found) <= _FEW else None

    def _read_tasks(self, start: int, end: int) -> dict[int, tuple[OutputRow, ...]]:
        """Return the newest entries of the expected tasks from one number up to another."""
        tasks = self._tasks[start:end]
        #: Tuples of plain values: Python's garbage collector stops tracking them.
        found: dict[int, tuple[OutputRow, ...]] = {}
        for row in self._rows.newest_of_tasks(self._project, self._flow, tasks, _FEW + 1):
            number = start + cast("int", row[0])
            found[number] = (*found.get(number, ()), row)
        return found

    def _read_numbers(self, start: int, end: int) -> dict[int, OutputRow]:
        return {cast("int", row[0]): row for row in self._rows.by_numbers(start, end)}

    def _newest_first(self, scope: CacheScope, names: tuple[str, ...], hashes: tuple[str, ...]) -> list[_EntryKey]:
        with self._lock:
            self._add_new_entries()
            known = self._index.setdefault(scope, {})
            if names not in known:
                known[names] = self._read(scope, names)
            return known[names].get(hashes, [])[::-1]

    def _add_new_entries(self) -> None:
        """Add the entries that this run or others made since the last lookup."""
        version = self._rows.version()
        if version == self._seen_version:
            return
        if self._index:
            self._index_new()
        else:
            self._last = self._rows.last_number()
        #: The version from before the query: the next lookup adds what was committed during it.
        self._seen_version = version

    def _index_new(self) -> None:
        rows: list[tuple[Any, ...]] = self._rows.inputs_since(self._last)
        for number, project, flow, task, cache_key, created, text in rows:
            self._last = number
            #: An output with a cache key is an output of its task as well.
            for scope in {CacheScope(project, flow, task), _found_by(CacheScope(project, flow, task, cache_key))}:
                for names, entries in self._index.get(scope, {}).items():
                    if (hashes := _chosen(text, names)) is not None:
                        bisect.insort(entries.setdefault(hashes, []), (created, number))

    def _read(self, scope: CacheScope, names: tuple[str, ...]) -> dict[tuple[str, ...], list[_EntryKey]]:
        found: dict[tuple[str, ...], list[_EntryKey]] = {}
        rows: list[tuple[Any, ...]] = self._rows.inputs_of(scope, self._last)
        for created, number, text in rows:
            if (hashes := _chosen(text, names)) is not None:
                found.setdefault(hashes, []).append((created, number))
        return found


def _found_by(scope: CacheScope) -> CacheScope:
    """Return the scope as entries are found by it: tasks that share a cache key share their outputs."""
    return scope if scope.cache_key is None else CacheScope("", "", "", scope.cache_key)


def _chosen(text: str, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the hashes of these inputs; None if one is missing."""
    hashes = json.loads(text)
    return tuple(hashes[name] for name in names) if all(name in hashes for name in names) else None
