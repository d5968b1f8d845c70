"""What has happened in a run, and who is told of it: each event once, in order, and never under a lock."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook._utils.locks import Rank, RankedCondition
from flowbook.engine.event_log import EventLog
from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import TriggerFailed
from flowbook.exceptions import DefinitionError, RunError
from flowbook.executors.interrupts import LONGEST_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowbook.engine.events import Event, EventSink

__all__ = ["FirstError", "RunLog"]


class RunLog:
    """All events of a run. Implements `EventSink`; from any thread.

    `append` takes an event and calls nobody, so it may be called under a lock. `deliver` calls the subscribers. One
    thread delivers at a time; whatever a subscriber causes is delivered by that thread once the subscriber has returned.

    Args:
        describe: returns how people call the run.
    """

    def __init__(self, describe: Callable[[], object]) -> None:
        self._describe = describe
        self._events = EventLog()
        #: Log lines and prints, by task.
        self._logged: dict[str, list[Logged]] = {}
        #: Replaced, never changed: other threads look into it.
        self.subscribers: tuple[EventSink, ...] = ()
        #: Events to deliver, each with those who were subscribed when it happened.
        self._queue: deque[tuple[Event, tuple[EventSink, ...]]] = deque()
        self._changed = RankedCondition(Rank.SUBSCRIBERS)
        #: The thread that delivers at the moment.
        self._deliverer: int | None = None

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __reversed__(self) -> Iterator[Event]:
        return reversed(self._events)

    def in_order(self) -> list[Event]:
        """Return all events so far, by their number."""
        return sorted(self._events, key=_seq)

    def logged(self, key: str | None = None) -> list[Logged]:
        """Return log lines and prints by their number, of one task or of all. Takes no longer for more events of others."""
        if key is not None:
            return sorted(self._logged.get(key, ()), key=_seq)
        return sorted((line for lines in tuple(self._logged.values()) for line in tuple(lines)), key=_seq)

    @property
    def next_seq(self) -> int:
        """The number after the last event's."""
        return max((event.seq for event in self._events), default=0) + 1

    @property
    def writer(self) -> Callable[[tuple[Any, ...]], object]:
        """What takes the number, key and state of a change while there are no subscribers, and makes no event of it."""
        return self._events.writer

    def replace(self, events: Iterable[Event]) -> None:
        """Hold these events and no others; nobody is told."""
        held = EventLog()
        logged: dict[str, list[Logged]] = {}
        for event in events:
            held.append(event)
            if type(event) is Logged:
                logged.setdefault(event.key, []).append(event)
        self._events, self._logged = held, logged

    def append(self, event: Event) -> None:
        """Take an event; `deliver` tells it."""
        self._events.append(event)
        if type(event) is Logged:
            self._logged.setdefault(event.key, []).append(event)
        if self.subscribers:
            self._queue.append((event, self.subscribers))

    def emit(self, event: Event) -> None:
        """Take an event and tell it. Call it without a lock."""
        self.append(event)
        if self._queue:
            self.deliver()

    def deliver(self) -> None:
        """Tell what hasn't been told yet, unless another thread is at it. Call it without a lock."""
        me = threading.get_ident()
        while self._queue:
            with self._changed:
                if self._deliverer is not None:
                    return
                self._deliverer = me
            try:
                self._tell_all()
            finally:
                with self._changed:
                    self._deliverer = None
                    self._changed.notify_all()

    def flush(self, deadline: float) -> None:
        """Return when everything so far has been told, or at `deadline` (of `time.monotonic`). At once in a subscriber."""
        while self._queue or self._deliverer is not None:
            self.deliver()
            with self._changed:
                left_s = deadline - time.monotonic()
                if self.is_delivering_here or left_s <= 0:
                    return
                if self._deliverer is not None:
                    self._changed.wait(min(left_s, LONGEST_WAIT_S))

    @property
    def is_delivering_here(self) -> bool:
        """Whether a subscriber called us."""
        return self._deliverer == threading.get_ident()

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Let `sink` have every event from now on; return how to stop that. A sink that raises gets no more.

        Raises:
            DefinitionError: if it has no method `emit(event)`.
        """
        if not callable(getattr(sink, "emit", None)):
            msg = f"{sink!r} can't receive events: it has no emit. Give an object with a method emit(event)."
            raise DefinitionError(msg, sink=repr(sink))
        with self._changed:
            self.subscribers = (*self.subscribers, sink)
        return lambda: self._unsubscribe(sink)

    def _unsubscribe(self, sink: EventSink) -> None:
        with self._changed:
            self.subscribers = tuple(each for each in self.subscribers if each is not sink)

    def _tell_all(self) -> None:
        while self._queue:
            event, subscribers = self._queue.popleft()
            for sink in subscribers:
                if any(each is sink for each in self.subscribers):
                    self._tell(sink, event)

    def _tell(self, sink: EventSink, event: Event) -> None:
        try:
            sink.emit(event)
        except Exception:  # code of whoever watches
            import logging  # noqa: PLC0415  # only where something is wrong

            self._unsubscribe(sink)
            text = "A subscriber of %s raised. It gets no more events; the run goes on."
            logging.getLogger("flowbook").exception(text, self._describe())


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
