"""The main function of a worker process: it does batches of calls until the driver closes the pipe."""

from __future__ import annotations

import os
import queue
import time
from typing import TYPE_CHECKING, Any

from flowbook._utils import costs, threads
from flowbook._utils.locks import Rank, RankedLock
from flowbook.executors.batches import BATCH_S, Batch
from flowbook.executors.interrupts import leave_ctrl_c_to_the_driver
from flowbook.executors.worker_pipe import receive, send

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from flowbook.executors.base import Answer
    from flowbook.executors.batches import CallEvent

__all__ = ["BROKEN_PIPE", "work"]

#: Exit code of a worker that can't reach the driver any more.
BROKEN_PIPE = 1


def work(pipe: Connection, body: Callable[..., Answer | None]) -> None:
    """Do batches until the pipe is closed. Ctrl-C does nothing here: the driver deals with it."""
    leave_ctrl_c_to_the_driver()
    costs.use_own_process()
    send(pipe, "ready")
    worker = _Worker(pipe)
    threads.spawn(worker.read, name="reader", owner=worker)
    worker.run(body)


class _Worker:
    """Two threads: one reads the pipe, the main thread does the calls."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._send_lock = RankedLock(Rank.PIPE)
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._blobs: dict[str, Any] = {}
        self._batch: Batch | None = None
        self._deadline: float | None = None

    def read(self) -> None:
        """Take messages, and give back the rest of a batch that takes too long. When the pipe ends, so does the process."""
        while True:
            deadline = self._deadline
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                if not self._pipe.poll(wait_s):
                    self._deadline = None
                    if self._batch is not None:
                        self._batch.give_back()
                    continue
                message = receive(self._pipe)
            except EOFError:
                os._exit(0)
            except OSError:
                os._exit(BROKEN_PIPE)
            if message[0] == "stop":
                if self._batch is not None:
                    self._batch.stop()
            else:
                self._start_batch(message)

    def _start_batch(self, message: tuple[Any, ...]) -> None:
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

    def _send(self, events: list[CallEvent], value: object) -> None:
        with self._send_lock:
            try:
                send(self._pipe, (events, value))
            except OSError:  # the driver is gone, or a task closed a descriptor that wasn't its own
                os._exit(BROKEN_PIPE)
