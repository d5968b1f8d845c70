"""Records one run: an event sink that gathers what happens and commits it before anybody builds on it.

A finished task is committed at once, with its value; where many finish within 5 ms, together, and always before anything
downstream of one of them begins (`secure`). What a person waits for or did, waiting tasks with their inputs and the
flow's last state are committed before `emit` returns. Everything else, outputs from the cache too, goes along, at the
latest after 20 ms. Whoever commits takes what other threads have ready. Never raises. What was recorded is always a
beginning of what happened, with no gap: once an event can't be written for good, nothing more is, and `unrecorded` says why.
Source: group commit, as in databases' logs; docs/decisions/0022.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock
from flowbook.exceptions import FlowbookError, RunClaimedError
from flowbook.store.event_encoder import EventEncoder
from flowbook.store.event_rows import Urgency
from flowbook.store.record_writer import UnwritableEventError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.events import Event
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.store.event_rows import EventRow
    from flowbook.store.record_writer import RecordWriter
    from flowbook.store.values import Values

__all__ = ["Recorder"]

_FLUSH_S = 0.02
#: Results that arrive within this time after a commit are committed together.
_GROUP_S = 0.005
#: When this many rows wait, the thread that adds one commits them, so that a flood of events is slowed down.
_MOST_WAITING = 2000
#: The most that may wait while nothing can be written. Beyond that, the run goes on unrecorded.
_MOST_WAITING_BYTES = 256_000_000
_SYNC_S = 0.015
#: How often the progress of tasks is written.
_PROGRESS_S = 0.1
#: Each event is compared with them.
_SOON, _NOW = Urgency.SOON, Urgency.NOW
#: How long the thread waits between two attempts where writing fails.
_RETRY_S = 0.2

_log = logging.getLogger("flowbook.store")


class Recorder:
    """An `EventSink` for one run; may be called from any thread. `close()` it at the end.

    In the child of a fork it does nothing: the run is its parent's.

    Attributes:
        last_seq: number of the last event that was recorded before; the engine numbers on from here. Where it begins at
            1 again, events are numbered on here.
        trouble: what keeps events from being written, or None. They are tried again until it works.
        unrecorded: why nothing more of the run is recorded; None as long as it is.
        is_lost: whether that is because another process has claimed the run.
    """

    def __init__(
        self,
        writer: RecordWriter,
        values: Values,
        graph: Mapping[str, Any],
        never_keep: frozenset[str] | None,
        on_notices: Callable[[], None] | None = None,
    ) -> None:
        self._writer = writer
        self._generation = writer.generation
        self.last_seq = writer.last_seq
        self.trouble: str | None = None
        self.unrecorded: str | None = None
        self.is_lost = False
        self._encoder = EventEncoder(values, writer.run, graph.get("tasks", ()), never_keep, self.last_seq)
        self._on_notices = on_notices
        self._rows: list[EventRow] = []
        self._waiting_bytes = 0
        #: By task, its children included: how many rows wait that a task downstream would build on.
        self._unsafe: dict[str, int] = {}
        self._rows_lock = RankedLock(Rank.RECORDER_ROWS)
        self._next_commit = 0.0
        self._commit_lock = RankedLock(Rank.RECORDER_COMMIT)
        self._wake = threading.Event()
        #: Whether the thread will look at the rows again without being woken: as `_wake`, but cheaper to read.
        self._is_awake = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._thread_lock = RankedLock(Rank.RECORDER_THREAD)
        self._wants_sync = False
        #: The newest progress of each task that isn't written yet.
        self._progress: dict[str, TaskProgress] = {}
        self._next_progress = 0.0
        atexit.register(self.close)

    @property
    def unkept(self) -> Mapping[str, tuple[float, str]]:
        """Why the value of a task's state isn't stored, with the state's time, by key."""
        return self._encoder.unkept

    @property
    def _is_forked(self) -> bool:
        """Whether this process is a child of the one that records."""
        return self._generation != self._writer.generation

    def emit(self, event: Event) -> None:
        """Record one event; see the module for what is safe when this returns."""
        if self.unrecorded is not None or self._generation != self._writer.generation:
            return
        row = self._encoder.encode(event)
        if row is None:
            return
        _, urgency, task, _, _, needs_sync = row
        with self._rows_lock:
            self._rows.append(row)
            if urgency:
                self._unsafe[task] = self._unsafe.get(task, 0) + 1
        if needs_sync:
            self._wants_sync = True
        if self.trouble is not None and self._is_too_much(row):
            return
        if self._is_due(urgency):
            self._commit()
        elif not self._is_awake:
            self._wake_flusher()

    def _is_due(self, urgency: Urgency) -> bool:
        if urgency is _SOON:
            if time.monotonic() >= self._next_commit:
                return True
        elif urgency is _NOW:
            return True
        if len(self._rows) >= _MOST_WAITING and self.trouble is None:
            return True
        return self._closing.is_set()

    def _is_too_much(self, row: EventRow) -> bool:
        """Give up if more waits than memory should hold."""
        self._waiting_bytes += row.size_bytes
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            _log.warning(self._give_up(f"{self.trouble} Its events took too much memory while they waited."))
        return self.unrecorded is not None

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Record how far a task is, within 100 ms; a newer report replaces it."""
        if self.unrecorded is not None or self._is_forked:
            return
        self._progress[key] = progress
        if not self._is_awake:
            self._wake_flusher()

    def secure(self, keys: Sequence[str]) -> None:
        """Return when what was emitted of these tasks and their children is committed."""
        unsafe = self._unsafe
        for key in keys:
            if key in unsafe:
                self._commit()
                return

    def flush(self) -> None:
        """Write all that waits."""
        self._commit()

    def close(self) -> None:
        """Write all that waits, make it outlast a loss of power, and end the thread. May be called again.

        What can't be written by now never is: `unrecorded` says why.
        """
        atexit.unregister(self.close)
        if self._is_forked:
            return
        self._closing.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._commit_patiently()
        self._write_progress()
        if self.trouble is not None:
            _log.warning(self._give_up(self.trouble))
        self._sync()
        self._encoder.clear()

    # Writing --------------------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        """Write all rows that wait. A thread that finds none had its own taken along by another, which is done."""
        if self._is_forked:
            return
        with self._commit_lock:
            #: They wait until they are written: Ctrl-C in the middle loses none.
            rows = self._rows[:]
            if not rows or self.unrecorded is not None:
                return
            notice = self._write(rows)
            self._next_commit = time.monotonic() + _GROUP_S
            if self._wants_sync:
                self._wake_flusher()
        if notice:
            _log.warning(notice)  # without the lock: a handler of the user's may do anything
        if self._writer.has_notices and self._on_notices is not None:
            self._writer.has_notices = False
            self._on_notices()

    def _commit_patiently(self) -> None:
        """Write all that waits. Where it goes over a network that is down at the moment, try again for a while."""
        self._commit()
        deadline = time.monotonic() + self._writer.patience_s
        while self.trouble is not None and self.unrecorded is None and time.monotonic() < deadline:
            time.sleep(_RETRY_S)
            self._commit()

    def _write(self, rows: list[EventRow]) -> str:
        """Write as many of `rows` as possible; return a message to log, if any."""
        written, notice = 0, ""

        def done(count: int) -> None:
            nonlocal written
            written = count

        try:
            self._writer.write(rows, done)
        except RunClaimedError as exc:
            self.is_lost = True
            notice = self._give_up(str(exc))
        except UnwritableEventError as exc:
            notice = self._give_up(str(exc))
        except FlowbookError as exc:
            notice = self._note_trouble(str(exc))
        else:
            self.trouble, self._waiting_bytes = None, 0
        finally:
            self._remove(rows[:written])
        return notice

    def _remove(self, rows: list[EventRow]) -> None:
        """Take rows that were written from those that wait."""
        with self._rows_lock:
            if self.unrecorded is not None:
                return
            del self._rows[: len(rows)]
            unsafe = self._unsafe
            for row in rows:
                if row.urgency:
                    unsafe[row.task] -= 1
            for task in {row.task for row in rows if row.urgency and not unsafe[row.task]}:
                del unsafe[task]

    def _write_progress(self) -> None:
        """Write the newest progress. What can't be written is tried again with the next report: it loses nothing."""
        progress, self._progress = self._progress, {}
        if progress and self.unrecorded is None and not self._is_forked:
            try:
                self._writer.write_progress(progress)
            except FlowbookError:
                _log.debug("The progress of %d tasks can't be written now.", len(progress), exc_info=True)

    def _note_trouble(self, reason: str) -> str:
        is_new, self.trouble = self.trouble is None, reason
        self._wake_flusher()
        if not is_new:
            return ""
        return f"A run's events can't be written yet; the run goes on and they are tried again. {reason}"

    def _give_up(self, reason: str) -> str:
        """Stop recording this run; return the message to log."""
        is_new = self.unrecorded is None
        self.unrecorded = self.unrecorded or reason
        with self._rows_lock:
            self._rows.clear()
            self._unsafe.clear()
        return f"The run is not recorded any more: {reason}" if is_new else ""

    def _sync(self) -> None:
        if self._wants_sync:
            self._wants_sync = False
            try:
                self._writer.sync()
            except OSError as exc:
                _log.warning("The store could not be synced to its disk: %s", exc)

    # The thread that writes rows that no caller waits for ---------------------------------------------------------------

    def _wake_flusher(self) -> None:
        with self._thread_lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threads.spawn(self._flush_on, name="recorder", owner=self)
        self._is_awake = True
        self._wake.set()

    def _flush_on(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(_RETRY_S if self.trouble else _SYNC_S if self._wants_sync else _FLUSH_S)
            self._wake.clear()
            self._is_awake = False
            self._commit()
            if self._progress:
                if time.monotonic() >= self._next_progress:
                    self._next_progress = time.monotonic() + _PROGRESS_S
                    self._write_progress()
                else:
                    self._wake.set()  # to look again soon
            self._sync()
