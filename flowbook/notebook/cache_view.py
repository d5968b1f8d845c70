"""What the cache browser lists: the entries around a moment that fit its filters, and the one that is chosen.

Knows the store's index and previews; loads no value. For one thread at a time.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import FlowbookError
from flowbook.notebook.cache_rows import distinct, entry_row, is_valid, moment_of, parameters_text
from flowbook.notebook.command_worker import RefusedError
from flowbook.report import phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.notebook.ports import CacheLike, EntryLike, ValuesLike, WindowLike

__all__ = ["MOST_ENTRIES", "CacheView"]

#: At most this many entries are listed, the newest at the moment; slider and filters reach the others.
MOST_ENTRIES = 500
#: How many versions of one output are searched for the one that was valid at a moment, or offered to be compared.
_MOST_VERSIONS = 100
_FILTERS = ("flow", "task", "kind", "parameters")


class CacheView:
    """The list of a cache browser.

    Args:
        cache: the index.
        values: the stored values.
        numbers: returns the numbers of recorded runs, by id.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        cache: CacheLike,
        values: ValuesLike,
        numbers: Callable[[Sequence[str]], Mapping[str, object]],
        now: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._values = values
        self._numbers_of = numbers
        self._now = now
        #: The slider's, seconds since the epoch; None: now.
        self._at: float | None = None
        self._filter: dict[str, str] = {}
        #: Filters by what the store can't filter by; the same function as long as the filter is the same.
        self._choose: Callable[[Sequence[EntryLike]], list[EntryLike]] | None = None
        #: Whether the chosen entry follows the slider; ends when a person clicks another.
        self._is_following = True
        #: The entry that the person chose; the version of it that was valid at the moment is shown.
        self._chosen: EntryLike | None = None
        #: Facts that never change: types by digest, numbers by run.
        self._types: dict[str, str] = {}
        self._numbers: dict[str, str] = {}

    def go_to(self, at: float | None) -> None:
        """Show another moment; None: now, whenever that is. Raises RefusedError."""
        if at is not None:
            moment_of(at)
        self._at = at
        self._is_following = True

    def filter_by(self, wanted: Mapping[str, object]) -> None:
        """List only what fits `flow`, `task`, `kind` and `parameters`, as far as these are given."""
        self._filter = {name: str(wanted[name]) for name in _FILTERS if wanted.get(name)}
        is_beyond_names = "kind" in self._filter or "parameters" in self._filter
        self._choose = functools.partial(self._fitting) if is_beyond_names else None

    def choose(self, entry: EntryLike | None) -> None:
        """Show the value of an entry."""
        self._chosen = entry
        self._is_following = False

    def entry(self, entry_id: object) -> EntryLike:
        """Return an entry by its id, which came from the browser. Raises RefusedError."""
        try:
            return self._cache.entry(str(entry_id))
        except FlowbookError as error:
            msg = f"The cache has no entry {phrases.shorten(str(entry_id), 80)!r} any more."
            raise RefusedError(msg) from error

    def versions(self, entry: EntryLike) -> list[dict[str, Any]]:
        """Return the versions of an output, the newest first, as rows of the list."""
        now = self._now()
        known = self._window(now, _MOST_VERSIONS, entry.flow, entry.task).entries
        self._note(known)
        return [self._row(each, now) for each in reversed(known)]

    def plain(self) -> dict[str, Any]:
        """Return SNAPSHOT of the wire."""
        now = self._now()
        at = self._at if self._at is not None else now
        found = self._window(at, MOST_ENTRIES, self._filter.get("flow"), self._filter.get("task"), self._choose)
        entries = list(found.entries)
        selected = self._version(entries, at)
        if selected is not None and all(entry.id != selected.id for entry in entries):
            entries = sorted([*entries[1:], selected], key=lambda entry: entry.created)
        self._note(entries)
        first, names = self._cache.first(), self._cache.names()
        noted = self._values.preview(selected.ref) if selected is not None else None
        return {
            "version": 1,
            "at": at,
            "now": now,
            "first": first.timestamp() if first is not None else now,
            "entries": [self._row(entry, at) for entry in reversed(entries)],
            "total": found.total,
            "filters": {
                "flows": distinct(flow for flow, _ in names),
                "tasks": distinct(task for _, task in names),
                "types": distinct(self._types.values()),
            },
            "filter": dict(self._filter),
            "selected": selected.id if selected is not None else None,
            "page": (noted or {}).get("page"),
            "preview": noted,
        }

    def _row(self, entry: EntryLike, at: float) -> dict[str, Any]:
        return entry_row(entry, at, self._types[entry.ref.digest], self._numbers.get(entry.run_id or "", ""))

    def _window(self, at: float, limit: int, *wanted: Any) -> WindowLike:  # noqa: ANN401  # see CacheLike
        return self._cache.window(moment_of(at), limit, *wanted)

    def _version(self, shown: Sequence[EntryLike], at: float) -> EntryLike | None:
        """Return the entry to show: the chosen one, or while following the slider its version that was valid then."""
        chosen = self._chosen if self._chosen is not None and self._fitting([self._chosen]) else None
        if not self._is_following:
            return chosen
        serving = [entry for entry in reversed(shown) if is_valid(entry, at)]
        if chosen is None:
            return next(iter(serving), None)
        versions = [entry for entry in serving if (entry.flow, entry.task) == (chosen.flow, chosen.task)]
        if not versions:  # newer entries may have pushed them out of the list
            known = self._window(at, _MOST_VERSIONS, chosen.flow, chosen.task).entries
            versions = [entry for entry in reversed(known) if is_valid(entry, at) and self._fitting([entry])]
        alike = [entry for entry in versions if entry.parameters == chosen.parameters]
        same = [entry for entry in versions if entry.id == chosen.id]
        return next(iter(same + alike + versions), chosen)

    def _fitting(self, entries: Sequence[EntryLike]) -> list[EntryLike]:
        """Return those of the entries that fit the filter."""
        wanted = self._filter
        kind, text = wanted.get("kind"), wanted.get("parameters", "").lower().replace("=", " ")
        if kind is not None:
            self._note_types(entries)
        return [
            entry
            for entry in entries
            if wanted.get("flow", entry.flow) == entry.flow
            and wanted.get("task", entry.task) == entry.task
            and kind in {None, self._types.get(entry.ref.digest)}
            and text in parameters_text(entry.told_parameters).lower().replace("=", " ")
        ]

    def _note(self, entries: Sequence[EntryLike]) -> None:
        """Read types and run numbers of all new entries at once."""
        self._note_types(entries)
        runs = {entry.run_id: None for entry in entries if entry.run_id and entry.run_id not in self._numbers}
        if runs:
            found = self._numbers_of(list(runs))
            self._numbers.update((run_id, str(found.get(run_id, ""))) for run_id in runs)

    def _note_types(self, entries: Sequence[EntryLike]) -> None:
        new = {entry.ref.digest: entry.ref for entry in entries if entry.ref.digest not in self._types}
        if new:
            found = self._values.previews(new.values())
            self._types.update((digest, str(found.get(digest, {}).get("type") or "")) for digest in new)
