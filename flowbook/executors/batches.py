"""Short calls go together: how many, and how a worker does them.

A group's first calls go singly; then a batch holds at most 100 ms of work by the mean so far. A worker reports each call
of a batch, gives back what it has not begun after 100 ms, and begins nothing more once the run was cancelled.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from flowbook._utils.locks import Rank, RankedLock
from flowbook.executors.ledger import BEGUN, DONE, RETURNED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.executors.base import Answer, Call

__all__ = ["BATCH_S", "HELD", "Batch", "CallQueue", "Item", "News", "Notes"]

#: How much work a batch holds at most, and how long a worker keeps what it has not begun.
BATCH_S = 0.1
_FIRST = 4
_LARGEST = 1000
_SHARES = 4
#: So little work is not worth sharing.
_CRUMB_S = 0.002
#: Begins what is noted of a call that is done and whose value is held.
HELD = b"h"
_NOT_HELD = b"-"


class News(NamedTuple):
    """What a worker says of a call: as `Report`, with the seconds it took and whether its value is held; or `returned`."""

    kind: str
    id: int
    body: Any = None
    seconds: float = 0.0
    is_held: bool = False


class Item(NamedTuple):
    """A call as a worker gets it."""

    id: int
    payload: bytes
    labels: tuple[str, ...]
    #: Positions of its held values among those of the batch.
    held: tuple[int, ...] = ()


class CallQueue:
    """Calls that wait, those with the highest priority first. Not safe for threads."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Call]] = []
        self._numbers = itertools.count()
        self._waiting: dict[str, int] = {}
        self._done: dict[str, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, calls: Iterable[Call]) -> None:
        """Let calls wait."""
        for call in calls:
            heapq.heappush(self._heap, (-call.priority, next(self._numbers), call))
            self._waiting[call.group] = self._waiting.get(call.group, 0) + 1

    def took(self, group: str, seconds: float) -> None:
        """Note how long a call of `group` took."""
        if group:
            count, total = self._done.get(group, (0, 0.0))
            self._done[group] = (count + 1, total + seconds)

    def take(self, slots: int) -> list[Call]:
        """Return the calls that go next, together; `slots` is how many batches can be done at once."""
        first = self._pop()
        batch = [first]
        size = self._size(first.group, slots)
        while len(batch) < size and self._heap and self._heap[0][2].group == first.group:
            batch.append(self._pop())
        return batch

    def is_quick(self) -> bool:
        """Whether the next call is one of many that go in batches, or whose pace is not known yet."""
        group = self._heap[0][2].group
        if not group:
            return False
        count, total = self._done.get(group, (0, 0.0))
        return count < _FIRST or total / count < BATCH_S / 2

    def drain(self) -> list[Call]:
        """Return all that wait, and forget them."""
        calls = [call for _, _, call in sorted(self._heap)]
        self._heap.clear()
        self._waiting.clear()
        return calls

    def _pop(self) -> Call:
        call = heapq.heappop(self._heap)[2]
        self._waiting[call.group] -= 1
        return call

    def _size(self, group: str, slots: int) -> int:
        count, total = self._done.get(group, (0, 0.0)) if group else (0, 0.0)
        if count < _FIRST:
            return 1
        each = max(total, 1e-6) / count
        by_share = max(self._waiting[group] // (_SHARES * max(slots, 1)), int(_CRUMB_S / each))
        return max(1, min(round(BATCH_S / each), by_share, _LARGEST))


class Notes(Protocol):
    """Where it is noted what becomes of the calls of a batch; see `ledger.Page`."""

    def note(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Note something of a call; from any thread."""
        ...

    def is_stopped(self) -> bool:
        """Return whether the run was cancelled: nothing more is to be begun."""
        ...

    def is_superseded(self) -> bool:
        """Return whether somebody else does what has not begun."""
        ...


class _NoNotes:
    def note(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Nobody will ask."""

    def is_stopped(self) -> bool:
        return False

    def is_superseded(self) -> bool:
        return False


class Batch:
    """Calls that one worker does one after another. `give_back` and `stop` may be called from other threads.

    Args:
        items: the calls.
        send: takes news, and the value of the last of them where there is one.
        notes: where is noted what was begun and done, before it is said.
    """

    def __init__(
        self, items: Sequence[Item], send: Callable[[list[News], Any], None], notes: Notes | None = None
    ) -> None:
        self._items = deque(items)
        self._send = send
        self._notes = notes if notes is not None else _NoNotes()
        self._lock = RankedLock(Rank.BATCH)
        self._unsent: list[News] = []

    def run(self, body: Callable[..., Answer | None], blobs: Mapping[str, Any], held: Sequence[Any]) -> dict[int, Any]:
        """Do the calls; return the values that are to be held, by call."""
        values: dict[int, Any] = {}
        while (item := self._next()) is not None:
            start = time.perf_counter()
            answer = body(item.payload, blobs, [held[position] for position in item.held], self._reporter(item.id))
            if answer is None:
                self._notes.note(RETURNED, item.id)
                self._unsent.append(News("unstarted", item.id))
                continue
            is_held = answer.value is not None
            self._notes.note(DONE, item.id, (HELD if is_held else _NOT_HELD) + answer.body)
            self._unsent.append(News("done", item.id, answer.body, time.perf_counter() - start, is_held))
            if is_held:
                values[item.id] = answer.value
            if is_held or not self._items:
                self._flush(answer.value)
        self._flush(None)
        return values

    def give_back(self) -> None:
        """Let others do what has not begun."""
        self._let_go("returned")

    def stop(self) -> None:
        """Begin nothing more."""
        self._let_go("unstarted")

    def _reporter(self, number: int) -> Callable[[str, object], bool]:
        """Return what the body of a call says things by; the answer is whether it may go on."""

        def report(kind: str, said: object) -> bool:
            if kind == "running" and self._notes.is_stopped():
                return False
            self._unsent.append(News(kind, number, said))
            self._flush(None)
            #: Asked once more: other threads may have had their turn, and the next that happens is the user's code.
            return kind != "running" or not self._notes.is_stopped()

        return report

    def _flush(self, value: object) -> None:
        if self._unsent:
            news, self._unsent = self._unsent, []
            self._send(news, value)

    def _let_go(self, kind: str) -> None:
        with self._lock:
            items = list(self._items)
            self._items.clear()
        if items:
            for item in items:
                self._notes.note(RETURNED, item.id)
            self._send([News(kind, item.id) for item in items], None)

    def _next(self) -> Item | None:
        if self._notes.is_stopped():
            self.stop()
        with self._lock:
            if self._notes.is_superseded():
                self._items.clear()
            if not self._items:
                return None
            item = self._items.popleft()
        self._notes.note(BEGUN, item.id)
        return item
