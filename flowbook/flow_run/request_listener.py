"""Answers what other processes ask of a run that goes on here, and tells the store that this process lives."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol, cast

from flowbook._utils import threads
from flowbook.exceptions import FlowbookError, RunClaimedError, RunError
from flowbook.flow_run.decision import Decision
from flowbook.store.process_identity import BEAT_S

if TYPE_CHECKING:
    from flowbook.flow_run.decision import Action
    from flowbook.flow_run.run_description import RunLabel
    from flowbook.store import Store
    from flowbook.store.records import Request

__all__ = ["Listens", "RequestListener"]

_LISTEN_S = 0.2


class Listens(Protocol):
    """A run that goes on here and takes requests."""

    def answer(self, decision: Decision) -> bool:
        """Do what another process asks; return False if the run is over. Raises StartTaskError, RunClaimedError."""
        ...

    def lose_claim(self, error: RunClaimedError) -> None:
        """Stop, because another process has taken the run over."""
        ...


class RequestListener:
    """A thread beside one epoch of a run. It looks into the store every 200 ms.

    Args:
        store: where the requests are.
        run: named in the thread's name.
        epoch: number of the epoch, under which this process has claimed the run.
        listens: who is asked.
    """

    def __init__(self, store: Store, run: RunLabel, epoch: int, listens: Listens) -> None:
        self._ownership, self._requests = store.ownership, store.requests
        self._run_id = run.run_id
        self._epoch = epoch
        self._listens = listens
        self._stop = threading.Event()
        self._next_beat = time.monotonic() + BEAT_S
        threads.spawn(self._work, name=f"requests-{run.number}", owner=self)

    def stop(self) -> None:
        """Let the thread end; it may still be answering."""
        self._stop.set()

    def _work(self) -> None:
        while not self._stop.wait(_LISTEN_S):
            try:
                self._answer_all()
                if time.monotonic() >= self._next_beat:
                    self._next_beat = time.monotonic() + BEAT_S
                    self._ownership.beat(self._run_id, self._epoch)
            except RunClaimedError as error:
                if not self._stop.is_set():
                    self._listens.lose_claim(error)
                return
            except FlowbookError:
                continue  # the store may be usable again later, and the run must go on

    def _answer_all(self) -> None:
        for request in self._requests.open(self._run_id, self._epoch):
            self._requests.answer(request.number, self._answer(request))

    def _answer(self, request: Request) -> dict[str, object]:
        decision = Decision(cast("Action", request.action), request.keys, request.by, request.note)
        try:
            return {"done": self._listens.answer(decision)}
        except RunError as error:
            return {"error": type(error).__name__, "message": str(error)}
        except FlowbookError as error:
            return {"error": "StartTaskError", "message": str(error)}
