"""A Dask `get` of the user's own: the calls that are ready go to it together, and nothing is heard before all are done.

Where it has processes of its own, one that ends breaks the whole wave. So what is begun and done there is noted in a
ledger: what ran then is lost, what was done is done, and the rest goes along with the next wave.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import multiprocessing
import os
import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any, Self

from flowbook._utils import threads
from flowbook.executors.base import Report
from flowbook.executors.batches import HELD, Batch, Item, News
from flowbook.executors.interrupts import ctrl_c_held_back, left_to_the_driver
from flowbook.executors.ledger import BEGUN, DONE, Ledger, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from flowbook.executors.base import Answer, Call
    from flowbook.executors.batches import Notes
    from flowbook.executors.ledger import Entry, Place

__all__ = ["Waves", "do_call"]


_NUMBERS = itertools.count()
#: The runs of this process, by number, so that a call which runs in it sees that its run was cancelled.
_RUNS: weakref.WeakValueDictionary[int, Waves] = weakref.WeakValueDictionary()

_Said = tuple[list[News], dict[int, Any]]
_NOTHING: _Said = ([], {})


class Waves:
    """Runs the calls of one run through `get`, a wave after another. Implements `RunsCalls`; use it as a context manager."""

    outlives = False

    def __init__(self, get: Callable[..., Any], count: int) -> None:
        self._get = get
        self._count = count
        self._inbox: queue.SimpleQueue[Sequence[Call] | None] = queue.SimpleQueue()
        self._ledger: Ledger | None = None
        self._wave: list[_Packed] = []
        self._pages = itertools.count(1)
        self.is_cancelled = False
        self._is_left = False
        #: Beside each thread of this process that the `get` uses, by its number: where calls run.
        self._daemons: dict[int, _Daemon] = {}
        self._number = next(_NUMBERS)
        _RUNS[self._number] = self
        self._thread = threads.prepare(self._work, name="waves", owner=self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._inbox.put(None)
        if kind is not None:
            self._leave()
        elif self._thread.ident is not None:
            self._thread.join()
        for daemon in list(self._daemons.values()):
            daemon.end()
        if self._ledger is not None:
            self._ledger.close()

    def listen(
        self, body: Callable[..., Answer | None], on_report: Callable[[Report], None], place: Place | None = None
    ) -> None:
        """Begin."""
        self._ledger = Ledger(place)
        self._body = body
        self._on_report = on_report
        self._thread.start()

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Take calls, for the next wave."""
        self._inbox.put(calls)

    def cancel(self) -> None:
        """Begin no further wave, and of this one nothing more, where its calls run on this machine."""
        self.is_cancelled = True
        if self._ledger is not None:
            self._ledger.stop()

    def note(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Note nothing of calls that run in this process: part of `Notes`."""

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

    def apart(self, call: Callable[[], _Said]) -> _Said:
        """Return `call()`, made in a daemon thread beside this one, unless this is one of ours.

        Python's end waits for threads of pools, and so would wait for what a second Ctrl-C has left running.
        """
        if threading.current_thread() is self._thread:
            return call()
        daemon = self._daemons.get(threading.get_ident())
        if daemon is None:
            daemon = self._daemons[threading.get_ident()] = _Daemon()
        return _NOTHING if self._is_left else daemon.do(call)

    def _leave(self) -> None:
        """After a second Ctrl-C wait for nothing: leave threads alone, end the processes in which calls run."""
        self.cancel()
        self._is_left = True
        for daemon in list(self._daemons.values()):
            daemon.leave()
        entries = [self._entry(packed) for packed in list(self._wave)]
        writers = {entry.writer for entry in entries if entry is not None and entry.kind == BEGUN}
        for process in multiprocessing.active_children():
            if _writer(process.pid) in writers:
                process.kill()

    # In a thread of its own

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
        assert self._ledger is not None  # noqa: S101  # `listen` made it
        self._wave = [_Packed(call, self._number, self._ledger.place, f"{next(self._pages):x}") for call in wave]
        names = [f"{call.label}-{call.id}" for call in wave]
        graph = {name: (do_call, self._body, packed) for name, packed in zip(names, self._wave, strict=True)}
        try:
            with ctrl_c_held_back():  # a pool whose processes end by it would end all that runs
                answers = self._get(graph, names, num_workers=self._count)
        except BaseException as error:  # noqa: BLE001  # somebody else's scheduler: whatever it raises, the run goes on
            self._account(wave, f"{type(error).__name__}: {error}")
            return
        for news, values in answers:
            for each in news:
                handle = values[each.id] if each.is_held else None
                self._on_report(Report(each.kind, each.id, each.body, handle))

    def _account(self, wave: Sequence[Call], why: str) -> None:
        """Say what became of the calls of a wave that came to nothing; those that were not begun go with the next.

        So does what was done and whose value is gone with its process.
        """
        entries = [self._entry(packed) for packed in self._wave]
        suspects = [call.label for call, entry in zip(wave, entries, strict=True) if entry and entry.kind == BEGUN]
        again = []
        for call, entry in zip(wave, entries, strict=True):
            if entry is not None and entry.kind == BEGUN:
                self._on_report(Report("running", call.id, entry.begun))
                self._on_report(Report("lost", call.id, _lost(suspects, why)))
            elif entry is not None and entry.kind == DONE and entry.body[:1] != HELD:
                self._on_report(Report("running", call.id, entry.begun))
                self._on_report(Report("done", call.id, entry.body[1:]))
            else:
                again.append(call)
        if len(again) < len(wave):
            if again:
                self._inbox.put(again)
            return
        for call in again:
            self._on_report(Report("lost", call.id, f"The scheduler {self._get!r} raised {why}"))

    def _entry(self, packed: _Packed) -> Entry | None:
        entries = self._ledger.read(packed.page) if self._ledger is not None else None
        return (entries or {}).get(packed.item.id)


class _Daemon:
    """A daemon thread that makes the calls of another thread, which may stop to wait for them."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[contextvars.Context, Callable[[], _Said]] | None] = queue.SimpleQueue()
        self._said: queue.SimpleQueue[_Said] = queue.SimpleQueue()
        threads.spawn(self._work, name="wave", owner=self)

    def do(self, call: Callable[[], _Said]) -> _Said:
        """Return `call()`, which does not raise, made with a copy of this context; or nothing, when it was left alone."""
        self._calls.put((contextvars.copy_context(), call))
        return self._said.get()

    def leave(self) -> None:
        """Let who waits go on."""
        self._said.put(_NOTHING)

    def end(self) -> None:
        """Make no more calls."""
        self._calls.put(None)

    def _work(self) -> None:
        while (asked := self._calls.get()) is not None:
            context, call = asked
            self._said.put(context.run(call))


class _Packed:
    """A call that Dask does not look into."""

    def __init__(self, call: Call, run: int, place: Place, page: str) -> None:
        self.run = os.getpid(), run
        self.item = Item(call.id, call.payload, ())
        self.blobs = {blob.label: blob.parcel for blob in call.blobs}
        self.place = place
        self.page = page


def do_call(body: Callable[..., Answer | None], packed: _Packed) -> _Said:
    """Do one call; return its news, and the value that they speak of."""
    process, number = packed.run
    waves = _RUNS.get(number) if process == os.getpid() else None
    if waves is None:
        return _do_elsewhere(body, packed)
    with ctrl_c_held_back(is_held_back=False):  # from what a task starts as well
        return waves.apart(lambda: _done(body, packed, waves))


def _do_elsewhere(body: Callable[..., Answer | None], packed: _Packed) -> _Said:
    """Do a call in another process than the driver's, and note it where the driver may look."""
    page = None
    if packed.place.is_in_reach():
        with contextlib.suppress(OSError):  # it is done without
            page = Page(packed.place, packed.page, _writer(os.getpid()))
    is_main = threading.current_thread() is threading.main_thread()
    undisturbed: AbstractContextManager[None] = left_to_the_driver() if is_main else contextlib.nullcontext()
    try:
        with undisturbed:
            return _done(body, packed, page)
    finally:
        if page is not None:
            page.close()


def _done(body: Callable[..., Answer | None], packed: _Packed, notes: Notes | None) -> _Said:
    heard: list[News] = []
    batch = Batch([packed.item], lambda news, _: heard.extend(news), notes)
    return heard, batch.run(body, packed.blobs, ())


def _writer(process: int | None) -> str:
    return f"process {process}"


def _lost(suspects: Sequence[str], why: str) -> str:
    look = "Look for os._exit, a crash in C code, or a lack of memory"
    if len(suspects) == 1:
        return f"Its process ended while it ran ({why}). {look}."
    among = ", ".join(suspects)
    return f"Its process ended while it ran, or was ended as another had ({why}). {look}, in any of: {among}."
