"""The workers' side of runs on a Dask cluster. A body never raises; everything is reported through Dask's events."""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import threading
import weakref
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook._utils.locks import Rank, RankedLock
from flowbook.executors.batches import BATCH_S, WITH_VALUE, Batch, CallEvent, Item
from flowbook.executors.interrupts import leave_ctrl_c_to_the_driver
from flowbook.executors.ledger import BEGUN, DONE, Entry, LedgerFolder, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.executors.base import Answer

__all__ = ["BatchContext", "dask_setup", "do_batch", "ended_while_running", "same", "stop"]

#: How many blobs (code, contexts) a worker keeps unpickled.
_KEPT_BLOBS = 64


class BatchContext(NamedTuple):
    """What all batches of one run share: the topic of its events, its ledger's folder, and the body that does one call."""

    topic: str
    folder: LedgerFolder
    body: Callable[..., Answer | None]


class _Memory:
    """What a worker process keeps between calls."""

    def __init__(self) -> None:
        self.lock = RankedLock(Rank.DASK_WORKER)
        #: Topics of runs that were cancelled.
        self.stopped: set[str] = set()
        self._blobs: OrderedDict[str, Any] = OrderedDict()

    def blob(self, label: str, parcel: Any) -> Any:  # noqa: ANN401
        """Return the first parcel that came with this label: it holds its value already."""
        with self.lock:
            found = self._blobs.pop(label, parcel)
            self._blobs[label] = found
            while len(self._blobs) > _KEPT_BLOBS:
                self._blobs.popitem(last=False)
            return found


_MEMORY = _Memory()


def dask_setup(worker: Any) -> None:  # noqa: ANN401  # Dask calls it when a worker of a temporary cluster starts
    """Let Ctrl-C do nothing if the worker has its own process."""
    del worker
    if multiprocessing.parent_process() is not None and threading.current_thread() is threading.main_thread():
        leave_ctrl_c_to_the_driver()


def do_batch(context: BatchContext, packed: bytes, futures: Sequence[Any]) -> dict[int, Any] | None:
    """Do a batch of calls; return the values that stay on this worker, by call, or None if there are none.

    Args:
        context: the run's.
        packed: the page's name, the calls, small blobs, labels of the large ones, and the positions of worker values in
            `futures`.
        futures: results of the futures: large blobs, then dicts of values.
    """
    name, items, small, large, locations = pickle.loads(packed)  # noqa: S301  # the run's driver sent it
    events = _EventSender.of(context.topic)
    journal = _Journal(context, _page(context.folder, name))
    try:
        items = _not_done_before(items, journal.known, events)
        blobs = {label: _MEMORY.blob(label, parcel) for label, parcel in small.items()}
        blobs.update(zip(large, futures, strict=False))
        values = [(futures[position] or {}).get(number) for position, number in locations]
        items = _with_inputs(items, values, events)
        batch = Batch(items, events.send, journal)
        if len(items) > 1:
            events.give_back_later(BATCH_S, batch)
        return batch.run(context.body, blobs, values) or None
    finally:
        journal.close()


def same(value: Any) -> Any:  # noqa: ANN401
    """Return `value`: a Dask task that keeps it on the cluster, and that Dask can repeat."""
    return value


def stop(topic: str) -> None:
    """Begin no more calls of this run."""
    _MEMORY.stopped.add(topic)


def ended_while_running(entry: Entry | None) -> str:
    """Return the message for a call that had begun when its worker died."""
    who = f" ({entry.writer})" if entry is not None and entry.writer else ""
    return f"Its worker{who} ended while it ran. Look for os._exit, a crash in C code, a lack of memory, or a kill."


def _page(folder: LedgerFolder, name: str) -> Page | None:
    """Return a new page of the ledger; None if its folder is out of reach or can't be written to."""
    if not folder.is_in_reach():
        return None
    try:
        return Page(folder, name, f"process {os.getpid()}")
    except OSError:
        return None


class _Journal:
    """Records what a batch of this worker does, and knows whether the run was cancelled."""

    def __init__(self, context: BatchContext, page: Page | None) -> None:
        self._topic = context.topic
        self._page = page
        self.known: Mapping[int, Entry] = {} if page is None else page.known

    def record(self, kind: bytes, number: int, body: bytes = b"") -> None:
        if self._page is not None:
            self._page.record(kind, number, body)

    def is_stopped(self) -> bool:
        return self._topic in _MEMORY.stopped or (self._page is not None and self._page.is_stopped())

    def is_superseded(self) -> bool:
        return self._page is not None and self._page.is_superseded()

    def close(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            page.close()


def _not_done_before(items: Sequence[Item], known: Mapping[int, Entry], events: _EventSender) -> list[Item]:
    """Return the calls that are still to do after another worker had this task, and report what became of the others.

    A call that had begun and wasn't done killed that worker, or died with it. A value that was only in its memory is made
    again.
    """
    again, reported = [], []
    for item in items:
        entry = known.get(item.id)
        if entry is None or (entry.kind == DONE and entry.body[:1] == WITH_VALUE):
            again.append(item)
        elif entry.kind == BEGUN:
            reported += [
                CallEvent("running", item.id, entry.begun),
                CallEvent("lost", item.id, ended_while_running(entry)),
            ]
        elif entry.kind == DONE:
            reported += [CallEvent("running", item.id, entry.begun), CallEvent("done", item.id, entry.body[1:])]
        else:
            reported.append(CallEvent("returned", item.id))
    if reported:
        events.send(reported, None)
    return again


def _with_inputs(items: Sequence[Item], values: Sequence[Any], events: _EventSender) -> list[Item]:
    """Return the calls whose worker values are all here, and report the others as lost."""
    complete = [item for item in items if all(values[position] is not None for position in item.worker_values)]
    lost = [item for item in items if item not in complete] if len(complete) < len(items) else []
    if lost:
        why = "One of its inputs was lost with its worker and couldn't be made again. Retry the task that made it."
        events.send([CallEvent("lost", item.id, why) for item in lost], None)
    return complete


class _EventSender:
    """Sends one run's events from one worker, several at a time when they come quickly."""

    def __init__(self, worker: Any, topic: str) -> None:  # noqa: ANN401  # a distributed.Worker
        self._worker = worker
        self._topic = topic
        self._waiting: deque[CallEvent] = deque()
        self._is_scheduled = False

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def _cached(worker: Any, topic: str) -> _EventSender:  # noqa: ANN401
        return _EventSender(worker(), topic)

    @classmethod
    def of(cls, topic: str) -> _EventSender:
        """Return the sender of this worker and topic."""
        from distributed import get_worker  # noqa: PLC0415  # heavy; on a worker it is loaded already

        return cls._cached(weakref.ref(get_worker()), topic)

    def send(self, events: list[CallEvent], value: object) -> None:
        """Send events; the value stays here, as the Dask task's result."""
        del value
        self._waiting.extend(events)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._worker.loop.add_callback(self._flush)

    def give_back_later(self, seconds: float, batch: Batch) -> None:
        """Let a batch give back the calls that it hasn't begun after `seconds`."""
        known = weakref.ref(batch)

        def give_back() -> None:
            found = known()
            if found is not None:
                found.give_back()

        self._worker.loop.add_callback(self._worker.loop.call_later, seconds, give_back)

    def _flush(self) -> None:
        # Before the queue is read: whatever arrives after that schedules another flush.
        self._is_scheduled = False
        events = []
        while self._waiting:
            events.append(self._waiting.popleft())
        if events:
            self._worker.log_event(self._topic, pickle.dumps(events, protocol=5))
