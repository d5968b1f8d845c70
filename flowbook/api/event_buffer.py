"""The last messages of one stream, held once for all who read it. For one event loop.

A message that comes late, after others with larger numbers, is held apart, and given to all who read at that moment.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EventBuffer"]

_MOST_BYTES = 8_000_000
_MOST_AT_ONCE_BYTES = 1_000_000
#: A run has as many late messages as tasks with large outputs, at most.
_MOST_LATE = 10_000


class EventBuffer:
    """Messages by growing numbers; there may be gaps between numbers.

    Args:
        last: number of the last message before the first that comes.

    Attributes:
        last: number of the newest message.
        late: how many messages came late.
        readers: how many read it.
        end: the message that ends the stream, once it is over; b"" if whoever reads may come back.
    """

    def __init__(self, last: int) -> None:
        self.last = last
        self.readers = 0
        self.end: bytes | None = None
        #: Whether the store has yet to be asked for what came since it was made.
        self.is_fresh = True
        #: Messages up to this number are not held any more.
        self._base = last
        self._numbers: list[int] = []
        self._texts: list[bytes] = []
        self._held_bytes = 0
        #: Late messages; `late` counts those that are not held any more, too.
        self._late: list[bytes] = []
        self.late = 0
        self._changed = asyncio.Event()
        #: What was given last, since most who read ask for the same.
        self._given: tuple[int, int, bytes] = (-1, -1, b"")

    def push(self, messages: Sequence[tuple[int, bytes]], last: int | None = None) -> None:
        """Add messages, and wake those who wait. With `last`, say that there is nothing up to that number beside them."""
        for number, text in messages:
            self._numbers.append(number)
            self._texts.append(text)
            self._held_bytes += len(text)
        self.last = max(self.last, messages[-1][0] if messages else 0, last or 0)
        if self._held_bytes > _MOST_BYTES:
            self._drop()
        if messages:
            self._wake()

    def push_late(self, texts: Sequence[bytes]) -> None:
        """Add messages that come late, and wake those who wait."""
        self._late = [*self._late, *texts][-_MOST_LATE:]
        self.late += len(texts)
        if texts:
            self._wake()

    def late_after(self, count: int) -> bytes:
        """Return in one piece what came late after the first `count` late messages."""
        return b"".join(self._late[max(0, len(self._late) - (self.late - count)) :])

    def finish(self, end: bytes) -> None:
        """End the stream with a message."""
        if self.end is None:
            self.end = end
            self._wake()

    def after(self, number: int) -> tuple[int, bytes] | None:
        """Return the messages after `number` in one piece, and the number of the last of them; None if not all are held.

        Of very many, the first.
        """
        if number < self._base:
            return None
        first, stop = bisect_right(self._numbers, number), len(self._numbers)
        if self._given[:2] == (first, self.last):
            return self._through(first, stop), self._given[2]
        if self._held_bytes > _MOST_AT_ONCE_BYTES:
            stop = self._stop(first)
        text = b"".join(self._texts[first:stop])
        if stop == len(self._numbers):
            self._given = first, self.last, text
        return self._through(first, stop), text

    def _through(self, first: int, stop: int) -> int:
        if stop == len(self._numbers):
            return self.last
        return self._numbers[stop - 1] if stop > first else self.last

    def _stop(self, first: int) -> int:
        size, stop = 0, first
        while stop < len(self._texts) and size < _MOST_AT_ONCE_BYTES:
            size += len(self._texts[stop])
            stop += 1
        return stop

    async def wait(self, number: int, timeout_s: float, late: int | None = None) -> bool:
        """Wait until there is a message after `number`, or the stream is over; return False after `timeout_s`.

        Args:
            number: of the last message that was read.
            timeout_s: in seconds.
            late: how many late messages were read; None: they don't matter.
        """
        if self.last > number or self.end is not None or late not in {None, self.late}:
            return True
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _drop(self) -> None:
        """Hold the newer half only."""
        half = len(self._texts) // 2
        self._base = self._numbers[half - 1]
        self._held_bytes -= sum(map(len, self._texts[:half]))
        del self._numbers[:half], self._texts[:half]
        self._given = (-1, -1, b"")
