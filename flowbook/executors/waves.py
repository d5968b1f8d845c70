"""Runs calls through a Dask `get` of the user's own: all that are ready go to it as one wave, and report when all are done.

If the `get` has processes of its own, one that dies breaks the whole wave. So calls are recorded in a ledger: those that
were running are lost, those that were done stay done, and the rest joins the next wave.
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
from flowbook.executors.batches import WITH_VALUE, Batch, CallEvent, Item
from flowbook.executors.interrupts import ctrl_c_held_back, left_to_the_driver
from flowbook.executors.ledger import BEGUN, DONE, Ledger, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from multiprocessing.process import BaseProcess

    from flowbook.executors.base import Answer, Call
    from flowbook.executors.batches import CallJournal
    from flowbook.executors.ledger import Entry, LedgerFolder

__all__ = ["Waves", "do_call"]


_NUMBERS = itertools.count()
#: The runs of this process, by number, so that a call in this process can see that its run was cancelled.
_RUNS: weakref.WeakValueDictionary[int, Waves] = weakref.WeakValueDictionary()

#: What a call returns through the `get`: its events, and the values they are about.
_Outcome = tuple[list[CallEvent], dict[int, Any]]
_NO_OUTCOME: _Outcome = ([], {})


class Waves:
    """Runs the calls of one run through `get`, wave after wave. Implements `RunsCalls`; use it as a context manager."""

    outlives = False

    def __init__(self, get: Callable[..., Any], count: int) -> None:
        self._get = get
        self._count = count
        self._inbox: queue.SimpleQueue[Sequence[Call] | None] = queue.SimpleQueue()
        self._ledger: Ledger | None = None
        self._wave: list[_Packed] = []
        self._pages = itertools.count(1)
        self.is_cancelled = False
        self._is_abandoned = False
        #: Whether processes were ended because a person stopped their calls.
        self._is_stopped = False
        #: The thread in which calls run, for each thread of this process that the `get` uses, by its number.
        self._daemons: dict[int, _Daemon] = {}
        self._number = next(_NUMBERS)
        _RUNS[self._number] = self
        self._thread = threads.prepare(self._work, name="waves", owner=self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._inbox.put(None)
        if kind is not None:
            self._abandon()
        elif self._thread.ident is not None:
            self._thread.join()
        for daemon in list(self._daemons.values()):
            daemon.end()
        if self._ledger is not None:
            self._ledger.close()

    def listen(
        self,
        body: Callable[..., Answer | None],
        on_report: Callable[[Report], None],
        folder: LedgerFolder | None = None,
    ) -> None:
        """Start the thread that runs the waves."""
        self._ledger = Ledger(folder)
        self._body = body
        self._on_report = on_report
        self._thread.start()

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Queue calls for the next wave."""
        self._inbox.put(calls)

    def cancel(self) -> None:
        """Begin no further wave, nor any more calls of this one if they run on this machine."""
        self.is_cancelled = True
        if self._ledger is not None:
            self._ledger.stop()

    def stop_calls(self, stop: Callable[[], None]) -> None:
        """Stop Python code of calls that run in threads of this process; end processes of the `get` that have calls.

        Calls that the `get` has on other machines, or in processes that others started, go on to their end.
        """
        stop()
        self._is_stopped = True
        for process in self._busy_processes():
            process.terminate()

    def record(self, kind: bytes, number: int, body: bytes = b"") -> None:
        """Record nothing of calls in this process. Part of `CallJournal`."""

    def is_stopped(self) -> bool:
        """Return whether the run was cancelled. Part of `CallJournal`."""
        return self.is_cancelled

    def is_superseded(self) -> bool:
        """Return False: no other worker has these calls. Part of `CallJournal`."""
        return False

    def fetch(self, handles: Sequence[object]) -> list[Any]:
        """Return the values, which are in this process already."""
        return list(handles)

    def release(self) -> None:
        """Do nothing: all values are in this process."""

    def call_in_daemon(self, call: Callable[[], _Outcome]) -> _Outcome:
        """Return `call()`, made in a daemon thread that belongs to this thread, or directly if this thread is ours.

        At its end Python waits for the threads of pools, and so would wait for calls that a second Ctrl-C abandoned.
        """
        if threading.current_thread() is self._thread:
            return call()
        daemon = self._daemons.get(threading.get_ident())
        if daemon is None:
            daemon = self._daemons[threading.get_ident()] = _Daemon()
        return _NO_OUTCOME if self._is_abandoned else daemon.do(call)

    def _abandon(self) -> None:
        """After a second Ctrl-C, wait for nothing: abandon the threads, kill the processes in which calls run."""
        self.cancel()
        self._is_abandoned = True
        for daemon in list(self._daemons.values()):
            daemon.abandon()
        for process in self._busy_processes():
            process.kill()

    def _busy_processes(self) -> list[BaseProcess]:
        """Return the processes of this one in which calls run."""
        entries = [self._entry(packed) for packed in list(self._wave)]
        writers = {entry.writer for entry in entries if entry is not None and entry.kind == BEGUN}
        return [process for process in multiprocessing.active_children() if _writer(process.pid) in writers]

    # The thread that runs the waves

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
        self._wave = [_Packed(call, self._number, self._ledger.folder, f"{next(self._pages):x}") for call in wave]
        names = [f"{call.label}-{call.id}" for call in wave]
        graph = {name: (do_call, self._body, packed) for name, packed in zip(names, self._wave, strict=True)}
        try:
            with ctrl_c_held_back():  # a pool whose processes end by it would end all that runs
                answers = self._get(graph, names, num_workers=self._count)
        except BaseException as error:  # noqa: BLE001  # a foreign scheduler: the run goes on whatever it raises
            self._resolve(wave, f"{type(error).__name__}: {error}")
            return
        for events, values in answers:
            for each in events:
                handle = values[each.id] if each.has_value else None
                self._on_report(Report(each.kind, each.id, each.body, handle))
            values.clear()  # a thread of the `get` may still hold its return value
        for packed in self._wave:
            packed.blobs.clear()  # nor of its arguments
        self._wave = []

    def _resolve(self, wave: Sequence[Call], why: str) -> None:
        """Report what became of the calls of a failed wave; those that hadn't begun join the next one.

        So do calls that were done but whose value died with its process.
        """
        entries = [self._entry(packed) for packed in self._wave]
        suspects = [call.label for call, entry in zip(wave, entries, strict=True) if entry and entry.kind == BEGUN]
        again = []
        for call, entry in zip(wave, entries, strict=True):
            if entry is not None and entry.kind == BEGUN:
                self._on_report(Report("running", call.id, entry.begun))
                stopped, lost = Report("stopped", call.id), Report("lost", call.id, _lost(suspects, why))
                self._on_report(stopped if self._is_stopped else lost)
            elif entry is not None and entry.kind == DONE and entry.body[:1] != WITH_VALUE:
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
    """A daemon thread that makes calls for another thread, which may stop waiting for them."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[contextvars.Context, Callable[[], _Outcome]] | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        threads.spawn(self._work, name="wave", owner=self)

    def do(self, call: Callable[[], _Outcome]) -> _Outcome:
        """Return `call()`, which doesn't raise, made in a copy of this context; or an empty outcome, if it was abandoned."""
        self._calls.put((contextvars.copy_context(), call))
        return self._outcomes.get()

    def abandon(self) -> None:
        """Let the waiting thread go on."""
        self._outcomes.put(_NO_OUTCOME)

    def end(self) -> None:
        """End the thread after its present call."""
        self._calls.put(None)

    def _work(self) -> None:
        while (request := self._calls.get()) is not None:
            outcomes = [_make(*request)]
            del request  # before the caller goes on: it holds the run
            self._outcomes.put(outcomes.pop())


def _make(context: contextvars.Context, call: Callable[[], _Outcome]) -> _Outcome:
    return context.run(call)


class _Packed:
    """A call as an object that Dask doesn't look into."""

    def __init__(self, call: Call, run: int, folder: LedgerFolder, page: str) -> None:
        self.run = os.getpid(), run
        self.item = Item(call.id, call.payload, ())
        self.blobs = {blob.label: blob.parcel for blob in call.blobs}
        self.folder = folder
        self.page = page


def do_call(body: Callable[..., Answer | None], packed: _Packed) -> _Outcome:
    """Do one call; return its events, and the values they are about."""
    process, number = packed.run
    waves = _RUNS.get(number) if process == os.getpid() else None
    if waves is None:
        return _do_elsewhere(body, packed)
    with ctrl_c_held_back(is_held_back=False):  # from what a task starts as well
        return waves.call_in_daemon(lambda: _done(body, packed, waves))


def _do_elsewhere(body: Callable[..., Answer | None], packed: _Packed) -> _Outcome:
    """Do a call in a process other than the driver's, and record it in the ledger if that is in reach."""
    page = None
    if packed.folder.is_in_reach():
        with contextlib.suppress(OSError):  # the call goes unrecorded
            page = Page(packed.folder, packed.page, _writer(os.getpid()))
    is_main = threading.current_thread() is threading.main_thread()
    undisturbed: AbstractContextManager[None] = left_to_the_driver() if is_main else contextlib.nullcontext()
    try:
        with undisturbed:
            return _done(body, packed, page)
    finally:
        if page is not None:
            page.close()


def _done(body: Callable[..., Answer | None], packed: _Packed, journal: CallJournal | None) -> _Outcome:
    events: list[CallEvent] = []
    batch = Batch([packed.item], lambda more, _: events.extend(more), journal)
    return events, batch.run(body, packed.blobs, ())


def _writer(process: int | None) -> str:
    return f"process {process}"


def _lost(suspects: Sequence[str], why: str) -> str:
    look = "Look for os._exit, a crash in C code, or a lack of memory"
    if len(suspects) == 1:
        return f"Its process ended while it ran ({why}). {look}."
    among = ", ".join(suspects)
    return f"Its process ended while it ran, or was ended because another one had ({why}). {look}, in any of: {among}."
