"""Hears what other processes ask of a run that goes on here, and says from time to time that this process lives."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.exceptions import FlowbookError, RunClaimedError, RunError
from flowbook.store.process_identity import BEAT_S

if TYPE_CHECKING:
    from flowbook.flow_run.run import FlowRun
    from flowbook.store import Store

__all__ = ["RequestListener"]

_LISTEN_S = 0.2


class RequestListener:
    """A thread beside one epoch of a run. It costs one look into the store every 200 ms."""

    def __init__(self, store: Store, run: FlowRun, epoch: int) -> None:
        self._ownership, self._requests = store.ownership, store.requests
        self._run = run
        self._epoch = epoch
        self._leave = threading.Event()
        self._next_beat = time.monotonic() + BEAT_S
        threads.spawn(self._attend, name=f"attend-{run.number}", owner=self)

    def dismiss(self) -> None:
        """Let it go; it may be answering still."""
        self._leave.set()

    def _attend(self) -> None:
        while not self._leave.wait(_LISTEN_S):
            try:
                self._listen()
                if time.monotonic() >= self._next_beat:
                    self._next_beat = time.monotonic() + BEAT_S
                    self._ownership.beat(self._run.run_id, self._epoch)
            except RunClaimedError as error:
                if not self._leave.is_set():
                    self._run.cancel(by="flowbook", note=str(error))
                return
            except FlowbookError:
                continue  # a store that can't be used now may be usable later, and the run must go on

    def _listen(self) -> None:
        for request in self._requests.open(self._run.run_id, self._epoch):
            try:
                self._requests.answer(request.number, {"done": self._run.obey(request)})
            except RunError as error:
                self._requests.answer(request.number, {"error": type(error).__name__, "message": str(error)})
            except FlowbookError as error:
                self._requests.answer(request.number, {"error": "StartTaskError", "message": str(error)})
