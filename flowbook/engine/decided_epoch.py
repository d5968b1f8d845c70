"""What people decide about an epoch that runs: they answer tasks that wait, retry what failed, or cancel.

A task that nobody answers by its deadline is answered here too. All of it is recorded, under the lock that guards the machine:
so each task is answered once, whoever comes at the same moment.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from flowbook.engine.answer import DEADLINE, Answer, answer_for_deadline, no_answer_by
from flowbook.engine.events import FLOW, Decided, StateChanged
from flowbook.engine.messages import AnswerBy, CancelRequested, Emit, ResumeRequested, RetryRequested, Submit
from flowbook.engine.state import Paused, Resume
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.stopping import stopped_by
from flowbook.engine.task_call import is_in_task
from flowbook.engine.task_keys import named
from flowbook.engine.timers import Timers

if TYPE_CHECKING:
    import threading
    from collections import deque
    from collections.abc import Callable, Iterable

    from flowbook.engine.event_relay import EventRelay
    from flowbook.engine.jobs import Jobs
    from flowbook.engine.machine import Machine
    from flowbook.engine.masks import Masks
    from flowbook.engine.messages import Instruction
    from flowbook.engine.state import State
    from flowbook.engine.stopping import TaskThreads

__all__ = ["DecidedEpoch"]

#: What is due by the monotonic clock is answered even if the other one lags by this much; more is a clock that was set back.
_SLACK_S = 1.5


class DecidedEpoch(ABC):
    """The part of an epoch that carries out decisions. From any thread."""

    #: Whether a person cancelled the run.
    is_cancelled: bool
    #: Whether no more tasks start here, because another process is to take the run over.
    is_draining: bool
    #: Whether a worker has stopped taking tasks for that reason: from then on, the run doesn't stay here.
    has_left: bool
    masks: Masks | None
    stop: Callable[[], None] | None
    threads: TaskThreads
    _final: State | None
    _jobs: Jobs
    _lock: threading.Lock
    _machine: Machine
    _ready: deque[str]
    _relay: EventRelay
    _timers: Timers

    def __init__(self) -> None:
        #: When tasks are answered that nobody answers. Apart from the timers, as no task runs when one of these is due.
        self._deadlines = Timers()

    @abstractmethod
    def _carry_out(self, instructions: list[Instruction]) -> None:
        """Carry out what the machine decided. Called with the lock held."""

    @abstractmethod
    def _notify_all(self) -> None:
        """Wake all workers that wait. Called with the lock held."""

    @property
    def is_cancelling(self) -> bool:
        """Whether the run was cancelled and isn't over: then no task can be answered."""
        return self.is_cancelled and self._final is None

    def answer(self, keys: tuple[str, ...], answer: Answer) -> bool | None:
        """Answer tasks that wait.

        Returns:
            False if the run is over, so that a new epoch is needed; None, with nothing done, if one of the tasks no longer
            waits, because somebody else answered, or the run is being cancelled.
        """
        if self.masks:
            hide = self.masks.text
            changes = tuple(each._replace(text=hide(each.text)) for each in answer.changes)
            answer = answer._replace(by=hide(answer.by), note=hide(answer.note), changes=changes)
        with self._lock:
            if self._final is not None:
                return False
            self._answer_overdue()
            waiting = self._machine.waiting(keys)
            is_taken = not self.is_cancelled and set(keys) <= set(waiting)
            if is_taken:
                self._answer(keys, answer)
        self._relay.pass_on()
        return True if is_taken else None

    def _answer(self, keys: tuple[str, ...], answer: Answer) -> None:
        """Record an answer and carry it out. Call it with the lock held."""
        at = time.time()
        self._jobs.exempt_from_checks(keys)
        instructions = self._machine.handle(ResumeRequested(keys, answer))
        told = {each.key: each for each in instructions if isinstance(each, Emit) and type(each.state) is Resume}
        for key in keys:
            looked_at = answer.looked_at.get(key, {})
            self._relay.gather(Decided, key, at, answer.action, answer.by, answer.note, answer.changes, looked_at)
            if key in told:  # right after, so that both are recorded at once
                self._relay.gather(StateChanged, key, told[key].state)
        done = {id(each) for each in told.values()}
        self._carry_out([each for each in instructions if id(each) not in done])

    def answer_overdue(self) -> None:
        """Answer the tasks whose deadline has passed."""
        if self._deadlines.wait_s() is None:
            return
        with self._lock:
            if self._final is None:
                self._answer_overdue()
        self._relay.pass_on()

    def _answer_overdue(self) -> None:
        """Do as `answer_overdue`; call it with the lock held."""
        now = time.time() + _SLACK_S
        for key in list(self._deadlines.due()):
            state = self._machine.states[key]
            if not isinstance(state, Paused) or not waits_for_person(state) or state.deadline is None:
                continue  # it was answered
            if not state.is_overdue(now):
                self._deadlines.set(key, state.deadline.timestamp())  # the clock was set back, or it waits once more
                continue
            self._answer((key,), Answer(answer_for_deadline(state), DEADLINE, no_answer_by(state.deadline)))

    def _note_deadline(self, instruction: AnswerBy) -> None:
        self._deadlines.set(instruction.key, instruction.at)

    def retry(self, by: str = "", note: str = "", only: tuple[str, ...] = ()) -> bool | None:
        """Retry failed tasks with a fresh count of attempts; return None if none has failed, False if the run is over.

        Args:
            by: who decides.
            note: why.
            only: keys of tasks, or of children of mapped ones; empty: all that failed.
        """
        with self._lock:
            if self._final is not None:
                return False
            keys = named(self._machine.failed(), only)
            self._decided(keys, "retry", by, note)
            instructions = self._machine.handle(RetryRequested(keys))
            # A task downstream of another one is retried through its trigger, after that one.
            self._jobs.exempt_from_checks(key for each in instructions if isinstance(each, Submit) for key in each.keys)
            self._jobs.exempt_from_checks(self._machine.requested_early)
            self._carry_out(instructions)
        self._relay.pass_on()
        return True if keys else None

    def cancel(self, by: str = "", note: str = "", *, now: bool = False) -> bool:
        """Start no more tasks; running tasks go on to their end. Return False if the run is over.

        With `now`, or on a second call, also stop running tasks: their Python code, or the processes that run them.
        """
        now = now or self.is_cancelled
        with self._lock:
            if self._final is not None:
                return False
            now = now or self.is_cancelled
            is_left_to_others = self.has_left
            if not is_left_to_others:
                self._cancel(by, note)
        self._relay.pass_on()
        stop = self.stop  # once: the thread that runs the flow clears it when nothing is left to stop
        if stop is not None:
            stop()
        if now:
            self.threads.stop(is_in_task, stopped_by(by, note))
        return not is_left_to_others

    def _cancel(self, by: str, note: str) -> None:
        """Record that the run was cancelled, and start no more of it. Call it with the lock held."""
        self._decided((FLOW,), "cancel", by, note)
        self.is_cancelled, self.is_draining = True, False
        self._notify_all()
        queued = tuple(self._ready)
        self._ready.clear()
        self._timers.clear()
        self._deadlines.clear()
        self._carry_out(self._machine.handle(CancelRequested(queued)))

    def drain(self, by: str = "", note: str = "") -> bool:
        """Start no more tasks here, as another process is to take the run over; `run` returns once those that run have ended.

        Return False if the run is over or was cancelled.
        """
        with self._lock:
            if self._final is not None or self.is_cancelled:
                return False
            if not self.is_draining:
                self._decided((FLOW,), "hand_over", by, note)
                self.is_draining = True
                self._notify_all()
        self._relay.pass_on()
        return True

    def stay(self, by: str = "", note: str = "") -> bool:
        """Go on here after `drain`; return False if it is too late for that."""
        with self._lock:
            if self._final is not None or self.has_left or not self.is_draining:
                return False
            self._decided((FLOW,), "stay", by, note)
            self.is_draining = False
            self._notify_all()
        self._relay.pass_on()
        return True

    def _decided(self, keys: Iterable[str], action: str, by: str, note: str) -> None:
        """Record a person's decision. Call it with the lock held."""
        at = time.time()
        for key in keys:
            self._relay.gather(Decided, key, at, action, by, note)
