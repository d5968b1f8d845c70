"""Records a run that is over, of which nothing was recorded while it ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Running

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.engine.events import Event
    from flowbook.flow_run.recording import Recording

__all__ = ["record_past"]


def record_past(recording: Recording, events: Iterable[Event]) -> None:
    """Record a run that is over: its start and the last state of each task, in the order of its events."""
    changed = [event for event in events if isinstance(event, StateChanged)]
    last = {event.key: event for event in changed}
    flow_event = last.pop(FLOW, None)
    began = next((event for event in changed if event.key == FLOW and isinstance(event.state, Running)), None)
    if began is not None:
        recording.emit(began)
    for event in sorted(last.values(), key=lambda e: e.seq):
        recording.emit(event)
    if flow_event is not None:
        recording.emit(flow_event)
