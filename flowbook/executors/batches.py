"""Short calls go together: how many, and how a worker does them.

A group's first calls go singly; then a batch holds at most 100 ms of work by the mean so far. A worker reports each call
of a batch, gives back what it has not begun after 100 ms, and begins nothing more once the run was cancelled.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.executors.base import Answer, Call

__all__ = ["BATCH_S", "Batch", "CallQueue", "Item", "News"]

#: How much work a batch holds at most, and how long a worker keeps what it has not begun.
BATCH_S = 0.1
_FIRST = 4
_LARGEST = 1000
_SHARES = 4
#: So little work is not worth sharing.
_CRUMB_S = 0.002


class News(NamedTuple):
    """What a worker says of a call: as `Report`, with the seconds it took, the position of its value, or `returned`."""

    kind: str
    id: int
    body: Any = None
    seconds: float = 0.0
    position: int | None = None


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


class Batch:
    """Calls that one worker does one after another. `give_back` and `stop` may be called from other threads.

    Args:
        items: the calls.
        send: takes news, and the value of the last of them where there is one.
    """

    def __init__(self, items: Sequence[Item], send: Callable[[list[News], Any], None]) -> None:
        self._items = deque(items)
        self._send = send
        self._lock = threading.Lock()

    def run(
        self,
        body: Callable[..., Answer],
        blobs: Mapping[str, Any],
        held: Sequence[Any],
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> list[Any]:
        """Do the calls; return the values that are to be held, at the positions that were sent with the news."""
        values: list[Any] = []
        unsent: list[News] = []
        while (item := self._next(is_stopped)) is not None:
            number = item.id

            def report(kind: str, said: object, number: int = number) -> None:
                unsent.append(News(kind, number, said))
                self._send(unsent.copy(), None)
                unsent.clear()

            start = time.perf_counter()
            answer = body(item.payload, blobs, [held[position] for position in item.held], report)
            position = None
            if answer.value is not None:
                position = len(values)
                values.append(answer.value)
            unsent.append(News("done", number, answer.body, time.perf_counter() - start, position))
            if position is not None or not self._items:
                self._send(unsent.copy(), answer.value)
                unsent.clear()
        if unsent:
            self._send(unsent, None)
        return values

    def give_back(self) -> None:
        """Let others do what has not begun."""
        self._let_go("returned")

    def stop(self) -> None:
        """Begin nothing more."""
        self._let_go("unstarted")

    def _let_go(self, kind: str) -> None:
        with self._lock:
            items = list(self._items)
            self._items.clear()
        if items:
            self._send([News(kind, item.id) for item in items], None)

    def _next(self, is_stopped: Callable[[], bool]) -> Item | None:
        if is_stopped():
            self.stop()
        with self._lock:
            return self._items.popleft() if self._items else None
