"""What runs on the workers of a Dask cluster. Nothing raised by a body comes this far; all is said through events."""

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
from flowbook.executors.batches import BATCH_S, HELD, Batch, Item, News
from flowbook.executors.interrupts import leave_ctrl_c_to_the_driver
from flowbook.executors.ledger import BEGUN, DONE, Entry, Page, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.executors.base import Answer

__all__ = ["Errand", "dask_setup", "do_batch", "ended_while_running", "same", "stop"]

#: So many blobs (code, contexts) are kept unpickled.
_KEPT_BLOBS = 64


class Errand(NamedTuple):
    """What all batches of one run share: where news go, where the ledger is, and what does one call."""

    topic: str
    place: Place
    body: Callable[..., Answer | None]


class _Memory:
    """What a worker process remembers between calls."""

    def __init__(self) -> None:
        self.lock = RankedLock(Rank.DASK_WORKER)
        #: Topics of runs that were cancelled.
        self.stopped: set[str] = set()
        self._blobs: OrderedDict[str, Any] = OrderedDict()

    def blob(self, label: str, parcel: Any) -> Any:  # noqa: ANN401
        """Return the parcel of that label that came first, which holds its value by now."""
        with self.lock:
            found = self._blobs.pop(label, parcel)
            self._blobs[label] = found
            while len(self._blobs) > _KEPT_BLOBS:
                self._blobs.popitem(last=False)
            return found


_MEMORY = _Memory()


def dask_setup(worker: Any) -> None:  # noqa: ANN401  # Dask calls it where a worker of a temporary cluster starts
    """Let Ctrl-C do nothing where the worker has a process of its own."""
    del worker
    if multiprocessing.parent_process() is not None and threading.current_thread() is threading.main_thread():
        leave_ctrl_c_to_the_driver()


def do_batch(errand: Errand, packed: bytes, futures: Sequence[Any]) -> dict[int, Any] | None:
    """Do a batch of calls; return the values to be held, by call, or None where there is none.

    Args:
        errand: of the run.
        packed: the page's name, the calls, small blobs, labels of the large ones, and where held values lie in `futures`.
        futures: values of the futures: large blobs, then dicts that hold values.
    """
    name, items, small, large, places = pickle.loads(packed)  # noqa: S301  # the run's driver sent it
    news = _News.of(errand.topic)
    notes = _Notes(errand, _page(errand.place, name))
    try:
        items = _not_done_before(items, notes.known, news)
        blobs = {label: _MEMORY.blob(label, parcel) for label, parcel in small.items()}
        blobs.update(zip(large, futures, strict=False))
        held = [(futures[place] or {}).get(number) for place, number in places]
        items = _with_their_inputs(items, held, news)
        batch = Batch(items, news.send, notes)
        if len(items) > 1:
            news.later(BATCH_S, batch)
        return batch.run(errand.body, blobs, held) or None
    finally:
        notes.close()


def same(value: Any) -> Any:  # noqa: ANN401
    """Return `value`: a task that holds it on the cluster, and can be repeated."""
    return value


def stop(topic: str) -> None:
    """Begin no more calls of this run."""
    _MEMORY.stopped.add(topic)


def ended_while_running(entry: Entry | None) -> str:
    """Return the sentence for a call that was begun and whose worker went away."""
    who = f" ({entry.writer})" if entry is not None and entry.writer else ""
    return (
        f"Its worker{who} ended while it ran. Look for os._exit, a crash in C code, a lack of memory, or who killed it."
    )


def _page(place: Place, name: str) -> Page | None:
    """Return a new page of the ledger; None where it is out of reach, or can't be written."""
    if not place.is_in_reach():
        return None
    try:
        return Page(place, name, f"process {os.getpid()}")
    except OSError:
        return None


class _Notes:
    """Where a batch of this worker notes what it does, and learns that the run was cancelled."""

    def __init__(self, errand: Errand, page: Page | None) -> None:
        self._topic = errand.topic
        self._page = page
        self.known: Mapping[int, Entry] = {} if page is None else page.known

    def note(self, kind: bytes, number: int, body: bytes = b"") -> None:
        if self._page is not None:
            self._page.note(kind, number, body)

    def is_stopped(self) -> bool:
        return self._topic in _MEMORY.stopped or (self._page is not None and self._page.is_stopped())

    def is_superseded(self) -> bool:
        return self._page is not None and self._page.is_superseded()

    def close(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            page.close()


def _not_done_before(items: Sequence[Item], known: Mapping[int, Entry], news: _News) -> list[Item]:
    """Return what is to be done where this task was with another worker before; of the rest, say what became of it.

    What was begun and not done has ended its worker, or went with it. A value that was only in that one's memory is
    made again.
    """
    again, said = [], []
    for item in items:
        entry = known.get(item.id)
        if entry is None or (entry.kind == DONE and entry.body[:1] == HELD):
            again.append(item)
        elif entry.kind == BEGUN:
            said += [News("running", item.id, entry.begun), News("lost", item.id, ended_while_running(entry))]
        elif entry.kind == DONE:
            said += [News("running", item.id, entry.begun), News("done", item.id, entry.body[1:])]
        else:
            said.append(News("returned", item.id))
    if said:
        news.send(said, None)
    return again


def _with_their_inputs(items: Sequence[Item], held: Sequence[Any], news: _News) -> list[Item]:
    """Return the calls whose held inputs are all here; the others are lost."""
    here = [item for item in items if all(held[position] is not None for position in item.held)]
    lost = [item for item in items if item not in here] if len(here) < len(items) else []
    if lost:
        why = "One of its inputs was lost with its worker and could not be made again. Retry the task that made it."
        news.send([News("lost", item.id, why) for item in lost], None)
    return here


class _News:
    """Sends news of one run from one worker, together where they come quickly."""

    def __init__(self, worker: Any, topic: str) -> None:  # noqa: ANN401  # a distributed.Worker
        self._worker = worker
        self._topic = topic
        self._waiting: deque[News] = deque()
        self._is_called = False

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def _made(worker: Any, topic: str) -> _News:  # noqa: ANN401
        return _News(worker(), topic)

    @classmethod
    def of(cls, topic: str) -> _News:
        """Return the one of this worker and topic."""
        from distributed import get_worker  # noqa: PLC0415  # heavy; here it is loaded

        return cls._made(weakref.ref(get_worker()), topic)

    def send(self, news: list[News], value: object) -> None:
        """Send news; the value stays here, as the task's result."""
        del value
        self._waiting.extend(news)
        if not self._is_called:
            self._is_called = True
            self._worker.loop.add_callback(self._flush)

    def later(self, seconds: float, batch: Batch) -> None:
        """Let a batch give back after `seconds` what it has not begun."""
        known = weakref.ref(batch)

        def give_back() -> None:
            found = known()
            if found is not None:
                found.give_back()

        self._worker.loop.add_callback(self._worker.loop.call_later, seconds, give_back)

    def _flush(self) -> None:
        #: Before the look: what comes after it calls again.
        self._is_called = False
        news = []
        while self._waiting:
            news.append(self._waiting.popleft())
        if news:
            self._worker.log_event(self._topic, pickle.dumps(news, protocol=5))
