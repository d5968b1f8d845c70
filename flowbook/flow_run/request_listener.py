"""Answers what other processes ask of a run that goes on here, and tells the store that this process lives."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol, cast, get_args

from flowbook._utils import threads
from flowbook.exceptions import FlowbookError, RunClaimedError, RunError
from flowbook.flow_run.decision import Action, Decision, TypedText
from flowbook.store.process_identity import BEAT_S

if TYPE_CHECKING:
    from flowbook.flow_run.run_description import RunLabel
    from flowbook.store import Store
    from flowbook.store.records import Request

__all__ = ["RequestHandler", "RequestListener", "decision_of"]

_LISTEN_S = 0.05
_ACTIONS = frozenset(get_args(Action))


class RequestHandler(Protocol):
    """A run in this process that takes requests from others."""

    def apply_request(self, decision: Decision) -> bool:
        """Carry out another process's decision; return False if the run is over. Raises StartTaskError, RunClaimedError."""
        ...

    def answer_overdue(self) -> None:
        """Answer the tasks that wait and whose deadline has passed."""
        ...

    def lose_claim(self, error: RunClaimedError) -> None:
        """Stop, because another process has taken the run over."""
        ...


class RequestListener:
    """A thread that reads requests to one epoch of a run from the store, answers overdue tasks, and sends heartbeats.

    It looks every 50 ms whether anything was committed, and reads only then.

    Args:
        store: the store with the requests.
        run: gives the thread its name.
        epoch: number of the epoch for which this process has claimed the run.
        handler: carries out the requests.
    """

    def __init__(self, store: Store, run: RunLabel, epoch: int, handler: RequestHandler) -> None:
        self._ownership, self._requests = store.ownership, store.requests
        self._seen: object = None
        self._run_id = run.run_id
        self._epoch = epoch
        self._handler = handler
        self._stop = threading.Event()
        self._next_beat = time.monotonic() + BEAT_S
        threads.spawn(self._work, name=f"requests-{run.number}", owner=self)

    def stop(self) -> None:
        """Tell the thread to end; it may still be answering a request when this returns."""
        self._stop.set()

    def lose(self) -> None:
        """Tell the handler, once, that another process has claimed the run."""
        try:
            self._ownership.beat(self._run_id, self._epoch)
        except RunClaimedError as error:
            if not self._stop.is_set():
                self._stop.set()
                self._handler.lose_claim(error)

    def _work(self) -> None:
        while not self._stop.wait(_LISTEN_S):
            try:
                self._answer_all()
                self._handler.answer_overdue()
                if time.monotonic() >= self._next_beat:
                    self._next_beat = time.monotonic() + BEAT_S
                    self._ownership.beat(self._run_id, self._epoch)
            except RunClaimedError as error:
                if not self._stop.is_set():
                    self._handler.lose_claim(error)
                return
            except FlowbookError:
                continue  # the store may be usable again later, and the run must go on

    def _answer_all(self) -> None:
        now = self._requests.version()
        if now == self._seen:
            return
        self._seen = now
        for request in self._requests.open(self._run_id, self._epoch):
            self._requests.answer(request.number, self._answer(request))

    def _answer(self, request: Request) -> dict[str, object]:
        if request.action not in _ACTIONS:  # of another version, or somebody's own
            message = f"{request.action[:100]!r} can't be done to a run. Ask for one of {', '.join(sorted(_ACTIONS))}."
            return {"error": "StartTaskError", "message": message}
        try:
            return {"done": self._handler.apply_request(decision_of(request))}
        except RunError as error:
            return {"error": type(error).__name__, "message": str(error)}
        except FlowbookError as error:
            return {"error": "StartTaskError", "message": str(error)}


def decision_of(request: Request) -> Decision:
    """Return the decision that a request asks for."""
    action = cast("Action", request.action)
    typed = {name: TypedText(request.inputs[name].load()) for name in request.typed if name in request.inputs}
    inputs = {**request.inputs, **typed}
    return Decision(action, request.keys, request.by, request.note, inputs, request.looked_at)
