"""Looks what is new in the store, once for all streams, and gives it to those who read them.

It looks as long as there are streams, 20 times a second, and for a minute longer after the last stream of all runs, so that
one that was cut goes on where it was. For one event loop; the store is read in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import anyio

from flowbook.api.event_buffer import EventBuffer
from flowbook.api.run_events import event_text, late_event_text, message
from flowbook.engine.events import FLOW
from flowbook.engine.state_kinds import FINISHED
from flowbook.exceptions import UnknownRunError
from flowbook.store.event_rows import STATE
from flowbook.store.late_events import LateEvents
from flowbook.store.process_identity import UNSETTLED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flowbook.store import Store
    from flowbook.store.event_feed import EventFeed, FeedRow
    from flowbook.store.run_snapshot import RunSnapshot

__all__ = ["ALL", "FLOWS", "Watcher", "end_of"]

#: Names of the streams of all runs: of every event, and of the states of runs alone.
ALL, FLOWS = "", "*"
_TICK_S = 0.05
_LINGER_S = 60.0
#: How often it is checked whether the process of a run still lives.
_LIFE_S = 1.0
#: A number that no event has: a snapshot since then reads none.
_NO_EVENTS = 2**62
_PAGE = 5000

_log = logging.getLogger("flowbook.api")


class _Asked(NamedTuple):
    """Up to which event a run is known and, as its stream has just begun, which events up to that one were there."""

    last: int
    begun: Sequence[int] | None


class _News(NamedTuple):
    """What one look found: by stream, messages, ends and what came late; and the newest number of the streams of all runs."""

    messages: dict[str, list[tuple[int, bytes]]]
    number: int
    ends: dict[str, bytes]
    late: dict[str, list[bytes]]


class Watcher:
    """Gives out the streams of one store.

    Args:
        store: the store.

    Attributes:
        generation: tells the numbers of this watcher's streams of all runs from those of others.
    """

    def __init__(self, store: Store) -> None:
        self.generation = secrets.token_hex(4)
        self.is_closed = False
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._buffers: dict[str, EventBuffer] = {}
        #: Which events were there when the buffer was made, by stream.
        self._there: dict[str, Sequence[int]] = {}
        self._feed: EventFeed | None = None
        self._number = 0
        self._idle_since = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._one_thread = anyio.CapacityLimiter(1)
        #: The store's version that was seen last, and when the lives of processes are looked at next. For the thread that reads.
        self._seen: object = None
        self._next_life = 0.0
        #: Runs that came to another state lately, and may be over.
        self._ending: set[str] = set()
        #: Which events of the runs that are streamed were read.
        self._read: dict[str, LateEvents] = {}
        self._is_failing = False

    @property
    def is_here(self) -> bool:
        """Whether it belongs to the event loop that runs now."""
        return self._loop is asyncio.get_running_loop() and not self.is_closed

    @contextmanager
    def reading(self, stream: str, last: int = 0, there: Sequence[int] = ()) -> Iterator[EventBuffer]:
        """Give the buffer of a stream: of a run, by its id, or of all runs.

        Args:
            stream: a run's id, `ALL` or `FLOWS`.
            last: number of the last event of the run, if nobody reads it yet.
            there: the numbers of its events up to that one, as `RunHistory.numbers` gives them.
        """
        buffer = self._buffers.get(stream)
        if buffer is None or buffer.end is not None:
            is_of_all = stream in {ALL, FLOWS}
            buffer = self._buffers[stream] = EventBuffer(self._number if is_of_all else last)
            self._there[stream] = there
        buffer.readers += 1
        self._go_on()
        try:
            yield buffer
        finally:
            buffer.readers -= 1
            self._idle_since = time.monotonic()

    def close(self) -> None:
        """End all streams; those who read them may come back to another server."""
        self.is_closed = True
        for buffer in self._buffers.values():
            buffer.finish(b"")
        if self._task is not None:
            self._task.cancel()

    async def prepare(self, stream: str) -> EventBuffer:
        """Return the buffer of a stream of all runs; it has what happens from now on, even if nobody reads it for a moment."""
        if self._feed is None:
            feed = await anyio.to_thread.run_sync(self._store.history.feed, limiter=self._one_thread)
            self._feed = self._feed or feed
        self._idle_since = time.monotonic()
        buffer = self._buffers.setdefault(stream, EventBuffer(self._number))
        self._go_on()
        return buffer

    def _go_on(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while self._tidy():
            await asyncio.sleep(_TICK_S)
            runs = {
                stream: _Asked(buffer.last, self._there[stream] if buffer.is_fresh else None)
                for stream, buffer in self._buffers.items()
                if stream not in {ALL, FLOWS}
            }
            try:
                news = await anyio.to_thread.run_sync(self._look, runs, limiter=self._one_thread)
            except Exception:  # noqa: BLE001  # a store that can't be read now may be later, and streams wait for it
                if not self._is_failing:
                    _log.warning("The store can't be read at the moment; trying again.", exc_info=True)
                self._is_failing, self._seen = True, None
            else:
                self._is_failing = False
                self._give(news, runs)
        self._feed = None

    def _tidy(self) -> bool:
        """Forget streams that nobody reads; return whether any are left."""
        is_lingering = time.monotonic() - self._idle_since < _LINGER_S
        for stream, buffer in list(self._buffers.items()):
            if not buffer.readers and not (is_lingering and stream in {ALL, FLOWS}):
                del self._buffers[stream]
                self._there.pop(stream, None)
        if not is_lingering and ALL not in self._buffers and FLOWS not in self._buffers:
            self._feed = None
        return bool(self._buffers)

    def _give(self, news: _News, asked: Mapping[str, _Asked]) -> None:
        self._number = news.number
        for stream, buffer in self._buffers.items():
            found = news.messages.get(stream, ())
            is_of_all = stream in {ALL, FLOWS}
            buffer.push([each for each in found if each[0] > buffer.last], news.number if is_of_all else None)
            buffer.push_late(news.late.get(stream, ()))
            if stream in asked and asked[stream].begun is not None:
                buffer.is_fresh = False
            if (end := news.ends.get(stream)) is not None and not found:
                buffer.finish(end)

    # In the thread that reads ---------------------------------------------------------------------------------------

    def _look(self, runs: Mapping[str, _Asked]) -> _News:
        """Return what is new in the runs, after the number of each, and in all runs."""
        version = self._store.requests.version()
        is_changed, self._seen = version != self._seen, version
        is_time = time.monotonic() >= self._next_life
        if is_time:
            self._next_life = time.monotonic() + _LIFE_S
        self._ending &= runs.keys()
        self._read = {run_id: read for run_id, read in self._read.items() if run_id in runs}
        messages: dict[str, list[tuple[int, bytes]]] = {}
        ends: dict[str, bytes] = {}
        late: dict[str, list[bytes]] = {}
        for run_id, (last, begun) in runs.items():
            if begun is not None:
                self._read[run_id] = LateEvents(begun)
            rows = self._unread(run_id) if is_changed or begun is not None or self._is_due(run_id) else []
            if not rows and (is_time or run_id in self._ending) and (end := self._end(run_id, last)) is not None:
                rows = self._last_of(run_id)
                if not rows:
                    ends[run_id] = end
            if rows:
                messages[run_id] = [(row.seq, event_text(row)) for row in rows if row.seq > last]
                late[run_id] = [late_event_text(row) for row in rows if row.seq <= last]
        rows = [] if self._feed is None else self._feed.news()
        return _News({**messages, **self._numbered(rows)}, self._number + len(rows), ends, late)

    def _is_due(self, run_id: str) -> bool:
        return self._read[run_id].is_due(time.monotonic())

    def _unread(self, run_id: str) -> list[FeedRow]:
        """Return events of a run that weren't read, at most so many that another look follows at once."""
        read = self._read[run_id]
        found = self._store.history.page(run_id, read.since(time.monotonic()), _PAGE)
        if len(found) == _PAGE:
            self._seen = None  # there may be more
        rows = read.unseen(found)
        if any(row.key == FLOW and row.kind == STATE for row in rows):
            self._ending.add(run_id)
        return rows

    def _last_of(self, run_id: str) -> list[FeedRow]:
        """Return what came late of a run that nobody has any more: all of it is there."""
        read, found = self._read[run_id], []
        since = read.gap
        while since is not None:
            page = self._store.history.page(run_id, since, _PAGE)
            found += read.unseen(page)
            since = page[-1].seq if len(page) == _PAGE else None
        read.settle()
        if found:
            self._ending.add(run_id)
        return found

    def _end(self, run_id: str, last: int) -> bytes | None:
        try:
            return end_of(self._store.history.snapshot(run_id, since=_NO_EVENTS), last)
        except UnknownRunError:
            return message("end", '{"state":"Deleted"}')

    def _numbered(self, rows: Sequence[FeedRow]) -> dict[str, list[tuple[int, bytes]]]:
        """Return new events as messages of the streams of all runs."""
        every, flows = [], []
        for number, row in enumerate(rows, self._number + 1):
            text = event_text(row, f"{self.generation}-{number}")
            every.append((number, text))
            if row.key == FLOW and row.kind == STATE:
                flows.append((number, text))
        return {ALL: every, FLOWS: flows}


def end_of(snapshot: RunSnapshot, last: int) -> bytes | None:
    """Return the message that ends the stream of a run of which all up to event `last` was sent; None if it goes on."""
    if snapshot.is_owned or snapshot.last_seq > last:
        return None
    if snapshot.state in UNSETTLED:
        return message("end", '{"state":"Crashed"}')
    return message("end", f'{{"state":"{snapshot.state}"}}') if snapshot.state in FINISHED else None
