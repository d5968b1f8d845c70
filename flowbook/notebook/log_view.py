"""The log of a whole run as a view shows it: what tasks logged and printed, and what became of them.

Pure: times are those of the events.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, Decided, Logged, StateChanged
from flowbook.engine.state import Cached, Mapped, Retrying, Running, Skipped, State, Success, TriggerFailed
from flowbook.engine.state_kinds import name_in_words
from flowbook.engine.task_keys import split_key
from flowbook.report import phrases
from flowbook.report.secret_names import shown_urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.engine.events import Event

__all__ = ["MOST_LINES", "LogLine", "LogsView", "level_name", "logs_view"]

#: The newest lines that are sent at first.
MOST_LINES = 2000
_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class LogLine:
    """LINE of the wire; `key` "" is the run itself; `kind` is "log", or "state" for what became of a task."""

    at: float
    key: str
    level: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class LogsView:
    """The answer to `logs`; `since` and `next` as in `ChangesView`, `left_out` is the number of older lines."""

    run: str
    since: int
    next: int
    lines: Sequence[LogLine]
    left_out: int = 0


def logs_view(run_id: str, events: Iterable[Event], since: int = -1, most: int = MOST_LINES) -> LogsView:
    """Return the lines after event number `since`; `events` are all of the run's, in order."""
    running_at: dict[str, float] = {}
    before: dict[str, StateChanged] = {}
    lines: list[LogLine] = []
    newest = since
    for event in events:
        newest = max(newest, event.seq)
        line = _line(event, running_at.get(event.key), before.get(event.key)) if event.seq > since else None
        if line is not None:
            lines.append(line)
        if isinstance(event, StateChanged):
            before[event.key] = event
            if type(event.state) is Running:
                running_at[event.key] = event.at
    return LogsView(run_id, since, newest, lines[-most:], max(0, len(lines) - most))


def level_name(number: int) -> str:
    """Return the name of a level of `logging`."""
    names = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))
    return next((name for least, name in names if number >= least), "DEBUG")


def _line(event: Event, running_at: float | None, before: StateChanged | None) -> LogLine | None:
    if isinstance(event, Logged):
        return LogLine(event.at, event.key, level_name(event.level), "log", _capped(shown_urls(event.text)))
    if isinstance(event, Decided):
        note = f": “{phrases.shorten(event.note, 200)}”" if event.note else ""
        return LogLine(event.at, event.key, "INFO", "state", f"{event.action} by {event.by or 'somebody'}{note}")
    if before is not None and _is_said(event.state, before.state):
        return None
    found = _of_state(event.key, event.state, running_at)
    if found is None:
        return None
    level, text = found
    return LogLine(event.at, event.key, level_name(level), "state", _capped(text))


def _is_said(state: State, before: State) -> bool:
    """Return whether a change says nothing new: an output was stored, or children ended."""
    is_stored = isinstance(state, Cached) and state.made_here and isinstance(before, Success)
    return is_stored or (isinstance(state, Mapped) and isinstance(before, Mapped))


def _of_state(key: str, state: State, running_at: float | None) -> tuple[int, str] | None:
    """Return level and text of what is said about a change of state; None for one that says nothing."""
    name = name_in_words(state)
    took = f" after {phrases.duration(state.at - running_at)}" if running_at is not None else ""
    if isinstance(state, Retrying):
        return logging.WARNING, "it will be tried again"
    if isinstance(state, (TriggerFailed, Skipped)):
        return logging.INFO, f"{name}: {phrases.message(state) or 'its trigger did not pass'}"
    if state.is_failed():
        return logging.ERROR, f"{name}{took}: {phrases.message(state) or 'it gave no message'}"
    is_told = key == FLOW or state.is_paused()
    text = _quiet_text(state, f"{name}{took}") if split_key(key)[1] is None and state.is_finished() else ""
    return (logging.INFO, f"{name}{_said(state)}") if is_told else (logging.INFO, text) if text else None


def _quiet_text(state: State, text: str) -> str:
    """Return what is said of a task that ended well."""
    if isinstance(state, Mapped):
        return f"{state.n_map_states:,} children"
    return "from the cache" if isinstance(state, Cached) and not state.made_here else text


def _said(state: State) -> str:
    text = phrases.message(state)
    return f": {text}" if text else ""


def _capped(text: str) -> str:
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}… ({len(text):,} characters)"
