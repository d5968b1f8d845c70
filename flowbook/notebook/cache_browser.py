"""The cache browser: a widget that goes back in time over kept outputs, and shows frames as they were."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from flowbook.engine.graph import Graph
from flowbook.notebook import words
from flowbook.notebook.assets import Assets, read_assets
from flowbook.notebook.board import Board
from flowbook.notebook.feed import Feed
from flowbook.notebook.routing import RoutedWidget
from flowbook.notebook.shown import identifier, page_request
from flowbook.notebook.worker import Command, RefusedError, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.notebook.ports import CacheLike, EntryLike, ValuesLike
    from flowbook.notebook.shown import Turns

__all__ = ["MOST_ENTRIES", "CacheBrowser"]

#: The newest so many entries are shown; the rest is reached by filters.
MOST_ENTRIES = 500
_FOREVER = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


class CacheBrowser(RoutedWidget):
    """Shows the entries of a cache.

    Args:
        cache: the index.
        values: where the values are.
        assign: writes a value into the user's namespace under the wanted name, or one like it; returns the chosen name.
        task: begin with this task's entries.
        at: begin at this moment (aware); now by default.
        assets: the views' code.
        pager: makes something that turns the pages of a value.
        number: gives the number of the run of that id, or an empty text where none was recorded.
        now: seconds since the epoch.
        is_started: whether to begin at once; a test may do the threads' work by itself.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    parts = traitlets.Dict().tag(sync=True)
    snapshot = traitlets.Dict().tag(sync=True)

    _reads: ClassVar[frozenset[str]] = frozenset({"as-of", "filter", "select", "page"})

    def __init__(  # noqa: PLR0913  # its surroundings, by keyword
        self,
        cache: CacheLike,
        values: ValuesLike,
        *,
        assign: Callable[[str, object], str] | None = None,
        task: str | None = None,
        at: dt.datetime | None = None,
        assets: Assets | None = None,
        pager: Callable[[object], Turns] | None = None,
        number: Callable[[str], str] = lambda _: "",
        now: Callable[[], float] = time.time,
        is_started: bool = True,
    ) -> None:
        code = assets or read_assets("cache")
        self._cache = cache
        self._values = values
        self._assign = assign
        self._pager = pager or _turns
        self._number = number
        self._now = now
        self._at = at.timestamp() if at is not None else None
        self._filter: dict[str, str] = {"task": task} if task else {}
        #: Whether the shown entry goes with the slider: until somebody clicks another.
        self._is_following = True
        #: What the person chose, and what is shown: the version of it that was valid at the moment.
        self._chosen: str | None = None
        self._selected: EntryLike | None = None
        #: All entries as of the last look; a row that is clicked is one of these.
        self._known: dict[str, EntryLike] = {}
        self._open: tuple[str, Turns] | None = None
        #: What is noted beside the values, and never changes: types by entry, numbers by run.
        self._types: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        handlers = {
            "as-of": self._on_as_of,
            "filter": self._on_filter,
            "select": self._on_select,
            "page": self._on_page,
            "to-variable": self._on_to_variable,
        }
        #: A feed without a run: it sends in order, in the context of the newest `hello`.
        self._outbox = Feed(self._say, Board(Graph("", {}, {}, (), ())))
        self._worker = Worker(self._outbox.post, handlers, self._reads)
        super().__init__(_esm=code.esm, parts=dict(code.parts), snapshot=self._look() | {"page": None, "preview": None})
        self.on_msg(self._heard)
        if is_started:
            self._outbox.start()
            self._worker.start()

    def close(self) -> None:
        """End the threads and take the widget away."""
        self._worker.close()
        self._outbox.close()
        super().close()

    def _heard(self, _widget: object, content: object, _buffers: object) -> None:
        self._outbox.hello()  # as in the panel: the newest message says where answers get through
        if isinstance(content, dict) and content.get("type") == "hello":
            self._outbox.post({"type": "ack", "id": content.get("id"), "ok": True, "text": ""})
            self._worker.call(self._refresh)
            return
        self._worker.take(content)

    def _say(self, message: dict[str, Any]) -> None:
        self.send(message)

    def _on_as_of(self, command: Command) -> str:
        at = command.get("at")
        if at is not None and (not isinstance(at, (int, float)) or isinstance(at, bool)):
            msg = f"A moment is a number of seconds since 1970, or null for now, not {at!r}."
            raise RefusedError(msg)
        self._at = float(at) if at is not None else None
        self._is_following = True
        self._refresh()
        return ""

    def _on_filter(self, command: Command) -> str:
        names = ("flow", "task", "kind", "parameters")
        self._filter = {name: str(command[name]) for name in names if command.get(name)}
        self._refresh()
        return ""

    def _on_select(self, command: Command) -> str:
        entry = command.get("entry")
        if entry is not None:
            self._entry(entry)
        self._chosen = entry
        self._is_following = False
        self._refresh()
        return ""

    def _on_page(self, command: Command) -> str:
        source = command.get("source")
        entry = self._entry(source.get("entry") if isinstance(source, dict) else None)
        page = self._turns(entry).page(**page_request(command))
        self._outbox.post({"type": "page", "id": command["id"], "frame": page})
        return ""

    def _on_to_variable(self, command: Command) -> str:
        if self._assign is None:
            msg = "There is no namespace to write to here. Take the value through flowbook.cache."
            raise RefusedError(msg)
        entry = self._entry(command.get("entry"))
        return f"Now in the variable {self._assign(identifier(entry.task), self._values.load(entry.ref))}."

    def _entry(self, entry_id: object) -> EntryLike:
        found = self._known.get(str(entry_id))
        if found is None:
            msg = f"The cache has no entry {words.shorten(str(entry_id), 80)!r} any more."
            raise RefusedError(msg)
        return found

    def _turns(self, entry: EntryLike) -> Turns:
        if self._open is None or self._open[0] != entry.id:
            self._open = (entry.id, self._pager(self._values.load(entry.ref)))
        return self._open[1]

    def _refresh(self) -> None:
        """Send what is to be seen now. Not by the trait: a saved notebook may hold that, and rows are the user's."""
        self._outbox.post({"type": "snapshot", **self._look()})

    def _look(self) -> dict[str, Any]:
        now = self._now()
        at = self._at if self._at is not None else now
        everything = sorted(self._cache.entries(), key=lambda entry: entry.created)
        self._known = {entry.id: entry for entry in everything}
        chosen = [entry for entry in everything if self._fits(entry)]
        shown = [self._shown(entry, at) for entry in chosen[-MOST_ENTRIES:]]
        selected = self._selected = self._version(chosen[-MOST_ENTRIES:], at)
        noted = self._noted(selected) if selected is not None else None
        return {
            "version": 1,
            "at": at,
            "now": now,
            "first": everything[0].created.timestamp() if everything else now,
            "entries": shown[::-1],
            "filters": {
                "flows": _distinct(entry.flow for entry in everything),
                "tasks": _distinct(entry.task for entry in everything),
                "types": _distinct(self._type(entry) for entry in everything[-MOST_ENTRIES:]),
            },
            "filter": dict(self._filter),
            "selected": selected.id if selected is not None else None,
            "page": (noted or {}).get("page"),
            "preview": noted,
        }

    def _version(self, shown: Sequence[EntryLike], at: float) -> EntryLike | None:
        """Return the entry to show: the chosen one, or with the slider its version that was valid then."""
        chosen = next((entry for entry in shown if entry.id == self._chosen), None)
        if not self._is_following:
            return chosen
        serving = [entry for entry in reversed(shown) if _is_valid(entry, at)]
        if chosen is None:
            return next(iter(serving), None)
        versions = [entry for entry in serving if (entry.flow, entry.task) == (chosen.flow, chosen.task)]
        alike = [entry for entry in versions if entry.parameters == chosen.parameters]
        return chosen if chosen in versions else next(iter(alike + versions), chosen)

    def _fits(self, entry: EntryLike) -> bool:
        wanted = self._filter
        return (
            wanted.get("flow", entry.flow) == entry.flow
            and wanted.get("task", entry.task) == entry.task
            and ("kind" not in wanted or wanted["kind"] == self._type(entry))
            and wanted.get("parameters", "").lower() in _parameters(entry.parameters).lower()
        )

    def _shown(self, entry: EntryLike, at: float) -> dict[str, Any]:
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
            "created": created,
            "expires": expires,
            "valid": _is_valid(entry, at),
            "type": self._type(entry),
            "run": self._run(entry.run_id or ""),
        }

    def _type(self, entry: EntryLike) -> str:
        if entry.id not in self._types:
            noted = self._values.preview(entry.ref)
            self._types[entry.id] = str((noted or {}).get("type") or "")
        return self._types[entry.id]

    def _run(self, run_id: str) -> str:
        if run_id not in self._numbers:
            self._numbers[run_id] = self._number(run_id) if run_id else ""
        return self._numbers[run_id]

    def _noted(self, entry: EntryLike) -> Mapping[str, Any] | None:
        """Return the entry's PREVIEW as it was noted when it was kept: nothing is loaded for a look."""
        return self._values.preview(entry.ref)


def _is_valid(entry: EntryLike, at: float) -> bool:
    return entry.created.timestamp() <= at and (entry.expires is None or at < _stamp(entry.expires))


def _stamp(moment: dt.datetime) -> float:
    """Return seconds since the epoch, also for the last day that there is, which some clocks can't tell."""
    return moment.timestamp() if moment < _FOREVER else float("inf")


def _distinct(names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name})


def _parameters(parameters: Mapping[str, object] | None) -> str:
    """Return the parameters as one line: "origin JFK, month 7"."""
    plain: list[str] = []
    hashed: list[str] = []
    for name, value in (parameters or {}).items():
        # Of a parameter that is no plain scalar the index keeps the hash only.
        if isinstance(value, dict) and isinstance(value.get("$hash"), str):
            hashed.append(f"{name} #{value['$hash'][:8]}")
        else:
            plain.append(f"{name} {words.parameter_text(value)}")
    return words.shorten(", ".join(plain + hashed), 200)


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:  # noqa: PLR2004  # would round to 1000
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"  # noqa: PLR2004
        size /= 1000
    return f"{size:.1f} TB"


def _turns(value: object) -> Turns:
    from flowbook.results.preview import FramePager  # noqa: PLC0415  # loads pandas

    return FramePager(value)
