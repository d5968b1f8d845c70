"""States at a point in time, and what tasks' time went into, from a run's events. Pure: no clock, no I/O, no values loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.mapped_states import fill_children
from flowbook.engine.state import (
    Cached,
    Cancelling,
    Crashed,
    Mapped,
    Paused,
    Pending,
    Resume,
    Retrying,
    Running,
    Success,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook._utils.costs import Cost
    from flowbook.engine.events import Event
    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef

__all__ = ["Span", "covered_s", "spans", "states_at"]

#: Names of the states in which a task's code runs.
_RUNS = frozenset({Running.__name__, Cancelling.__name__})


@dataclass(slots=True)
class Span:
    """A period in which a task ran, or waited for a person or its next attempt.

    Attributes:
        key: of the task.
        state: name of the state that ended it, or of the current state while it lasts; Crashed if the process died meanwhile.
        start: seconds since the epoch.
        end: likewise; None while it lasts, or if the process died.
        attempt: number of the attempt, or of the one before the wait; 0 if the task hasn't run.
        cost: what the attempt cost, where it was long enough to be told.
        output: where its output is, if it is stored.
    """

    key: str
    state: str
    start: float
    end: float | None
    attempt: int
    cost: Cost | None = None
    output: ResultRef | None = None


def states_at(events: Iterable[Event], at: float) -> dict[str, State]:
    """Return the last state of each key by `at` (seconds since the epoch), the flow's own under `FLOW`.

    Args:
        events: in the order of their numbers; the clock may have been set back.
        at: later events are ignored.

    Returns:
        States by key; mapped children also in their parent's `map_states`.
    """
    last = {event.key: event.state for event in events if isinstance(event, StateChanged) and event.at <= at}
    fill_children(last)
    return last


def spans(events: Iterable[Event], *, has_died: bool = False) -> list[Span]:
    """Return the periods in which tasks ran or waited, in the order in which they began.

    Args:
        events: of one run, in order.
        has_died: whether the run's process has died in the middle, and nobody has recorded that.
    """
    found: list[Span] = []
    last: dict[str, Span] = {}
    put_back: list[Span] = []
    for event in events:
        if not isinstance(event, StateChanged) or isinstance(event.state, Mapped):
            continue
        if event.key == FLOW:
            if isinstance(event.state, Crashed):
                _break_off(put_back)
            continue
        before = last.get(event.key)
        begun = _next(event.key, event.state, before)
        if begun is not None:
            found.append(begun)
            last[event.key] = begun
        if before is not None and before.state == Pending.__name__:
            put_back.append(before)
        else:
            put_back.clear()
    if has_died:
        _break_off(each for each in last.values() if each.state in _RUNS)
    return found


def _break_off(found: Iterable[Span]) -> None:
    """Say of these that the process died meanwhile; when, nobody knows."""
    for span in found:
        span.state, span.end = Crashed.__name__, None


def covered_s(periods: Iterable[tuple[float, float]]) -> float:
    """Return for how many seconds at least one of some periods lasts; each has a start and an end in seconds."""
    covered, until = 0.0, float("-inf")
    for start, end in sorted(periods):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered


def _next(key: str, state: State, before: Span | None) -> Span | None:
    """End the span before, and return the one that `state` begins, if any."""
    name = type(state).__name__
    attempt = before.attempt if before is not None else 0
    is_open = before is not None and before.end is None and before.state != Crashed.__name__
    if isinstance(state, Cancelling) and before is not None and is_open:
        # The same attempt goes on.
        before.state = name
        return None
    if isinstance(state, Running):
        if before is not None and is_open and before.state in _RUNS:
            before.state = Crashed.__name__
        elif before is not None and is_open:
            _close(before, state, name)
        return Span(key, name, _start(state), None, attempt + 1)
    if before is not None and is_open:
        _close(before, state, name)
    elif before is not None and isinstance(state, Cached) and before.state == Success.__name__:
        before.state, before.output = name, state.reference
        return None
    if isinstance(state, Paused | Retrying | Resume):
        return Span(key, name, state.at, None, attempt)
    if before is None and state.is_finished():
        return Span(key, name, state.at, state.at, 0)
    return None


def _close(span: Span, state: State, name: str) -> None:
    """End a span; a task that ran ended in state `name`, one that waited keeps its state."""
    span.end = state.at
    if span.state in _RUNS:
        span.state, span.cost, span.output = name, state.cost, state.reference


def _start(state: Running) -> float:
    return state.at if not isinstance(state, Cancelling) or state.since is None else state.since
