"""Batches of short calls: how many calls go together, and how a worker does them.

The first calls of a group go one by one; after that a batch holds at most 100 ms of work, by the mean so far. A worker
reports each call of a batch, returns what it hasn't begun after 100 ms, and begins nothing more once the run is cancelled.
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

__all__ = ["BATCH_S", "WITH_VALUE", "Batch", "CallEvent", "CallJournal", "CallQueue", "Item"]

#: How much work a batch holds at most, and how long a worker keeps calls that it hasn't begun.
BATCH_S = 0.1
_FIRST = 4
_LARGEST = 1000
_SHARES = 4
#: Less work than this isn't worth sharing between workers.
_CRUMB_S = 0.002
#: First byte of the journal's entry for a call that is done: whether its value stays on the worker.
WITH_VALUE = b"h"
_WITHOUT_VALUE = b"-"


class CallEvent(NamedTuple):
    """What a worker reports about a call: a kind of `Report`, or "returned" for a call that others are to do.

    Attributes:
        seconds: how long the call took.
        has_value: whether its value stays on the worker.
    """

    kind: str
    id: int
    body: Any = None
    seconds: float = 0.0
    has_value: bool = False


class Item(NamedTuple):
    """A call as a worker receives it."""

    id: int
    payload: bytes
    labels: tuple[str, ...]
    #: Positions of its worker values among those of the batch.
    worker_values: tuple[int, ...] = ()


class CallQueue:
    """Calls that wait, highest priority first. Not thread-safe."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Call]] = []
        self._numbers = itertools.count()
        self._waiting: dict[str, int] = {}
        self._done: dict[str, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, calls: Iterable[Call]) -> None:
        """Queue calls."""
        for call in calls:
            heapq.heappush(self._heap, (-call.priority, next(self._numbers), call))
            self._waiting[call.group] = self._waiting.get(call.group, 0) + 1

    def record_duration(self, group: str, seconds: float) -> None:
        """Record how long a call of `group` took."""
        if group:
            count, total = self._done.get(group, (0, 0.0))
            self._done[group] = (count + 1, total + seconds)

    def take(self, slots: int) -> list[Call]:
        """Return the next batch; `slots` is how many batches can run at once."""
        first = self._pop()
        batch = [first]
        size = self._size(first.group, slots)
        while len(batch) < size and self._heap and self._heap[0][2].group == first.group:
            batch.append(self._pop())
        return batch

    def is_quick(self) -> bool:
        """Whether the next call belongs to a group of short calls, or to one whose pace isn't known yet."""
        group = self._heap[0][2].group
        if not group:
            return False
        count, total = self._done.get(group, (0, 0.0))
        return count < _FIRST or total / count < BATCH_S / 2

    def drain(self) -> list[Call]:
        """Return all calls that wait, and forget them."""
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


class CallJournal(Protocol):
    """Records what becomes of the calls of a batch; see `ledger.Page`."""

    def record(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Record something about a call; from any thread."""
        ...

    def is_stopped(self) -> bool:
        """Return whether the run was cancelled, so that nothing more may begin."""
        ...

    def is_superseded(self) -> bool:
        """Return whether another worker now has the calls that haven't begun."""
        ...


class _NoJournal:
    def record(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Record nothing: no other worker reads it."""

    def is_stopped(self) -> bool:
        return False

    def is_superseded(self) -> bool:
        return False


class Batch:
    """Calls that one worker does one after another. `give_back` and `stop` may be called from other threads.

    Args:
        items: the calls.
        send: takes events, and the value of the last of them if it has one.
        journal: records what was begun and done, before `send` reports it.
    """

    def __init__(
        self, items: Sequence[Item], send: Callable[[list[CallEvent], Any], None], journal: CallJournal | None = None
    ) -> None:
        self._items = deque(items)
        self._send = send
        self._journal = journal if journal is not None else _NoJournal()
        self._lock = RankedLock(Rank.BATCH)
        self._unsent: list[CallEvent] = []

    def run(
        self, body: Callable[..., Answer | None], blobs: Mapping[str, Any], worker_values: Sequence[Any]
    ) -> dict[int, Any]:
        """Do the calls; return the values that stay on this worker, by call."""
        values: dict[int, Any] = {}
        while (item := self._next()) is not None:
            start = time.perf_counter()
            inputs = [worker_values[position] for position in item.worker_values]
            answer = body(item.payload, blobs, inputs, self._reporter(item.id))
            if answer is None:
                self._journal.record(RETURNED, item.id)
                self._unsent.append(CallEvent("unstarted", item.id))
                continue
            has_value = answer.value is not None
            self._journal.record(DONE, item.id, (WITH_VALUE if has_value else _WITHOUT_VALUE) + answer.body)
            self._unsent.append(CallEvent("done", item.id, answer.body, time.perf_counter() - start, has_value))
            if has_value:
                values[item.id] = answer.value
            if has_value or not self._items:
                self._flush(answer.value)
        self._flush(None)
        return values

    def give_back(self) -> None:
        """Let other workers do the calls that haven't begun."""
        self._drop_rest("returned")

    def stop(self) -> None:
        """Begin no more calls."""
        self._drop_rest("unstarted")

    def _reporter(self, number: int) -> Callable[[str, object], bool]:
        """Return the function by which a call's body reports; it returns whether the body may go on."""

        def report(kind: str, content: object) -> bool:
            if kind == "running" and self._journal.is_stopped():
                return False
            self._unsent.append(CallEvent(kind, number, content))
            self._flush(None)
            # Checked again: other threads may have run meanwhile, and next comes the user's code.
            return kind != "running" or not self._journal.is_stopped()

        return report

    def _flush(self, value: object) -> None:
        if self._unsent:
            events, self._unsent = self._unsent, []
            self._send(events, value)

    def _drop_rest(self, kind: str) -> None:
        with self._lock:
            items = list(self._items)
            self._items.clear()
        if items:
            for item in items:
                self._journal.record(RETURNED, item.id)
            self._send([CallEvent(kind, item.id) for item in items], None)

    def _next(self) -> Item | None:
        if self._journal.is_stopped():
            self.stop()
        with self._lock:
            if self._journal.is_superseded():
                self._items.clear()
            if not self._items:
                return None
            item = self._items.popleft()
        self._journal.record(BEGUN, item.id)
        return item
