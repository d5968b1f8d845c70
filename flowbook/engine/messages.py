"""What is said to the machine and what it answers: events go in, instructions come out. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flowbook.engine.state import State

__all__ = [
    "CancelAsked",
    "Due",
    "Expanded",
    "Finish",
    "Instruction",
    "MachineEvent",
    "ResumeAsked",
    "RetryAsked",
    "Settled",
    "Submit",
    "Tell",
    "TooEarly",
    "WakeAt",
]


class Settled:
    """A submitted task came to rest in `state`: finished, paused, or to run again later. Slots by hand: one a task."""

    __slots__ = ("key", "state")

    def __init__(self, key: str, state: State) -> None:
        self.key = key
        self.state = state


class Expanded(NamedTuple):
    """A submitted mapped task has `width` children to run."""

    key: str
    width: int


class Due(NamedTuple):
    """The time has come for a task that was to run again."""

    key: str


class TooEarly(NamedTuple):
    """A submitted task did not run: something above it was opened again meanwhile, see `Machine.is_early`."""

    key: str


class ResumeAsked(NamedTuple):
    """A person asked for these paused tasks to go on."""

    keys: tuple[str, ...]


class CancelAsked(NamedTuple):
    """A person asked for the run to stop; `queued` were submitted and never started."""

    queued: tuple[str, ...] = ()


class RetryAsked(NamedTuple):
    """A person asked for these failed tasks to be tried again, and what could not run because of them."""

    keys: tuple[str, ...]


MachineEvent = Settled | Expanded | Due | TooEarly | ResumeAsked | CancelAsked | RetryAsked


class Submit(NamedTuple):
    """Run these tasks, in this order where order is to be had."""

    keys: tuple[str, ...]


class WakeAt(NamedTuple):
    """Say Due for this task at `at` (seconds since the epoch)."""

    key: str
    at: float


class Tell(NamedTuple):
    """This task's state changed by itself; tell the world."""

    key: str
    state: State


class Finish(NamedTuple):
    """Nothing is left to do now; the flow's state is `state`."""

    state: State


Instruction = Submit | WakeAt | Tell | Finish
