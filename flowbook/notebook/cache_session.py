"""A cache browser's session: which stored outputs were valid at a moment, and the values themselves, for whichever view asks."""

from __future__ import annotations

import datetime as dt
import functools
import time
from typing import TYPE_CHECKING, Any, ClassVar

from flowbook.engine.graph import Graph
from flowbook.exceptions import FlowbookError
from flowbook.notebook.command_worker import Command, CommandWorker, RefusedError
from flowbook.notebook.patch_feed import PatchFeed
from flowbook.notebook.run_projection import RunProjection
from flowbook.notebook.value_access import assigned_text, html_of, identifier, page_request
from flowbook.report import phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.notebook.pacer import Pacer
    from flowbook.notebook.ports import CacheLike, EntryLike, ValuesLike, WindowLike
    from flowbook.notebook.value_access import Pager
    from flowbook.results.reference import ResultRef

__all__ = ["MOST_ENTRIES", "CacheSession"]

#: At most this many entries are listed, the newest at the moment; slider and filters reach the others.
MOST_ENTRIES = 500
#: How many versions of one output are searched for the one that was valid at a moment.
_MOST_VERSIONS = 100
_READ_ONLY = "This browser only shows. Use flowbook.cache.pin(...) or flowbook.cache.expire(...)."
_FOREVER = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


class CacheSession:
    """Shows the entries of a cache to one view, or to several that move together. It knows no host: see `listen` and `hear`.

    Args:
        cache: the index.
        values: the stored values.
        assign: writes a value into the user's namespace under the wanted name, or one like it; returns the chosen name.
        pin: has an entry's value kept by every sweep, or no longer.
        expire: makes an entry invalid from now on.
        task: list this task's entries at first.
        at: the moment to start at (aware); default: now.
        pager: returns a Pager for a value.
        pages: returns the Pager of an entry's value, instead of `pager` with the loaded value.
        numbers: returns the numbers of recorded runs, by id.
        now: seconds since the epoch.
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"as-of", "filter", "select", "page", "render"})

    def __init__(  # noqa: PLR0913  # its surroundings, by keyword
        self,
        cache: CacheLike,
        values: ValuesLike,
        *,
        assign: Callable[[str, object], str] | None = None,
        pin: Callable[[str, bool], object] | None = None,
        expire: Callable[[str], object] | None = None,
        task: str | None = None,
        at: dt.datetime | None = None,
        pager: Callable[[object], Pager] | None = None,
        pages: Callable[[ResultRef], Pager] | None = None,
        numbers: Callable[[Sequence[str]], Mapping[str, object]] = lambda _: {},
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._values = values
        self._assign = assign
        self._pin, self._expire = pin, expire
        make_pager = pager or _pager_of
        self._pages = pages or (lambda ref: make_pager(values.load(ref)))
        self._numbers_of = numbers
        self._now = now
        self._at = at.timestamp() if at is not None else None
        self._filter: dict[str, str] = {"task": task} if task else {}
        #: Whether the chosen entry follows the slider; ends when a person clicks another.
        self._is_following = True
        #: The entry that the person chose; the version of it that was valid at the moment is shown.
        self._chosen: EntryLike | None = None
        #: Filters by what the store can't filter by; the same function as long as the filter is the same.
        self._choose: Callable[[Sequence[EntryLike]], list[EntryLike]] | None = None
        self._opened: tuple[str, Pager] | None = None
        self._is_over = False
        #: Facts that never change: types by digest, numbers by run.
        self._types: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        handlers = {
            "as-of": self._on_as_of,
            "filter": self._on_filter,
            "select": self._on_select,
            "page": self._on_page,
            "render": self._on_render,
            "to-variable": self._on_to_variable,
            "pin": self._on_pin,
            "expire": self._on_expire,
        }
        #: Who is told, each a function of a message.
        self._receivers: list[Callable[[dict[str, Any]], object]] = []
        #: A feed without a run; it sends messages in order, in the context of the newest `hello`.
        self._outbox = PatchFeed(self._send, RunProjection(Graph("", {}, {}, (), ())))
        self._worker = CommandWorker(self._outbox.post, handlers, self._reads)

    def start(self, pacer: Pacer | None = None) -> None:
        """Begin to send, in the thread of `pacer` or one of its own, and to execute in another."""
        self._outbox.start(pacer)
        self._worker.start()

    @property
    def snapshot(self) -> dict[str, Any]:
        """SNAPSHOT of the wire, as of now, without rows: those are the user's data, and go by message only."""
        return self._view() | {"page": None, "preview": None}

    def listen(self, receiver: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """From now on tell `receiver` every message, in the feed's thread; returns a function that ends this."""
        self._receivers.append(receiver)
        return lambda: self._receivers.remove(receiver) if receiver in self._receivers else None

    def answer_here(self) -> None:
        """From now on send in the caller's context: that of a view's message, where its host needs that."""
        self._outbox.hello()

    def hear(self, content: object) -> None:
        """Take what a view said, and return at once."""
        if isinstance(content, dict) and content.get("type") == "hello":
            self._outbox.post({"type": "ack", "id": content.get("id"), "ok": True, "text": ""})
            self._worker.call(self._refresh)
            return
        self._worker.take(content)

    def close(self) -> None:
        """End the threads. Calling it again does nothing."""
        if self._is_over:
            return
        self._is_over = True
        self._worker.close()
        self._outbox.close()

    def _send(self, message: dict[str, Any]) -> None:
        for receiver in list(self._receivers):
            receiver(message)

    def _on_as_of(self, command: Command) -> str:
        at = command.get("at")
        if at is not None and (not isinstance(at, (int, float)) or isinstance(at, bool)):
            msg = f"A moment is a number of seconds since 1970, or null for now, not {at!r}."
            raise RefusedError(msg)
        if at is not None:
            _moment(at)
        self._at = float(at) if at is not None else None
        self._is_following = True
        self._refresh()
        return ""

    def _on_filter(self, command: Command) -> str:
        names = ("flow", "task", "kind", "parameters")
        self._filter = {name: str(command[name]) for name in names if command.get(name)}
        is_beyond_names = "kind" in self._filter or "parameters" in self._filter
        self._choose = functools.partial(self._fitting) if is_beyond_names else None
        self._refresh()
        return ""

    def _on_select(self, command: Command) -> str:
        entry = command.get("entry")
        self._chosen = self._entry(entry) if entry is not None else None
        self._is_following = False
        self._refresh()
        return ""

    def _on_page(self, command: Command) -> str:
        source = command.get("source")
        entry = self._entry(source.get("entry") if isinstance(source, dict) else None)
        page = self._pager_of(entry).page(**page_request(command))
        self._outbox.post({"type": "page", "id": command["id"], "frame": page})
        return ""

    def _on_render(self, command: Command) -> str:
        source = command.get("source")
        entry = self._entry(source.get("entry") if isinstance(source, dict) else None)
        html = html_of(self._values.load(entry.ref))
        self._outbox.post({"type": "rendered", "id": command["id"], "html": html})
        return ""

    def _on_to_variable(self, command: Command) -> str:
        if self._assign is None:
            msg = "There is no namespace to write to here. Take the value through flowbook.cache."
            raise RefusedError(msg)
        entry = self._entry(command.get("entry"))
        wanted = identifier(entry.task)
        return assigned_text(wanted, self._assign(wanted, self._values.load(entry.ref)))

    def _on_pin(self, command: Command) -> str:
        entry, is_pinned = self._entry(command.get("entry")), command.get("pinned") is True
        if self._pin is None:
            raise RefusedError(_READ_ONLY)
        self._pin(entry.id, is_pinned)
        self._refresh()
        return "Pinned: no sweep deletes this value." if is_pinned else "No longer pinned."

    def _on_expire(self, command: Command) -> str:
        entry = self._entry(command.get("entry"))
        if self._expire is None:
            raise RefusedError(_READ_ONLY)
        self._expire(entry.id)
        self._refresh()
        return f"Expired: the next run makes {entry.task} anew."

    def _entry(self, entry_id: object) -> EntryLike:
        try:
            return self._cache.entry(str(entry_id))
        except FlowbookError as error:
            msg = f"The cache has no entry {phrases.shorten(str(entry_id), 80)!r} any more."
            raise RefusedError(msg) from error

    def _pager_of(self, entry: EntryLike) -> Pager:
        if self._opened is None or self._opened[0] != entry.id:
            self._opened = (entry.id, self._pages(entry.ref))
        return self._opened[1]

    def _refresh(self) -> None:
        """Send the current view. Not through the trait, which a saved notebook may hold: rows are the user's data."""
        self._outbox.post({"type": "snapshot", **self._view()})

    def _view(self) -> dict[str, Any]:
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
                "flows": _distinct(flow for flow, _ in names),
                "tasks": _distinct(task for _, task in names),
                "types": _distinct(self._types.values()),
            },
            "filter": dict(self._filter),
            "selected": selected.id if selected is not None else None,
            "page": (noted or {}).get("page"),
            "preview": noted,
        }

    def _window(self, at: float, limit: int, *wanted: Any) -> WindowLike:  # noqa: ANN401  # see CacheLike
        return self._cache.window(_moment(at), limit, *wanted)

    def _version(self, shown: Sequence[EntryLike], at: float) -> EntryLike | None:
        """Return the entry to show: the chosen one, or while following the slider its version that was valid then."""
        chosen = self._chosen if self._chosen is not None and self._fitting([self._chosen]) else None
        if not self._is_following:
            return chosen
        serving = [entry for entry in reversed(shown) if _is_valid(entry, at)]
        if chosen is None:
            return next(iter(serving), None)
        versions = [entry for entry in serving if (entry.flow, entry.task) == (chosen.flow, chosen.task)]
        if not versions:  # newer entries may have pushed them out of the list
            known = self._window(at, _MOST_VERSIONS, chosen.flow, chosen.task).entries
            versions = [entry for entry in reversed(known) if _is_valid(entry, at) and self._fitting([entry])]
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
            and text in _parameters(entry.parameters).lower().replace("=", " ")
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

    def _row(self, entry: EntryLike, at: float) -> dict[str, Any]:
        created = entry.created.timestamp()
        expires = entry.expires.timestamp() if entry.expires is not None and entry.expires < _FOREVER else None
        return {
            "id": entry.id,
            "flow": entry.flow,
            "task": entry.task,
            "parameters": _parameters(entry.parameters),
            "size_bytes": entry.ref.size_bytes,
            "size": _size(entry.ref.size_bytes),
            "uses": entry.uses,
            "pinned": entry.pinned,
            "created": created,
            "expires": expires,
            "valid": _is_valid(entry, at),
            "type": self._types[entry.ref.digest],
            "run": self._numbers.get(entry.run_id or "", ""),
        }


def _moment(at: float) -> dt.datetime:
    """Return the moment of `at`, seconds since the epoch. Raises RefusedError."""
    try:
        return dt.datetime.fromtimestamp(at, dt.UTC)
    except (OverflowError, ValueError, OSError) as error:
        msg = f"{at!r} seconds since 1970 are out of reach of the clock. Give a moment between the years 1 and 9999."
        raise RefusedError(msg) from error


def _is_valid(entry: EntryLike, at: float) -> bool:
    return entry.created.timestamp() <= at and (entry.expires is None or at < _stamp(entry.expires))


def _stamp(moment: dt.datetime) -> float:
    """Return seconds since the epoch; infinite for the far future, which some platforms can't convert."""
    return moment.timestamp() if moment < _FOREVER else float("inf")


def _distinct(names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name})


def _parameters(parameters: Mapping[str, object] | None) -> str:
    """Return the parameters as one line: "origin JFK, month 7"."""
    plain: list[str] = []
    hashed: list[str] = []
    for name, value in (parameters or {}).items():
        # The index stores only the hash of a parameter that isn't a scalar.
        if isinstance(value, dict) and isinstance(value.get("$hash"), str):
            hashed.append(f"{name} #{value['$hash'][:8]}")
        else:
            plain.append(f"{name} {phrases.parameter_text(value)}")
    return phrases.shorten(", ".join(plain + hashed), 200)


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:  # noqa: PLR2004  # would round to 1000
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"  # noqa: PLR2004
        size /= 1000
    return f"{size:.1f} TB"


def _pager_of(value: object) -> Pager:
    from flowbook.results.frame_pager import FramePager  # noqa: PLC0415  # loads pandas

    return FramePager(value)
