"""Numbers an epoch's events, has them recorded, and delivers them: in order, once, and never while a lock is held.

Most events happen in the thread that runs their task, under no lock; these go through `emit`. The machine's events happen
under the epoch's lock; these go through `gather`, and the thread that held the lock calls `pass_on` after releasing it.

Three promises are kept here. An event is recorded before it is delivered, and before a task that builds on it starts
(`secure`). Several threads record at once, so that they share commits. Events are delivered in the order of their numbers:
one that is still being recorded holds up those after it.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING, cast

from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Running, Success

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.engine.events import DurableSink, Event, EventSink, SelectiveSink, SharedLog
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import ProgressSink, TaskProgress

__all__ = ["EventRelay"]


class _Entry:
    """An event that isn't delivered yet. `is_recorded` is also True if there is nothing to record."""

    __slots__ = ("event", "is_recorded")

    def __init__(self, event: Event, is_recorded: bool) -> None:  # noqa: FBT001  # a keyword costs more, and every event has one
        self.event = event
        self.is_recorded = is_recorded


class EventRelay:
    """Records and delivers the events of one epoch; from any thread.

    Args:
        sinks: durable sinks record events; the others receive recorded events.
        first_seq: number of the first event.
    """

    def __init__(self, sinks: Sequence[EventSink], first_seq: int) -> None:
        #: Gives the next event its number.
        self.number: Callable[[], int] = itertools.count(first_seq).__next__
        durable, logs, selective = _sorted_out(sinks)
        self._durable = durable
        self._progress_sinks = tuple([cast("ProgressSink", sink) for sink in sinks if hasattr(sink, "progressed")])
        #: Logs that receive every event.
        self._logs = logs
        #: Logs that receive every event except quiet ones that no other log receives.
        self._all_logs: tuple[SharedLog, ...] = (*logs, *map(_Queue, selective))
        #: Types of state that every selective sink ignores; None if there is no selective sink.
        self._quiet = frozenset.intersection(*[sink.quiet for sink in selective]) if selective else None
        is_quiet = self._quiet is None or (Running in self._quiet and Success in self._quiet)
        #: The log, if it is the only one: without subscribers, changes are written there without making events. Else None.
        self.quiet_log = logs[0] if len(logs) == 1 and not durable and is_quiet else None
        self._write = None if self.quiet_log is None else self.quiet_log.writer
        #: Whether events are recorded.
        self.is_recorded = bool(durable)
        self._lock = RankedLock(Rank.EVENT_QUEUE)
        #: Ordered by number. Appended to with the lock held.
        self._queue: deque[_Entry] = deque()
        self._recording = RankedLock(Rank.EVENT_RECORDING)
        #: Gathered and not recorded yet. An event is taken out after it was recorded, with the lock for recording held.
        self._unrecorded: deque[_Entry] = deque()
        #: Whether events were gathered since the last `pass_on`.
        self.has_gathered = False

    @property
    def next_seq(self) -> int:
        """The number of the next epoch's first event; meaningful once this epoch is over."""
        return self.number()

    def state_changed(self, key: str, state: State) -> None:
        """Number, record and deliver a change of state. Call it under no lock."""
        entry = self.enter(key, state)
        if entry is not None:
            self.send(entry)

    def enter(self, key: str, state: State) -> _Entry | None:
        """Number a change, maybe while the caller holds a lock. What comes back has to be sent after releasing it."""
        log, write = self.quiet_log, self._write
        if log is None or write is None or log.subscribers or (self._quiet and type(state) not in self._quiet):
            return self._enqueue_change(key, state)
        write((self.number(), key, state))
        return None

    def emit(self, kind: Callable[..., Event], *fields: object) -> None:
        """Number, record and deliver an event. Call it under no lock.

        Args:
            kind: the event's class.
            fields: the event's fields after its number.
        """
        self.send(self._enqueue(kind, fields))

    def send(self, entry: _Entry) -> None:
        """Record and deliver a numbered event. Call it under no lock."""
        if not entry.is_recorded:
            try:
                for sink in self._durable:
                    sink.emit(entry.event)
            finally:
                entry.is_recorded = True
        self.pass_on()

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Pass on how far a task is, to sinks that take it. Call it under no lock."""
        for sink in self._progress_sinks:
            sink.progressed(key, progress)

    def gather(self, kind: Callable[..., Event], *fields: object) -> None:
        """Number an event while holding a lock; call `pass_on` after releasing it."""
        entry = self._enqueue(kind, fields)
        if not entry.is_recorded:
            self._unrecorded.append(entry)
        self.has_gathered = True

    def pass_on(self) -> None:
        """Record the gathered events, and deliver those that are recorded. Call it under no lock."""
        self.has_gathered = False
        if self._unrecorded:
            self._record_gathered()
        if queue := self._queue:
            with self._lock:
                while queue and queue[0].is_recorded:  # up to the first that isn't recorded
                    event = queue.popleft().event
                    for log in self._all_logs:
                        log.append(event)
        for log in self._all_logs:
            if log.subscribers:
                log.deliver()

    def secure(self, keys: Sequence[str]) -> bool:
        """Return once the events of tasks `keys` and their children are recorded, since a task that builds on them starts.

        Return False if none may start, because another process has taken the run over.
        """
        if self._unrecorded:
            self._record_gathered()
        is_ours = True
        for sink in self._durable:
            is_ours = sink.secure(keys) is not False and is_ours
        return is_ours

    def pending(self) -> list[Event]:
        """Return the events that no log has yet, ordered by number. Each is added to a log before it is removed here."""
        with self._lock:
            return [entry.event for entry in self._queue]

    def close(self) -> None:
        """Drop all further events: the run was abandoned, and its tasks may still run."""
        self.pass_on()
        self._durable = self._logs = self._all_logs = self._progress_sinks = ()
        self.quiet_log = None

    def _enqueue(self, kind: Callable[..., Event], fields: tuple[object, ...]) -> _Entry:
        with self._lock:
            entry = _Entry(kind(self.number(), *fields), not self._durable)
            self._queue.append(entry)
        return entry

    def _enqueue_change(self, key: str, state: State) -> _Entry:
        """Do as `_enqueue`, for the kind of event that each task has two of."""
        with self._lock:
            entry = _Entry(StateChanged(self.number(), key, state), not self._durable)
            self._queue.append(entry)
        return entry

    def _record_gathered(self) -> None:
        with self._recording:
            while self._unrecorded:
                entry = self._unrecorded[0]
                for sink in self._durable:
                    sink.emit(entry.event)
                entry.is_recorded = True
                self._unrecorded.popleft()


def _sorted_out(
    sinks: Sequence[EventSink],
) -> tuple[tuple[DurableSink, ...], tuple[SharedLog, ...], tuple[SelectiveSink, ...]]:
    """Return the sinks that record, the logs of those that receive every event, and those that ignore some."""
    # Told apart by an attribute each: `isinstance` with a protocol takes 10 µs, and a small flow runs in a few hundred.
    durable, logs, selective = [], [], []
    for sink in sinks:
        if hasattr(sink, "secure"):
            durable.append(cast("DurableSink", sink))
        elif hasattr(sink, "quiet"):
            selective.append(cast("SelectiveSink", sink))
        else:
            logs.append(cast("SharedLog", sink) if hasattr(sink, "deliver") else _Queue(sink))
    return tuple(durable), tuple(logs), tuple(selective)


def _drop(_: tuple[object, ...]) -> None:
    """Ignore a change."""


class _Queue:
    """Adapts a plain sink to a log: the sink gets one event at a time, in order, from one thread at a time."""

    writer = staticmethod(_drop)

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._quiet: frozenset[type[State]] = getattr(sink, "quiet", frozenset())
        self.subscribers = (sink,)
        self._events: deque[Event] = deque()
        self._lock = RankedLock(Rank.EVENT_QUEUE)
        self._is_delivering = False

    def append(self, event: Event) -> None:
        if type(event) is not StateChanged or type(event.state) not in self._quiet:
            self._events.append(event)

    def deliver(self) -> None:
        while self._events:
            with self._lock:
                if self._is_delivering:
                    return
                self._is_delivering = True
            try:
                while self._events:
                    self._sink.emit(self._events.popleft())
            finally:
                self._is_delivering = False
