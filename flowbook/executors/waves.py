"""A Dask `get` of the user's own: the calls that are ready go to it together, and nothing is heard before all are done."""

from __future__ import annotations

import itertools
import os
import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any, Self

from flowbook.executors.base import Report
from flowbook.executors.batches import Batch, Item, News

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.executors.base import Answer, Call
    from flowbook.executors.ledger import Place

__all__ = ["Waves", "do_call"]


_NUMBERS = itertools.count()
#: The runs of this process, by number, so that a call which runs in it sees that its run was cancelled.
_RUNS: weakref.WeakValueDictionary[int, Waves] = weakref.WeakValueDictionary()


class Waves:
    """Runs the calls of one run through `get`, a wave after another. Implements `RunsCalls`; use it as a context manager."""

    outlives = False

    def __init__(self, get: Callable[..., Any], count: int) -> None:
        self._get = get
        self._count = count
        self._inbox: queue.SimpleQueue[Sequence[Call] | None] = queue.SimpleQueue()
        self.is_cancelled = False
        self._number = next(_NUMBERS)
        _RUNS[self._number] = self
        self._thread = threading.Thread(target=self._work, name="flowbook-waves", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._inbox.put(None)
        #: After a second Ctrl-C nobody waits for a wave that runs on.
        if self._thread.ident is not None and kind is None:
            self._thread.join()

    def listen(
        self, body: Callable[..., Answer | None], on_report: Callable[[Report], None], place: Place | None = None
    ) -> None:
        """Begin."""
        del place  # all of it happens on this machine, and what ends is seen
        self._body = body
        self._on_report = on_report
        self._thread.start()

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Take calls, for the next wave."""
        self._inbox.put(calls)

    def cancel(self) -> None:
        """Begin no further wave, and of this one nothing more, where its calls run in this process."""
        self.is_cancelled = True

    def note(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Note nothing of calls: part of `Notes`."""

    def is_stopped(self) -> bool:
        """Return whether the run was cancelled: part of `Notes`."""
        return self.is_cancelled

    def is_superseded(self) -> bool:
        """Return False: nobody else has these calls. Part of `Notes`."""
        return False

    def fetch(self, handles: Sequence[object]) -> list[Any]:
        """Return the values, which are here already."""
        return list(handles)

    def release(self) -> None:
        """Hold nothing: all values are here."""

    def _work(self) -> None:
        while (calls := self._inbox.get()) is not None:
            wave = list(calls)
            while not self._inbox.empty():
                wave += self._inbox.get() or ()
            if self.is_cancelled:
                for call in wave:
                    self._on_report(Report("unstarted", call.id))
            else:
                self._do(wave)

    def _do(self, wave: Sequence[Call]) -> None:
        graph = {f"{call.label}-{call.id}": (do_call, self._body, _Packed(call, self._number)) for call in wave}
        try:
            answers = self._get(graph, list(graph), num_workers=self._count)
        except BaseException as error:  # noqa: BLE001  # somebody else's scheduler: whatever it raises, the run goes on
            why = f"The scheduler {self._get!r} raised {type(error).__name__}: {error}"
            for call in wave:
                self._on_report(Report("lost", call.id, why))
            return
        for news, values in answers:
            for each in news:
                handle = values[each.id] if each.is_held else None
                self._on_report(Report(each.kind, each.id, each.body, handle))


class _Packed:
    """A call that Dask does not look into."""

    def __init__(self, call: Call, run: int) -> None:
        self.run = os.getpid(), run
        self.item = Item(call.id, call.payload, ())
        self.blobs = {blob.label: blob.parcel for blob in call.blobs}


def do_call(body: Callable[..., Answer | None], packed: _Packed) -> tuple[list[News], dict[int, Any]]:
    """Do one call; return its news, and the value that they speak of."""
    heard: list[News] = []
    process, number = packed.run
    waves = _RUNS.get(number) if process == os.getpid() else None
    batch = Batch([packed.item], lambda news, _: heard.extend(news), waves)
    return heard, batch.run(body, packed.blobs, ())
