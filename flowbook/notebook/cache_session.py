"""A cache browser's session: which stored outputs were valid at a moment, and the values themselves, for whichever view asks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flowbook.engine.graph import Graph
from flowbook.notebook.cache_view import MOST_ENTRIES, CacheView
from flowbook.notebook.command_worker import Command, CommandWorker, RefusedError
from flowbook.notebook.patch_feed import PatchFeed
from flowbook.notebook.run_projection import RunProjection
from flowbook.notebook.value_access import assigned_text, html_of, identifier, page_request
from flowbook.notebook.value_comparison import Comparisons

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.notebook.pacer import Pacer
    from flowbook.notebook.ports import CacheLike, EntryLike, ValuesLike
    from flowbook.notebook.value_access import Pager
    from flowbook.results.reference import ResultRef

__all__ = ["MOST_ENTRIES", "BelowEntry", "CacheActions", "CacheSession"]

_READ_ONLY = "This browser only shows. Use flowbook.cache.pin(...) or flowbook.cache.expire(...)."


class BelowEntry:
    """What `CacheActions.below` gives: a run of all that lies below an entry's task, planned and then started."""

    def plan(self) -> Mapping[str, Any]:
        """Return the plan, as `RunPlan.plain` has it."""
        raise RefusedError(_NO_RUNS)

    def start(self) -> str:
        """Start the run and show it; return a sentence about it."""
        raise RefusedError(_NO_RUNS)


_NO_RUNS = "This browser can't start runs. Use flow.as_of(...).run_below(...)."


def _refuse_variable(wanted: str, value: object) -> str:
    del wanted, value
    msg = "There is no namespace to write to here. Take the value through flowbook.cache."
    raise RefusedError(msg)


def _refuse_change(*_: object) -> None:
    raise RefusedError(_READ_ONLY)


@dataclass(frozen=True, slots=True)
class CacheActions:
    """What the browser may do; each refuses by default.

    Attributes:
        assign: writes a value into the user's namespace under the wanted name, or one like it; returns the chosen name.
        pin: has an entry's value kept by every sweep, or no longer.
        expire: makes an entry invalid from now on.
        renew: makes an entry valid again up to a moment.
        below: returns what runs all that lies below an entry's task, with its value.
    """

    assign: Callable[[str, object], str] = _refuse_variable
    pin: Callable[[str, bool], object] = _refuse_change
    expire: Callable[[str], object] = _refuse_change
    renew: Callable[[str, dt.datetime], object] = _refuse_change
    below: Callable[[EntryLike], BelowEntry] = lambda _: BelowEntry()


class CacheSession:
    """Shows the entries of a cache to one view, or to several that move together. It knows no host: see `listen` and `hear`.

    Args:
        cache: the index.
        values: the stored values.
        actions: what it may do.
        task: list this task's entries at first.
        at: the moment to start at (aware); default: now.
        pager: returns a Pager for a value.
        pages: returns the Pager of an entry's value, instead of `pager` with the loaded value.
        kept: where a process must not load pickles: returns what a preview holds, as plain data.
        numbers: returns the numbers of recorded runs, by id.
        now: seconds since the epoch.
    """

    _reads: ClassVar[frozenset[str]] = frozenset(
        {"as-of", "compare-values", "filter", "plan-below", "select", "page", "render"}
    )

    def __init__(  # noqa: PLR0913  # its surroundings, by keyword
        self,
        cache: CacheLike,
        values: ValuesLike,
        *,
        actions: CacheActions | None = None,
        task: str | None = None,
        at: dt.datetime | None = None,
        pager: Callable[[object], Pager] | None = None,
        pages: Callable[[ResultRef], Pager] | None = None,
        kept: Callable[[dict[str, Any] | None], object] | None = None,
        numbers: Callable[[Sequence[str]], Mapping[str, object]] = lambda _: {},
        now: Callable[[], float] = time.time,
    ) -> None:
        self._values = values
        self._actions = actions or CacheActions()
        make_pager = pager or _new_pager
        self._pages = pages or (lambda ref: make_pager(values.load(ref)))
        self._view = CacheView(cache, values, numbers, now)
        self._view.filter_by({"task": task})
        self._view.go_to(at.timestamp() if at is not None else None)
        self._opened: tuple[str, Pager] | None = None
        self._comparisons = Comparisons(
            lambda source: self._values.load(self._entry_in(source).ref),
            None if kept is None else lambda source: kept(self._values.preview(self._entry_in(source).ref)),
        )
        #: When entries would have become invalid that were made so here, by their ids.
        self._expired: dict[str, dt.datetime] = {}
        self._is_over = False
        #: Who is told, each a function of a message.
        self._receivers: list[Callable[[dict[str, Any]], object]] = []
        #: A feed without a run; it sends messages in order, in the context of the newest `hello`.
        self._outbox = PatchFeed(self._send, RunProjection(Graph("", {}, {}, (), ())))
        self._worker = CommandWorker(self._outbox.post, self._handlers(), self._reads)

    def start(self, pacer: Pacer | None = None) -> None:
        """Begin to send, in the thread of `pacer` or one of its own, and to execute in another."""
        self._outbox.start(pacer)
        self._worker.start()

    @property
    def snapshot(self) -> dict[str, Any]:
        """SNAPSHOT of the wire, as of now, without rows: those are the user's data, and go by message only."""
        return self._plain() | {"page": None, "preview": None}

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

    def _handlers(self) -> dict[str, Callable[[Command], str]]:
        return {
            "as-of": self._on_as_of,
            "compare-values": self._on_compare,
            "expire": self._on_expire,
            "filter": self._on_filter,
            "page": self._on_page,
            "pin": self._on_pin,
            "plan-below": self._on_plan_below,
            "render": self._on_render,
            "renew": self._on_renew,
            "run-below": self._on_run_below,
            "select": self._on_select,
            "to-variable": self._on_to_variable,
        }

    # What is shown

    def _on_as_of(self, command: Command) -> str:
        at = command.get("at")
        if at is not None and (not isinstance(at, (int, float)) or isinstance(at, bool)):
            msg = f"A moment is a number of seconds since 1970, or null for now, not {at!r}."
            raise RefusedError(msg)
        self._view.go_to(float(at) if at is not None else None)
        self._refresh()
        return ""

    def _on_filter(self, command: Command) -> str:
        self._view.filter_by(command)
        self._refresh()
        return ""

    def _on_select(self, command: Command) -> str:
        entry = command.get("entry")
        self._view.choose(self._view.entry(entry) if entry is not None else None)
        self._refresh()
        return ""

    def _on_page(self, command: Command) -> str:
        page = self._pager_of(self._entry_in(command.get("source"))).page(**page_request(command))
        self._outbox.post({"type": "page", "id": command["id"], "frame": page})
        return ""

    def _on_render(self, command: Command) -> str:
        html = html_of(self._values.load(self._entry_in(command.get("source")).ref))
        self._outbox.post({"type": "rendered", "id": command["id"], "html": html})
        return ""

    def _on_compare(self, command: Command) -> str:
        answer = self._comparisons.answer(command)
        versions = self._view.versions(self._entry_in(command.get("second")))
        self._outbox.post({**answer, "versions": versions})
        return ""

    # What is done

    def _on_to_variable(self, command: Command) -> str:
        if command.get("what") == "difference":
            task = self._entry_in(command.get("second")).task
            wanted, value = f"{identifier(task)}_difference", self._comparisons.difference(command)
            return assigned_text(wanted, self._actions.assign(wanted, value))
        entry = self._view.entry(command.get("entry"))
        wanted = identifier(entry.task)
        return assigned_text(wanted, self._actions.assign(wanted, self._values.load(entry.ref)))

    def _on_pin(self, command: Command) -> str:
        entry, is_pinned = self._view.entry(command.get("entry")), command.get("pinned") is True
        self._actions.pin(entry.id, is_pinned)
        self._refresh()
        return "Pinned: no sweep deletes this value." if is_pinned else "No longer pinned."

    def _on_expire(self, command: Command) -> str:
        entry = self._view.entry(command.get("entry"))
        self._actions.expire(entry.id)
        if entry.expires is not None:
            self._expired[entry.id] = entry.expires
        self._view.choose(entry)  # it stays in sight, so that this can be undone
        self._refresh()
        return f"Expired: the next run runs {entry.task} again."

    def _on_renew(self, command: Command) -> str:
        entry = self._view.entry(command.get("entry"))
        before = self._expired.pop(entry.id, None)
        if before is None:
            msg = f"This entry of {entry.task} didn't expire here, so there is nothing to undo."
            raise RefusedError(msg)
        self._actions.renew(entry.id, before)
        self._refresh()
        return "Valid again, as it was."

    def _on_plan_below(self, command: Command) -> str:
        plan = self._actions.below(self._view.entry(command.get("entry"))).plan()
        self._outbox.post({"type": "plan", "id": command["id"], "plan": dict(plan)})
        return ""

    def _on_run_below(self, command: Command) -> str:
        return self._actions.below(self._view.entry(command.get("entry"))).start()

    def _entry_in(self, source: object) -> EntryLike:
        return self._view.entry(source.get("entry") if isinstance(source, dict) else None)

    def _pager_of(self, entry: EntryLike) -> Pager:
        if self._opened is None or self._opened[0] != entry.id:
            self._opened = (entry.id, self._pages(entry.ref))
        return self._opened[1]

    def _refresh(self) -> None:
        """Send the current view. Not through the trait, which a saved notebook may hold: rows are the user's data."""
        self._outbox.post({"type": "snapshot", **self._plain()})

    def _plain(self) -> dict[str, Any]:
        found = self._view.plain()
        for row in found["entries"]:
            if row["id"] in self._expired:
                row["undo"] = True
        return found


def _new_pager(value: object) -> Pager:
    from flowbook.results.frame_pager import FramePager  # noqa: PLC0415  # loads pandas

    return FramePager(value)
