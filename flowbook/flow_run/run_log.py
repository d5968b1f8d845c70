"""What has happened in a run, and who is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.event_log import EventLog
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import TriggerFailed
from flowbook.exceptions import DefinitionError, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowbook.engine.events import Event, EventSink

__all__ = ["FirstError", "RunLog"]


class RunLog:
    """All events of a run. Implements `EventSink`; from any thread.

    Args:
        called: says what people call the run.
    """

    def __init__(self, called: Callable[[], str]) -> None:
        self._called = called
        self._events = EventLog()
        self._subscribers: tuple[EventSink, ...] = ()
        self._lock = RankedLock(Rank.SUBSCRIBERS)

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __reversed__(self) -> Iterator[Event]:
        return reversed(self._events)

    def in_order(self) -> list[Event]:
        """Return all events so far, by their number."""
        return sorted(self._events, key=_seq)

    @property
    def next_seq(self) -> int:
        """The number after the last one that was told."""
        return max((event.seq for event in self._events), default=0) + 1

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody is told."""
        return bool(self._subscribers)

    def extend(self, events: Iterable[Event]) -> None:
        """Take what happened before anybody could be told."""
        self._events.extend(events)

    def emit(self, event: Event) -> None:
        """Take an event, and tell it. A sink that raises gets no more."""
        self._events.append(event)
        for sink in self._subscribers:
            try:
                sink.emit(event)
            except Exception:  # code of whoever watches
                import logging  # noqa: PLC0415  # only where something is wrong

                self._unsubscribe(sink)
                text = "A subscriber of %s raised. It gets no more events; the run goes on."
                logging.getLogger("flowbook").exception(text, self._called())

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Let `sink` have every event from now on; return how to stop that.

        Raises:
            DefinitionError: if it has no method `emit(event)`.
        """
        if not callable(getattr(sink, "emit", None)):
            msg = f"{sink!r} can't be told of events: it has no emit. Give an object with a method emit(event)."
            raise DefinitionError(msg, sink=repr(sink))
        with self._lock:
            self._subscribers = (*self._subscribers, sink)
        return lambda: self._unsubscribe(sink)

    def _unsubscribe(self, sink: EventSink) -> None:
        with self._lock:
            self._subscribers = tuple(each for each in self._subscribers if each is not sink)


class FirstError:
    """What the first failing task raised, for a caller who wants it raised. Implements `EventSink`.

    Args:
        found: called with a sentence once there is one.
    """

    def __init__(self, found: Callable[[str], None]) -> None:
        self._found = found
        self._error: BaseException | None = None

    def emit(self, event: Event) -> None:
        """Look at one event."""
        if self._error is not None or not isinstance(event, StateChanged) or event.key == FLOW:
            return
        state = event.state
        if not state.is_failed() or isinstance(state, TriggerFailed):
            return
        raised = state.result
        self._error = raised if isinstance(raised, BaseException) else RunError(f"{event.key} failed: {state.message}")
        self._found(f"{event.key} failed, and the caller asked for its exception.")

    def take(self) -> BaseException | None:
        """Return it once; None if no task failed, or it was taken."""
        error, self._error = self._error, None
        return error


def _seq(event: Event) -> int:
    return event.seq
