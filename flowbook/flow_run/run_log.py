"""Holds a run's events and its tasks' progress, and delivers them to the subscribers: in order, and never under a lock."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook._utils.locks import Rank, RankedCondition
from flowbook.engine.event_log import EventLog
from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import TriggerFailed
from flowbook.exceptions import DefinitionError, RunError
from flowbook.executors.interrupts import LONGEST_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowbook.engine.events import Event, EventSink
    from flowbook.engine.task_progress import TaskProgress

__all__ = ["FirstError", "RunLog"]


class RunLog:
    """All events of a run. Implements `EventSink`; from any thread.

    `append` calls no subscriber, so it may be called under a lock; `deliver` calls them. One thread delivers at a time;
    events that a subscriber causes are delivered by that thread once the subscriber has returned.

    Args:
        label: what messages call the run; its number changes once it is recorded.
    """

    def __init__(self, label: object) -> None:
        self.label = label
        self._events = EventLog()
        #: Log lines and prints, by task.
        self._logged: dict[str, list[Logged]] = {}
        #: Replaced, never changed in place: other threads read it.
        self.subscribers: tuple[EventSink, ...] = ()
        #: The newest progress of each task that reported any.
        self._progress: dict[str, TaskProgress] = {}
        #: Events and progress to deliver, each with the subscribers at the time it happened.
        self._queue: deque[tuple[Event | _Progressed, tuple[EventSink, ...]]] = deque()
        #: Id of the thread that is delivering; None if none is.
        self._deliverer: int | None = None

    @property
    def _changed(self) -> threading.Condition:
        """Guards the subscribers and who delivers; made when first asked for, as most runs have no subscribers."""
        made: threading.Condition | None = self.__dict__.get("_condition")
        # `setdefault` is one step, so that all threads get the same one.
        if made is None:
            made = self.__dict__.setdefault("_condition", RankedCondition(Rank.SUBSCRIBERS))
        return made

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __reversed__(self) -> Iterator[Event]:
        return reversed(self._events)

    def in_order(self) -> list[Event]:
        """Return all events so far, ordered by number."""
        return sorted(self._events, key=_seq)

    def logged(self, key: str | None = None) -> list[Logged]:
        """Return log lines and prints of one task or of all, ordered by number. Other events don't slow it down."""
        if key is not None:
            return sorted(self._logged.get(key, ()), key=_seq)
        return sorted((line for lines in tuple(self._logged.values()) for line in tuple(lines)), key=_seq)

    @property
    def next_seq(self) -> int:
        """The number of the next event."""
        return max((event.seq for event in self._events), default=0) + 1

    @property
    def writer(self) -> Callable[[tuple[Any, ...]], object]:
        """A function that stores the number, key and state of a change without making an event; for use without subscribers."""
        return self._events.writer

    def replace(self, events: Iterable[Event]) -> None:
        """Replace all events by these, without delivering them."""
        held = EventLog()
        logged: dict[str, list[Logged]] = {}
        for event in events:
            held.append(event)
            if type(event) is Logged:
                logged.setdefault(event.key, []).append(event)
        self._events, self._logged = held, logged

    def append(self, event: Event) -> None:
        """Add an event; `deliver` sends it to the subscribers."""
        self._events.append(event)
        if type(event) is Logged:
            self._logged.setdefault(event.key, []).append(event)
        if self.subscribers:
            self._queue.append((event, self.subscribers))

    def progress(self) -> dict[str, TaskProgress]:
        """Return the newest progress of each task that reported any, by key. A copy."""
        return self._progress.copy()

    def append_progress(self, key: str, progress: TaskProgress) -> None:
        """Keep a task's progress; `deliver` sends it to the subscribers that take it."""
        self._progress[key] = progress
        if self.subscribers:
            self._queue.append((_Progressed(key, progress), self.subscribers))

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Keep a task's progress and deliver it. Call it without a lock."""
        self.append_progress(key, progress)
        self.deliver()

    def emit(self, event: Event) -> None:
        """Add an event and deliver it. Call it without a lock."""
        self.append(event)
        if self._queue:
            self.deliver()

    def deliver(self) -> None:
        """Send queued events to their subscribers, unless another thread is doing so. Call it without a lock."""
        me = threading.get_ident()
        while self._queue:
            with self._changed:
                if self._deliverer is not None:
                    return
                self._deliverer = me
            try:
                self._send_queued()
            finally:
                with self._changed:
                    self._deliverer = None
                    self._changed.notify_all()

    def flush(self, deadline: float) -> None:
        """Return once all events are delivered, or at `deadline` (`time.monotonic`); in a subscriber, at once."""
        while self._queue or self._deliverer is not None:
            self.deliver()
            with self._changed:
                left_s = deadline - time.monotonic()
                if self.is_delivering_here or left_s <= 0:
                    return
                if self._deliverer is not None:
                    self._changed.wait(min(left_s, LONGEST_WAIT_S))

    @property
    def is_delivering(self) -> bool:
        """Whether a subscriber is being called, in any thread."""
        return self._deliverer is not None

    @property
    def is_delivering_here(self) -> bool:
        """Whether the caller is a subscriber receiving an event."""
        return self._deliverer == threading.get_ident()

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Send every event from now on to `sink`; return a function that unsubscribes it. A sink that raises gets no more.

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

    def _send_queued(self) -> None:
        while self._queue:
            event, subscribers = self._queue.popleft()
            for sink in subscribers:
                if any(each is sink for each in self.subscribers):
                    self._send(sink, event)

    def _send(self, sink: EventSink, event: Event | _Progressed) -> None:
        try:
            if isinstance(event, _Progressed):
                if (take := getattr(sink, "progressed", None)) is not None:
                    take(*event)
            else:
                sink.emit(event)
        except Exception:  # a subscriber's code may raise anything
            import logging  # noqa: PLC0415  # only where something is wrong

            self._unsubscribe(sink)
            text = "A subscriber of %s raised. It gets no more events; the run goes on."
            logging.getLogger("flowbook").exception(text, self.label)


class _Progressed(NamedTuple):
    """A task's progress, queued among the events."""

    key: str
    progress: TaskProgress


class FirstError:
    """Keeps the exception of the first task that fails, for a caller who wants it raised. Implements `EventSink`.

    Args:
        found: called with a sentence when the first task fails.
    """

    def __init__(self, found: Callable[[str], None]) -> None:
        self._found = found
        self._error: BaseException | None = None

    def emit(self, event: Event) -> None:
        """Keep the event's exception if it is the first failure."""
        if self._error is not None or not isinstance(event, StateChanged) or event.key == FLOW:
            return
        state = event.state
        if not state.is_failed() or isinstance(state, TriggerFailed):
            return
        raised = state.result
        self._error = raised if isinstance(raised, BaseException) else RunError(f"{event.key} failed: {state.message}")
        self._found(f"{event.key} failed, and the caller asked for its exception.")

    def take(self) -> BaseException | None:
        """Return the exception and forget it; None if no task failed, or it was taken before."""
        error, self._error = self._error, None
        return error


def _seq(event: Event) -> int:
    return event.seq
