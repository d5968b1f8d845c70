"""What was known at a moment, folded from a run's events. Pure: no clock, no I/O; values are never loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.mapped_states import fill_children
from flowbook.engine.state import Cached, Cancelling, Crashed, Mapped, Paused, Resume, Retrying, Running, Success

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.engine.events import Event
    from flowbook.engine.state import State

__all__ = ["Span", "spans", "states_at"]

#: Names of the states in which a task's code runs.
_RUNS = frozenset({Running.__name__, Cancelling.__name__})


@dataclass(slots=True)
class Span:
    """A time that a task spent: running, or waiting for a person or for its next attempt.

    Attributes:
        key: of the task.
        state: name of the state it ended in; while it runs or waits, of that.
        start: seconds since the epoch.
        end: likewise; None while it goes on, or where its process ended without a word.
        attempt: the how-manieth run of the task it is, or follows; 0 where it has not run.
    """

    key: str
    state: str
    start: float
    end: float | None
    attempt: int


def states_at(events: Iterable[Event], at: float) -> dict[str, State]:
    """Return the last state of each key by `at` (seconds since the epoch), the flow's own under `FLOW`.

    Args:
        events: by number; their order counts, not the clock, which may have been set back.
        at: what happened later is left out.

    Returns:
        Mapped children stand under their keys and in their parent's `map_states`.
    """
    last = {event.key: event.state for event in events if isinstance(event, StateChanged) and event.at <= at}
    fill_children(last)
    return last


def spans(events: Iterable[Event]) -> list[Span]:
    """Return what each task's time went into, in the order in which it began."""
    found: list[Span] = []
    last: dict[str, Span] = {}
    for event in events:
        if not isinstance(event, StateChanged) or event.key == FLOW or isinstance(event.state, Mapped):
            continue
        begun = _next(event.key, event.state, last.get(event.key))
        if begun is not None:
            found.append(begun)
            last[event.key] = begun
    return found


def _next(key: str, state: State, before: Span | None) -> Span | None:
    """Close what went on, and return the span that `state` begins, if it does."""
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
            _close(before, state.at, name)
        return Span(key, name, _start(state), None, attempt + 1)
    if before is not None and is_open:
        _close(before, state.at, name)
    elif before is not None and isinstance(state, Cached) and before.state == Success.__name__:
        before.state = name
        return None
    if isinstance(state, Paused | Retrying | Resume):
        return Span(key, name, state.at, None, attempt)
    if before is None and state.is_finished():
        return Span(key, name, state.at, state.at, 0)
    return None


def _close(span: Span, at: float, name: str) -> None:
    """A task that ran ended in state `name`; one that waited just waited until then."""
    span.end = at
    if span.state in _RUNS:
        span.state = name


def _start(state: Running) -> float:
    return state.at if not isinstance(state, Cancelling) or state.since is None else state.since
