"""What runs on the workers of a Dask cluster. Nothing raised by a body comes this far; all is said through events."""

from __future__ import annotations

import functools
import pickle
import threading
import weakref
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from flowbook.executors.batches import BATCH_S, Batch, News

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.executors.base import Answer

__all__ = ["do_batch", "same", "stop"]

#: So many blobs (code, contexts) are kept unpickled.
_KEPT_BLOBS = 64


class _Memory:
    """What a worker process remembers between calls."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
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


def do_batch(topic: str, body: Callable[..., Answer], packed: bytes, futures: Sequence[Any]) -> list[Any] | None:
    """Do a batch of calls; return the values to be held, or None where there is none.

    Args:
        topic: where news go.
        body: does one call.
        packed: the calls, small blobs, labels of the large ones, and where held values lie in `futures`.
        futures: values of the futures: large blobs, then lists that hold values.
    """
    items, small, large, places = pickle.loads(packed)  # noqa: S301  # the run's driver sent it
    blobs = {label: _MEMORY.blob(label, parcel) for label, parcel in small.items()}
    blobs.update(zip(large, futures, strict=False))
    held = [futures[place][position] for place, position in places]
    news = _News.of(topic)
    batch = Batch(items, news.send)
    if len(items) > 1:
        news.later(BATCH_S, batch)
    return batch.run(body, blobs, held, lambda: topic in _MEMORY.stopped) or None


def same(value: Any) -> Any:  # noqa: ANN401
    """Return `value`: a task that holds it on the cluster, and can be repeated."""
    return value


def stop(topic: str) -> None:
    """Begin no more calls of this run."""
    _MEMORY.stopped.add(topic)


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
