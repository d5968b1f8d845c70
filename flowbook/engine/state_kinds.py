"""Facts about states, each stated here once: which are running, waiting or over, in what order views show them.

Also which state a mapped task shows for its children. States go by the names of their classes, as records and views hold
them. `notebook/static/states.js` repeats these facts for the browser; a test compares the two. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.state import Cached, Mapped, Paused, Pending, Running, TriggerFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.state import State

__all__ = [
    "COUNTS_TIME",
    "DISPLAY_ORDER",
    "FAILED",
    "FINISHED",
    "NEEDS_ATTENTION",
    "OPEN",
    "RUNNING",
    "UNSTORED",
    "UPCOMING",
    "WAITING",
    "after_death",
    "failed_by_itself",
    "mapped_state",
    "name_in_words",
    "waits_for_person",
]

#: How the message of a Success begins whose output couldn't be put into the cache; the reason follows.
UNSTORED = "Not cached: "

#: The order of bars, legends and counts.
DISPLAY_ORDER = (
    "Success",
    "Mapped",
    "Cached",
    "Running",
    "Cancelling",
    "Looped",
    "Retrying",
    "Paused",
    "Failed",
    "TimedOut",
    "ValidationFailed",
    "Crashed",
    "TriggerFailed",
    "Skipped",
    "Cancelled",
    "Resume",
    "Submitted",
    "Queued",
    "Scheduled",
    "Pending",
)
#: Failed by its own doing, in the order in which a mapped task shows them; TriggerFailed never ran.
FAILED = ("Failed", "TimedOut", "ValidationFailed", "Crashed")
#: Its code is running, or runs again at once.
RUNNING = ("Running", "Cancelling", "Looped")
#: Has run or was about to, and waits for its next attempt or for a person.
WAITING = ("Retrying", "Paused")
#: Has yet to run; a mapped task shows the first of these that any child is in.
UPCOMING = ("Submitted", "Resume", "Queued", "Scheduled", "Pending")
#: Not over.
OPEN = frozenset({*RUNNING, *WAITING, *UPCOMING})
#: Over: nothing follows by itself. `Finished` itself is a state that only a user makes.
FINISHED = (frozenset(DISPLAY_ORDER) - OPEN) | {"Finished"}
#: States for which a view counts the time that passes.
COUNTS_TIME = frozenset({*RUNNING, "Retrying"})
#: Children in these states are listed one by one; for the others, a view only shows their number.
NEEDS_ATTENTION = frozenset({*FAILED, *WAITING})

#: The first of these that any child is in is the mapped task's, once none is running.
_PRECEDENCE = (*WAITING, *FAILED, "TriggerFailed", "Cancelled")


def mapped_state(counts: Mapping[str, int], *, goes_on: bool = True) -> str:
    """Return the name of the state that a mapped task shows for its children.

    While any child runs, or some have ended and others have yet to run: Running. Else Retrying, then Paused, then the first
    kind of failure. If all are in one state: that one. If all ended well: Success.

    Args:
        counts: number of children by the name of their state.
        goes_on: False where the process of the run has died: a task that has yet to run children is Pending then.
    """
    present = [name for name, count in counts.items() if count]
    if any(name in RUNNING for name in present):
        return "Running"
    upcoming = [name for name in UPCOMING if name in present]
    if upcoming and len(upcoming) < len(present) and not any(name in WAITING for name in present):
        return "Running" if goes_on else upcoming[0]
    for name in _PRECEDENCE:
        if name in present:
            return name
    if upcoming:
        return upcoming[0]
    return present[0] if len(present) == 1 and present[0] != "Mapped" else "Success"


def name_in_words(state: State) -> str:
    """Return what people call a state: an output that this run made and stored is a Success; Cached is one that it reused."""
    return "Success" if isinstance(state, Cached) and state.made_here else type(state).__name__


def after_death(state: State) -> State:
    """Return a task's state once the process of its run has died: what ran is to run again, children of a mapped task too."""
    if isinstance(state, Mapped) and any(isinstance(child, Running) for child in state.map_states):
        whole = state.copy()
        whole.map_states = [after_death(child) for child in state.map_states]
        return whole
    if not isinstance(state, Running):
        return state
    found = Pending("Its process ended while it ran; it is to run again.")
    found.at = state.at  # when it died, nobody knows
    return found


def failed_by_itself(state: State) -> bool:
    """Return whether a task failed by its own doing; one whose trigger didn't pass only never ran."""
    return state.is_failed() and not isinstance(state, TriggerFailed)


def waits_for_person(state: State | None) -> bool:
    """Return whether a task in this state waits until a person resumes it."""
    return isinstance(state, Paused) and state.start_time is None
