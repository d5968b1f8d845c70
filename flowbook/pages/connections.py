"""The connections of browsers' pages: what each is told, numbered and kept until it has arrived, so that a cut stream goes on.

A connection outlasts its stream: a page that comes back names the last number that it has, and gets what came since. From any
thread; `told` belongs to the server's event loop.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["Connection", "Connections", "Subject"]

Message = dict[str, Any]
#: What is kept for a page that is away: beyond this, it is told everything anew when it comes back.
_MOST_KEPT, _MOST_CHARACTERS = 5000, 16_000_000
#: A page without a stream for this long is gone; a browser in the background opens its stream again within a minute or two.
_AWAY_S = 300.0
#: How often a silent stream says that it is there: proxies close what is silent for a minute.
_ALIVE_S = 15.0
_MOST_CONNECTIONS = 500


class Subject(Protocol):
    """What a page shows: it tells what changes, and hears what a person does."""

    def listen(self, receiver: Callable[[Message], object]) -> Callable[[], None]:
        """From now on tell `receiver` every message; returns a function that ends this."""
        ...

    def hear(self, content: object) -> None:
        """Take what a view said, and return at once."""
        ...

    def opening(self) -> list[Message]:
        """Return what a page has to be told first."""
        ...

    def leave(self) -> None:
        """Take notice that one page that showed it is gone."""
        ...


class _Kept(NamedTuple):
    number: int
    text: str


class Connection:
    """One page's view of a subject.

    Args:
        name: chosen by the page; nobody else can guess it.
        subject: what it shows.
        clock: monotonic seconds.
    """

    def __init__(self, name: str, subject: Subject, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.subject = subject
        self._clock = clock
        self._kept: deque[_Kept] = deque()
        self._characters = 0
        self._number = 0
        self._lock = RankedLock(Rank.PAGES)
        #: Wakes the one stream that there is; a newer one takes its place.
        self._wake: Callable[[], object] = lambda: None
        self._stream: object | None = None
        self._left = clock()
        self._is_closed = False
        self._stop = subject.listen(self.tell)

    @property
    def is_gone(self) -> bool:
        """Whether the page has had no stream for so long that it won't come back."""
        return self._stream is None and self._clock() - self._left > _AWAY_S

    def tell(self, message: Message) -> None:
        """Have a message sent, after those before it."""
        text = json.dumps(message, separators=(",", ":"), default=str)
        with self._lock:
            self._number += 1
            self._kept.append(_Kept(self._number, text))
            self._characters += len(text)
            while len(self._kept) > _MOST_KEPT or self._characters > _MOST_CHARACTERS:
                self._characters -= len(self._kept.popleft().text)
            wake = self._wake
        wake()

    async def told(self, after: int) -> AsyncIterator[str]:
        """Yield the stream of what the page is told, as server-sent events; it ends when a newer one begins.

        Args:
            after: number of the last message that the page has; 0 if it has none.
        """
        woken, mine = asyncio.Event(), object()
        self._begin(mine, woken, asyncio.get_running_loop())
        sent = self._resumed(after)
        try:
            yield _event(None, {"type": "opened", "fresh": sent is None})
            if sent is None:
                sent = await asyncio.to_thread(self._begin_anew)
            while self._stream is mine and not self._is_closed:
                woken.clear()
                found = self._since(sent)
                for number, text in found:
                    yield f"id: {number}\ndata: {text}\n\n"
                    sent = number
                if not found and not await _waited(woken):
                    yield ": alive\n\n"
        finally:
            self._end(mine)

    def close(self) -> None:
        """Stop listening; end the stream. Calling it again does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._stop()
        self.subject.leave()
        self._wake()

    def _begin(self, mine: object, woken: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(woken.set)

        with self._lock:
            before, self._wake, self._stream = self._wake, wake, mine
        before()

    def _end(self, mine: object) -> None:
        with self._lock:
            if self._stream is mine:
                self._stream, self._wake, self._left = None, lambda: None, self._clock()

    def _resumed(self, after: int) -> int | None:
        """Return the number from which a page can go on; None if it must be told everything anew."""
        with self._lock:
            first = self._kept[0].number if self._kept else self._number + 1
            return after if 0 < after <= self._number and after >= first - 1 else None

    def _begin_anew(self) -> int:
        """Forget what the page hasn't got, and tell it the present; return the number before that."""
        with self._lock:
            self._kept.clear()
            self._characters, number = 0, self._number
        for message in self.subject.opening():
            self.tell(message)
        return number

    def _since(self, number: int) -> list[_Kept]:
        with self._lock:
            return [each for each in self._kept if each.number > number]


class Connections:
    """All connections of a server, by name."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._lock = RankedLock(Rank.PAGES)

    def open(self, name: str, subject: Callable[[], Subject]) -> Connection:
        """Return the connection of that name, or a new one; forget those whose pages are gone."""
        self.forget_gone()
        found = self._connections.get(name)
        if found is not None:
            return found
        made = Connection(name, subject())
        with self._lock:
            found = self._connections.setdefault(name, made)
            over = list(self._connections)[: max(0, len(self._connections) - _MOST_CONNECTIONS)]
            closing = [self._connections.pop(each) for each in over]
        for each in [*closing, *([made] if found is not made else [])]:
            each.close()
        return found

    def get(self, name: str) -> Connection | None:
        """Return the connection of that name."""
        return self._connections.get(name)

    def forget_gone(self) -> None:
        """Close the connections whose pages are gone."""
        with self._lock:
            gone = [name for name, each in self._connections.items() if each.is_gone]
            closing = [self._connections.pop(name) for name in gone]
        for each in closing:
            each.close()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            closing, self._connections = list(self._connections.values()), {}
        for each in closing:
            each.close()


async def _waited(woken: asyncio.Event) -> bool:
    """Wait until there is more, at most until the stream has to say that it is there; return whether there is."""
    try:
        await asyncio.wait_for(woken.wait(), _ALIVE_S)
    except TimeoutError:
        return False
    return True


def _event(number: int | None, message: Message) -> str:
    head = "" if number is None else f"id: {number}\n"
    return f"{head}data: {json.dumps(message, separators=(',', ':'))}\n\n"
