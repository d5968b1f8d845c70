"""A run that goes on in another process: watched through the store, and reached by requests to its owner."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.events import FLOW, StateChanged
from flowbook.exceptions import RunClaimedError, StartTaskError
from flowbook.store.records import Request

if TYPE_CHECKING:
    from flowbook.engine.events import Event
    from flowbook.engine.state import State
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.run import FlowRun

__all__ = ["RemoteRun"]

_LOOK_S = 0.05
_FOLLOW_S = 0.1
_ANSWER_S = 15.0


class RemoteRun:
    """What this process knows of a run that another has. From any thread."""

    def __init__(self, recording: Recording, run: FlowRun, last_seq: int) -> None:
        self._recording = recording
        self._run = run
        self._last_seq = last_seq
        self._lock = RankedLock(Rank.FOLLOWED_RUN)
        self._next_look = 0.0
        self._is_over = False
        self._thread: threading.Thread | None = None

    def look(self, *, now: bool = False) -> None:
        """Hand on to the run what is new; at most every 50 ms unless it has to be `now`."""
        if not now and time.monotonic() < self._next_look:
            return
        with self._lock:
            if self._is_over:
                return
            is_owned = self._recording.is_owned()
            self._hand_on(self._recording.events(self._last_seq))
            if not is_owned:
                self._is_over = True
                self._run.come_back()
            self._next_look = time.monotonic() + _LOOK_S

    def follow(self) -> None:
        """Look on and on, in a thread of its own, until the other process has let go of the run."""
        with self._lock:
            if self._thread is None and not self._is_over:
                self._thread = threads.spawn(self._follow, name="follow", owner=self)

    def _follow(self) -> None:
        pause = threading.Event()
        while not self._is_over:
            self.look(now=True)
            pause.wait(_FOLLOW_S)

    def _hand_on(self, events: list[Event]) -> None:
        if not events:
            return
        self._last_seq = events[-1].seq
        changed: dict[str, State] = {
            event.key: event.state for event in events if isinstance(event, StateChanged) and event.key != FLOW
        }
        self._run.take_in(changed, self._recording.flow_state(events), events)

    def ask(self, action: str, keys: tuple[str, ...], by: str, note: str) -> bool:
        """Ask the owner; return whether it did so, False where it has let go of the run in the meantime.

        Raises:
            RunClaimedError: if somebody else did it before, or the owner does not answer.
            StartTaskError: if it makes no sense there.
        """
        number = self._recording.ask(Request(action, keys, by, note))
        deadline = time.monotonic() + _ANSWER_S
        pause = threading.Event()
        while (answer := self._recording.answered(number)) is None:
            is_late = time.monotonic() > deadline
            if (is_late or not self._recording.is_owned()) and self._recording.withdraw(number):
                if is_late:
                    raise self._no_answer(action)
                return False
            pause.wait(_LOOK_S)
        if "error" in answer:
            kind = RunClaimedError if answer["error"] == RunClaimedError.__name__ else StartTaskError
            raise kind(str(answer["message"]), run=self._run.run_id)
        return bool(answer["done"])

    def _no_answer(self, action: str) -> RunClaimedError:
        owner = self._recording.owner()
        msg = (
            f"{owner} has run {self._run.number} of {self._run.flow_name!r} and did not answer within {_ANSWER_S:.0f} s "
            f"(asked to {action}). It may be busy: try again, or end that process; the run can then be resumed from here."
        )
        return RunClaimedError(msg, owner=owner, run=self._run.run_id)
