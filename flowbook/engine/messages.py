"""Events that go into the machine, and instructions that come out. Plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flowbook.engine.answer import Answer
    from flowbook.engine.state import State

__all__ = [
    "AnswerBy",
    "CancelRequested",
    "Due",
    "Emit",
    "Expanded",
    "Finish",
    "Instruction",
    "MachineEvent",
    "ResumeRequested",
    "RetryRequested",
    "Settled",
    "Submit",
    "TooEarly",
    "WakeAt",
]


class Settled:
    """A submitted task ended in `state`: finished, paused, or scheduled to run again. Hand-written slots: one per task."""

    __slots__ = ("key", "state")

    def __init__(self, key: str, state: State) -> None:
        self.key = key
        self.state = state


class Expanded(NamedTuple):
    """A submitted mapped task splits into `width` children."""

    key: str
    width: int


class Due(NamedTuple):
    """A sleeping task is due."""

    key: str


class TooEarly(NamedTuple):
    """A submitted task did not run, because something upstream is being retried; see `Machine.is_early`."""

    key: str


class ResumeRequested(NamedTuple):
    """A person answered these paused tasks; without `answer` they are resumed as they are."""

    keys: tuple[str, ...]
    answer: Answer | None = None


class CancelRequested(NamedTuple):
    """A person cancelled the run; the tasks in `queued` were submitted but never started."""

    queued: tuple[str, ...] = ()


class RetryRequested(NamedTuple):
    """A person retried these failed tasks, and with them the tasks that could not run because of them."""

    keys: tuple[str, ...]


MachineEvent = Settled | Expanded | Due | TooEarly | ResumeRequested | CancelRequested | RetryRequested


class Submit(NamedTuple):
    """Run these tasks; an executor that runs one at a time takes them in this order."""

    keys: tuple[str, ...]


class WakeAt(NamedTuple):
    """Send `Due` for this task at `at` (seconds since the epoch)."""

    key: str
    at: float


class AnswerBy(NamedTuple):
    """This task waits for a person: answer it at `at` (seconds since the epoch), if nobody has by then."""

    key: str
    at: float


class Emit(NamedTuple):
    """The machine changed the state of this task; emit an event."""

    key: str
    state: State


class Finish(NamedTuple):
    """Nothing is left to do now; the flow ends in `state`."""

    state: State


Instruction = Submit | WakeAt | AnswerBy | Emit | Finish
