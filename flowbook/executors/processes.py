"""A pool of worker processes on this machine: spawned for one run, fed through pipes, replaced when one ends.

This is the driver's side; `worker_process` is the workers'.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing import connection, util
from typing import TYPE_CHECKING, Any, Self

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedRLock
from flowbook.exceptions import ExecutorError
from flowbook.executors.base import Report
from flowbook.executors.batches import CallQueue, Item
from flowbook.executors.worker_pipe import receive, send
from flowbook.executors.worker_process import work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.context import SpawnProcess

    from flowbook.executors.base import Answer, Call
    from flowbook.executors.batches import CallEvent
    from flowbook.executors.ledger import LedgerFolder

__all__ = ["Processes", "check_process", "start_advice"]

_START_S = 60.0
_END_S = 1.0
#: How many blobs a worker keeps beyond those of its batch.
_KEPT_BLOBS = 32
_DEATHS_AT_START = 3


class _Worker:
    """One worker process, as the driver sees it."""

    def __init__(self, body: Callable[..., Answer | None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process: SpawnProcess = context.Process(target=work, args=(there, body), name="flowbook-worker")
        self.process.start()
        there.close()
        self.is_ready = False
        #: Whether a person wanted it to end.
        self.is_stopped = False
        #: The calls that it hasn't done yet, in its order: the first one is running.
        self.calls: dict[int, Call] = {}
        self.blobs: dict[str, None] = {}

    def give(self, batch: Sequence[Call]) -> None:
        """Send a batch, and the blobs that the worker lacks."""
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
        send(self.pipe, ("batch", items, new, dropped))

    def ended_how(self) -> str:
        """Return how the process ended, in words. A process that only closed or broke its pipe is killed first."""
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


def check_process() -> None:
    """Raise SystemExit if this process is starting as a worker and runs the script again: it must end here."""
    if getattr(multiprocessing.process.current_process(), "_inheriting", False):
        raise SystemExit(_GUARD)


class Processes:
    """Runs the calls of one run in `count` processes. Implements `RunsCalls`; use it as a context manager."""

    outlives = False

    def __init__(self, count: int) -> None:
        check_process()
        self._count = count
        self._queue = CallQueue()
        self._workers: list[_Worker] = []
        self._lock = RankedRLock(Rank.PROCESS_POOL)
        self._is_open = True
        self._is_cancelled = False
        self._deaths_at_start = 0
        self._wake_here, self._wake_there = os.pipe()
        self._thread = threads.prepare(self._read_pipes, name="processes", owner=self)

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
        self,
        body: Callable[..., Answer | None],
        on_report: Callable[[Report], None],
        folder: LedgerFolder | None = None,
    ) -> None:
        """Start the processes, and wait until they are ready.

        Raises:
            ExecutorError: if one ends before that; mostly because the script has no guard.
        """
        del folder  # not needed: the driver sees each worker end
        self._body = body
        self._on_report = on_report
        util.Finalize(self, _end, args=(self._workers,), exitpriority=10)
        self._workers.extend(_Worker(body) for _ in range(self._count))
        deadline = time.monotonic() + _START_S
        for worker in self._workers:
            try:
                if not worker.pipe.poll(max(0.0, deadline - time.monotonic())):
                    msg = f"A worker process didn't start within {_START_S:.0f} s. Is the machine overloaded?"
                    raise ExecutorError(msg)
                receive(worker.pipe)
            except (EOFError, OSError) as error:
                msg = f"A worker process ended before it was ready ({worker.ended_how()}). {start_advice()}"
                raise ExecutorError(msg) from error
            worker.is_ready = True
        self._thread.start()

    def submit_batch(self, calls: Sequence[Call]) -> None:
        """Queue calls."""
        with self._lock:
            self._queue.add(calls)
        self._feed()

    def cancel(self) -> None:
        """Start nothing more; calls that are running go on to their end."""
        with self._lock:
            self._is_cancelled = True
            for worker in self._workers:
                if worker.calls:
                    with contextlib.suppress(OSError):
                        send(worker.pipe, ("stop",))
        self._feed()

    def stop_calls(self, stop: Callable[[], None]) -> None:
        """End the processes that have calls; no new ones take their place."""
        del stop  # it couldn't stop C code
        with self._lock:
            busy = [worker for worker in self._workers if worker.calls]
            for worker in busy:
                worker.is_stopped = True
                with contextlib.suppress(ValueError):  # it has ended
                    worker.process.terminate()
        if busy:
            threads.spawn(_kill_after, _END_S, busy, name="process-killer", owner=self)

    def fetch(self, handles: Sequence[object]) -> list[Any]:
        """Return the values, which are in this process already."""
        return list(handles)

    def release(self) -> None:
        """Do nothing: all values are in this process."""

    # Messages from the workers, all handled in one thread

    def _read_pipes(self) -> None:
        while True:
            with self._lock:
                pipes: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers}
                if not self._is_open:
                    return
            for ready in connection.wait([*pipes, self._wake_here]):
                if ready == self._wake_here:
                    os.read(self._wake_here, 100)
                else:
                    self._receive_from(pipes[ready])

    def _receive_from(self, worker: _Worker) -> None:
        try:
            message = receive(worker.pipe)
        except Exception:  # noqa: BLE001  # the pipe is closed, or a task wrote into it
            self._replace(worker)
            return
        if message == "ready":
            worker.is_ready = True
            self._deaths_at_start = 0
        else:
            for event in message[0]:
                self._handle(worker, event, message[1])
        self._feed()

    def _handle(self, worker: _Worker, event: CallEvent, value: object) -> None:
        if event.kind in {"running", "log", "progress"}:
            self._on_report(Report(event.kind, event.id, event.body))  # type: ignore[arg-type]  # one of these
            return
        with self._lock:
            call = worker.calls.pop(event.id, None)
            if call is not None and event.kind == "returned":
                self._queue.add([call])
            elif call is not None and event.kind == "done":
                self._queue.record_duration(call.group, event.seconds)
        if event.kind == "done":
            self._on_report(Report("done", event.id, event.body, value if event.has_value else None))
        elif event.kind == "unstarted":
            self._on_report(Report("unstarted", event.id))

    def _replace(self, worker: _Worker) -> None:
        """Replace a process that has ended: the call that was running is lost, the rest of its batch goes to other workers.

        One that was stopped isn't replaced.
        """
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
            if worker.is_stopped:
                pass
            elif self._deaths_at_start < _DEATHS_AT_START:
                self._workers.append(_Worker(self._body))
            elif not self._workers:
                lost += self._queue.drain()
        worker.pipe.close()
        for call in lost:
            self._on_report(Report("stopped", call.id) if worker.is_stopped else Report("lost", call.id, _lost(how)))
        self._feed()

    def _feed(self) -> None:
        """Give batches to idle workers; report what can't run any more, without the lock."""
        with self._lock:
            reports = self._give_batches()
        for report in reports:
            self._on_report(report)

    def _give_batches(self) -> list[Report]:
        """Give batches to idle workers; return reports of the calls that can't run any more. Call with the lock held."""
        if self._is_cancelled:
            return [Report("unstarted", call.id) for call in self._queue.drain()]
        for worker in self._workers:
            if not len(self._queue):
                return []
            if worker.is_ready and not worker.calls:
                with contextlib.suppress(OSError):  # it has ended: the reading thread will notice, with its calls
                    worker.give(self._queue.take(self._count))
        if self._workers or not self._is_open:
            return []
        return [Report("lost", call.id, _lost("no new one could be started")) for call in self._queue.drain()]


_GUARD = (
    "Worker processes import the script that starts them. Put the run under `if __name__ == '__main__':` in the script, "
    "or use LocalDaskExecutor('threads')."
)


def start_advice() -> str:
    """Return what to do if worker processes don't start."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is not None and not os.path.exists(script):  # noqa: PTH110  # only asked, never opened
        return (
            f"Worker processes import the script that starts them, and {script!r} isn't a file. "
            "Save the script as a file and run that."
        )
    return _GUARD


def _lost(how: str) -> str:
    return f"Its process ended while it ran: {how}. Look for os._exit, a crash in C code, or a lack of memory."


def _kill_after(seconds: float, workers: list[_Worker]) -> None:
    """Kill processes that haven't ended after `seconds`: their tasks may ignore SIGTERM."""
    deadline = time.monotonic() + seconds
    for worker in workers:
        with contextlib.suppress(ValueError, OSError):  # it is closed
            if not connection.wait([worker.process.sentinel], max(0.0, deadline - time.monotonic())):
                worker.process.kill()


def _end(workers: list[_Worker]) -> None:
    """End processes; kill those that are still working."""
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
