"""A run whose own process hasn't begun is put down: it comes to rest, and that process, if there will be one, leaves it alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from flowbook._utils import threads
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Cancelled
from flowbook.exceptions import FlowbookError, RunClaimedError
from flowbook.flow_run.decision import Decision, decided
from flowbook.flow_run.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from flowbook.engine.events import Event
    from flowbook.engine.state import State
    from flowbook.flow_run.decision import Action
    from flowbook.store import Store
    from flowbook.store.records import Request

__all__ = ["CANCELS", "CancelledBeforeItBegins", "decision_to_cancel", "put_down"]

#: What people ask to cancel a run.
CANCELS = frozenset({"cancel", "cancel_now"})
_LOOK_S = 0.5


def put_down(store: Store, run_id: str, epoch: int, state: State, decision: Decision | None = None) -> bool:
    """Let a run come to rest in a state; return False if another process has it by now.

    Args:
        store: has the run.
        run_id: of the run.
        epoch: at which it was claimed for a process.
        state: in which it is to be.
        decision: that somebody made about it.
    """
    recording = Recording.of(store, run_id)
    snapshot = recording.snapshot()
    if snapshot.claim.epoch != epoch:
        return False
    recording.mark_read(snapshot)
    events: list[Event] = [] if decision is None else [*decided(decision, (FLOW,), snapshot.last_seq + 1)]
    events.append(StateChanged(snapshot.last_seq + 1 + len(events), FLOW, state))
    try:
        recording.claim("" if decision is None else decision.by)
    except RunClaimedError:
        return False
    for event in events:
        recording.emit(event)
    recording.finish(state)
    return True


def decision_to_cancel(request: Request) -> Decision:
    """Return the decision that a request to cancel asks for."""
    return Decision(cast("Action", request.action), request.keys, request.by, request.note)


class CancelledBeforeItBegins:
    """Cancels a run, if people ask for it, as long as the place of its process exists and that process hasn't begun.

    A pod may wait for its image or for a node for minutes. A context manager: nothing is answered after its end.

    Args:
        store: has the run.
        run_id: of the run.
        epoch: at which it was claimed for the process.
        end: ends the place; called after the run was put down.
    """

    def __init__(self, store: Store, run_id: str, epoch: int, end: Callable[[], object]) -> None:
        self._store = store
        self._run_id = run_id
        self._epoch = epoch
        self._end = end
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        threads.spawn(self._listen, name=f"cancels-{self._run_id[:8]}", owner=self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()

    def _listen(self) -> None:
        while not self._is_over.wait(_LOOK_S):
            try:
                if self._has_begun() or self._is_cancelled():
                    return
            except FlowbookError:
                continue  # the store can't be read now; it may be later, and the run's process answers then

    def _has_begun(self) -> bool:
        return self._store.ownership.owner(self._run_id).epoch != self._epoch

    def _is_cancelled(self) -> bool:
        requests = self._store.requests
        for request in requests.open(self._run_id, self._epoch):
            if request.action in CANCELS:
                state = Cancelled("Cancelled by a person before its process began.")
                if not put_down(self._store, self._run_id, self._epoch, state, decision_to_cancel(request)):
                    return True  # the process was quicker, and answers
                requests.answer(request.number, {"done": True})
                self._end()
                return True
        return False
