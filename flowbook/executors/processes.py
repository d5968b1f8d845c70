"""Workers in processes of this machine: spawned, fed through pipes, replaced where one ends.

The driver's side: `Processes`, made for each run. The workers' side: `work`, the main function of a spawned process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import struct
import sys
import time
from multiprocessing import connection, util
from typing import TYPE_CHECKING, Any, Self

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock, RankedRLock
from flowbook.exceptions import ExecutorError
from flowbook.executors.base import Report
from flowbook.executors.batches import BATCH_S, Batch, CallQueue, Item, News
from flowbook.executors.interrupts import leave_ctrl_c_to_the_driver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from flowbook.executors.base import Answer, Call
    from flowbook.executors.ledger import Place

__all__ = ["Processes", "work"]

_START_S = 60.0
_END_S = 1.0
#: So many blobs a worker keeps beyond those of its batch.
_KEPT_BLOBS = 32
_DEATHS_AT_START = 3
#: How a worker ends that can't speak to the driver any more.
_NO_PIPE = 1
_LENGTHS = struct.Struct("<Q")


class _Worker:
    """One process, as the driver sees it."""

    def __init__(self, body: Callable[..., Answer | None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process: SpawnProcess = context.Process(target=work, args=(there, body), name="flowbook-worker")
        self.process.start()
        there.close()
        self.is_ready = False
        #: The calls that it has and has not done, in its order: the first of them is the one that runs.
        self.calls: dict[int, Call] = {}
        self.blobs: dict[str, None] = {}

    def give(self, batch: Sequence[Call]) -> None:
        """Hand over a batch, and the blobs that it lacks."""
        self.calls = {call.id: call for call in batch}
        wanted = {blob.label: blob for call in batch for blob in call.blobs}
        new = [(blob.label, blob.parcel) for blob in wanted.values() if blob.label not in self.blobs]
        for label in wanted:
            self.blobs.pop(label, None)
            self.blobs[label] = None
        dropped = [label for label in list(self.blobs)[: -_KEPT_BLOBS or None] if label not in wanted]
        for label in dropped:
            del self.blobs[label]
        items = [Item(call.id, call.payload, tuple(blob.label for blob in call.blobs)) for call in batch]
        _send(self.pipe, ("batch", items, new, dropped))

    def ended_how(self) -> str:
        """Return how the process ended, in words; one that only closed its pipe, or spoilt it, is ended."""
        self.process.join(_END_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join(_END_S)
            return "its pipe broke"
        code = self.process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"


class Processes:
    """Runs the calls of one run in `count` processes. Implements `RunsCalls`; use it as a context manager."""

    outlives = False

    def __init__(self, count: int) -> None:
        if getattr(multiprocessing.process.current_process(), "_inheriting", False):
            #: This process is a worker to be, which runs the script again: it must end here, whoever catches errors.
            raise SystemExit(_GUARD)
        self._count = count
        self._queue = CallQueue()
        self._workers: list[_Worker] = []
        self._lock = RankedRLock(Rank.PROCESS_POOL)
        self._is_open = True
        self._is_cancelled = False
        self._deaths_at_start = 0
        self._wake_here, self._wake_there = os.pipe()
        self._thread = threads.prepare(self._pump, name="processes", owner=self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_open = False
        os.write(self._wake_there, b"x")
        if self._thread.ident is not None:
            self._thread.join()
        _end(self._workers)
        self._workers.clear()
        os.close(self._wake_here)
        os.close(self._wake_there)

    def listen(
        self, body: Callable[..., Answer | None], on_report: Callable[[Report], None], place: Place | None = None
    ) -> None:
        """Start the processes; wait until they are ready.

        Raises:
            ExecutorError: if one ends before; mostly a script without a guard.
        """
        del place  # all of it happens on this machine, and what ends is seen
        self._body = body
        self._on_report = on_report
        util.Finalize(self, _end, args=(self._workers,), exitpriority=10)
        self._workers.extend(_Worker(body) for _ in range(self._count))
        deadline = time.monotonic() + _START_S
        for worker in self._workers:
            try:
                if not worker.pipe.poll(max(0.0, deadline - time.monotonic())):
                    msg = f"A worker process did not start within {_START_S:.0f} s. Is the machine overloaded?"
                    raise ExecutorError(msg)
                _receive(worker.pipe)
            except (EOFError, OSError) as error:
                msg = f"A worker process ended before it was ready ({worker.ended_how()}). {_advice()}"
                raise ExecutorError(msg) from error
            worker.is_ready = True
        self._thread.start()

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Take calls."""
        with self._lock:
            self._queue.add(calls)
            self._feed()

    def cancel(self) -> None:
        """Start nothing more; the processes end their calls that run."""
        with self._lock:
            self._is_cancelled = True
            self._feed()
            for worker in self._workers:
                if worker.calls:
                    with contextlib.suppress(OSError):
                        _send(worker.pipe, ("stop",))

    def fetch(self, handles: Sequence[object]) -> list[Any]:
        """Return the values, which are here already."""
        return list(handles)

    def release(self) -> None:
        """Hold nothing: all values are here."""

    # What comes back; all of it in one thread

    def _pump(self) -> None:
        while True:
            with self._lock:
                pipes: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers}
                if not self._is_open:
                    return
            for ready in connection.wait([*pipes, self._wake_here]):
                if ready == self._wake_here:
                    os.read(self._wake_here, 100)
                else:
                    self._hear(pipes[ready])

    def _hear(self, worker: _Worker) -> None:
        try:
            message = _receive(worker.pipe)
        except Exception:  # noqa: BLE001  # the pipe is closed, or a task wrote into it
            self._bury(worker)
            return
        if message == "ready":
            worker.is_ready = True
            self._deaths_at_start = 0
        else:
            for news in message[0]:
                self._tell(worker, news, message[1])
        with self._lock:
            self._feed()

    def _tell(self, worker: _Worker, news: News, value: object) -> None:
        if news.kind in {"running", "log"}:
            self._on_report(Report(news.kind, news.id, news.body))  # type: ignore[arg-type]  # one of these two
            return
        with self._lock:
            call = worker.calls.pop(news.id, None)
            if call is not None and news.kind == "returned":
                self._queue.add([call])
            elif call is not None and news.kind == "done":
                self._queue.took(call.group, news.seconds)
        if news.kind == "done":
            self._on_report(Report("done", news.id, news.body, value if news.is_held else None))
        elif news.kind == "unstarted":
            self._on_report(Report("unstarted", news.id))

    def _bury(self, worker: _Worker) -> None:
        """Replace a process that has ended; the call that ran is lost, the others of its batch go to others."""
        with self._lock:
            if worker not in self._workers:
                return
            self._workers.remove(worker)
            how = worker.ended_how()
            calls = list(worker.calls.values())
            lost, again = calls[:1], calls[1:]
            if not worker.is_ready:
                self._deaths_at_start += 1
            self._queue.add(again)
            if self._deaths_at_start < _DEATHS_AT_START:
                self._workers.append(_Worker(self._body))
            elif not self._workers:
                lost += self._queue.drain()
        worker.pipe.close()
        for call in lost:
            self._on_report(Report("lost", call.id, _lost(how)))
        with self._lock:
            self._feed()

    def _feed(self) -> None:
        """Give work to those who have none; the caller holds the lock."""
        if self._is_cancelled:
            for call in self._queue.drain():
                self._on_report(Report("unstarted", call.id))
            return
        for worker in self._workers:
            if not len(self._queue):
                return
            if worker.is_ready and not worker.calls:
                with contextlib.suppress(OSError):  # it has ended: the pump will see it, with its calls
                    worker.give(self._queue.take(self._count))
        if not self._workers and self._is_open:
            for call in self._queue.drain():
                self._on_report(Report("lost", call.id, _lost("no new one could be started")))


_GUARD = (
    "Processes import the script that starts them. In a script, let the run stand under `if __name__ == '__main__':`, "
    "or use LocalDaskExecutor('threads')."
)


def _advice() -> str:
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is not None and not os.path.exists(script):  # noqa: PTH110  # only asked, never opened
        return f"Processes import the script that starts them, and {script!r} is no file. Save it as one, and run that."
    return _GUARD


def _lost(how: str) -> str:
    return f"Its process ended while it ran: {how}. Look for os._exit, a crash in C code, or a lack of memory."


def _end(workers: list[_Worker]) -> None:
    """End processes, at once where they still work."""
    for worker in workers:
        if worker.calls or not worker.is_ready:
            worker.process.kill()
        with contextlib.suppress(OSError):
            worker.pipe.close()
    for worker in workers:
        worker.process.join(_END_S)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.process.close()


# The wire: a pickle, then the buffers beside it


def _send(pipe: Connection, message: object) -> None:
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    pipe.send_bytes(b"".join(_LENGTHS.pack(view.nbytes) for view in views) or b"\0")
    pipe.send_bytes(stream)
    for view in views:
        if view.nbytes:
            pipe.send_bytes(view)


def _receive(pipe: Connection) -> Any:  # noqa: ANN401  # as it was sent
    lengths = pipe.recv_bytes()
    stream = pipe.recv_bytes()
    buffers = []
    if len(lengths) > 1:
        for (length,) in _LENGTHS.iter_unpack(lengths):
            buffer = bytearray(length)  #: Writable, as arrays expect.
            if length:
                pipe.recv_bytes_into(buffer)
            buffers.append(buffer)
    return pickle.loads(stream, buffers=buffers)  # noqa: S301  # the other end of our own pipe


# A worker


def work(pipe: Connection, body: Callable[..., Answer | None]) -> None:
    """Do batches until the pipe is closed. Ctrl-C is the driver's business."""
    leave_ctrl_c_to_the_driver()
    _send(pipe, "ready")
    worker = _WorkerSide(pipe)
    threads.spawn(worker.read, name="reader", owner=worker)
    worker.run(body)


class _WorkerSide:
    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._send_lock = RankedLock(Rank.PIPE)
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._blobs: dict[str, Any] = {}
        self._batch: Batch | None = None
        self._deadline: float | None = None

    def read(self) -> None:
        """Take messages; give back the rest of a batch that takes too long. Its end is the end of the process."""
        while True:
            deadline = self._deadline
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                if not self._pipe.poll(wait_s):
                    self._deadline = None
                    if self._batch is not None:
                        self._batch.give_back()
                    continue
                message = _receive(self._pipe)
            except EOFError:
                os._exit(0)
            except OSError:
                os._exit(_NO_PIPE)
            if message[0] == "stop":
                if self._batch is not None:
                    self._batch.stop()
            else:
                self._take(message)

    def _take(self, message: tuple[Any, ...]) -> None:
        _, items, new, dropped = message
        for label in dropped:
            self._blobs.pop(label, None)
        self._blobs.update(new)
        self._batch = Batch(items, self._send)
        self._deadline = time.monotonic() + BATCH_S if len(items) > 1 else None
        self._inbox.put((self._batch,))

    def run(self, body: Callable[..., Answer | None]) -> None:
        """Do batches, in the process's main thread, where user code expects to be."""
        while True:
            (batch,) = self._inbox.get()
            batch.run(body, self._blobs, ())

    def _send(self, news: list[News], value: object) -> None:
        with self._send_lock:
            try:
                _send(self._pipe, (news, value))
            except OSError:  # the driver is gone, or a task closed what it did not open
                os._exit(_NO_PIPE)
