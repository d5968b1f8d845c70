"""Sends a run's changes to the views as numbered patches, from a pacer's thread.

JupyterLab sends a view's messages over a subshell, and the kernel answers on the shell that the current context belongs
to. So this thread works in the context of the newest `hello`; otherwise its messages would wait for the running cell.
Changes are merged (the last one of a task wins) and sent at most 25 times a second, the first at once. Other messages
are sent in order, without delay.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from flowbook._utils.locks import Rank, RankedRLock
from flowbook.engine.events import FLOW, Logged
from flowbook.notebook.pacer import Pacer
from flowbook.notebook.view_model import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.events import Event
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.notebook.run_projection import RunProjection

__all__ = ["INTERVAL_S", "Message", "PatchFeed"]

INTERVAL_S = 0.04

Message = dict[str, Any]
_logger = logging.getLogger("flowbook.notebook")


class PatchFeed:
    """An `EventSink` that sends what changed.

    Args:
        send: sends one message to the views; called in this feed's thread only.
        projection: folds the events.
        run_view: returns RUN, as plain data.
        on_changed: called with the keys of each patch and of new log lines; must return at once.
        clock: monotonic seconds, for the interval.
        now: seconds since the epoch, for displayed times.

    After `start` a pacer's thread calls `step`; a test calls it itself. Thread-safe.
    """

    def __init__(  # noqa: PLR0913  # its ports, all by keyword but the first two
        self,
        send: Callable[[Message], object],
        projection: RunProjection,
        *,
        run_view: Callable[[], Message | None] = lambda: None,
        on_changed: Callable[[set[str]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._send = send
        self._projection = projection
        self._run_view = run_view
        self._on_changed = on_changed
        self._clock = clock
        self._now = now
        self._lock = RankedRLock(Rank.PANEL)
        self._wake = threading.Event()
        self._dirty: dict[str, None] = {}
        self._logged: set[str] = set()
        self._outbox: deque[Callable[[], None]] = deque()
        self._context = contextvars.copy_context()
        self._last = float("-inf")
        self._seq = 0
        self._is_closed = False
        self._is_hurried = False
        self._drained = threading.Event()
        self._pacer: Pacer | None = None
        self._ended = threading.Event()

    @property
    def projection(self) -> RunProjection:
        """The current projection; use it inside `locked`."""
        return self._projection

    @property
    def locked(self) -> threading.RLock:
        """A lock under which the projection doesn't change."""
        return self._lock

    @property
    def seq(self) -> int:
        """Number of the newest patch."""
        return self._seq

    @property
    def is_done(self) -> bool:
        """Whether it is closed and has sent everything."""
        return self._is_closed and not self._outbox and not self._dirty

    def start(self, pacer: Pacer | None = None) -> None:
        """Begin to send, in the thread of `pacer`, by default one of its own."""
        self._pacer = pacer or Pacer()
        self._wake = self._pacer.wake
        self._pacer.add(self)

    def ended(self) -> None:
        """Take notice that nothing will be sent any more."""
        self._ended.set()

    def emit(self, event: Event) -> None:
        """Apply one event and wake the thread. Takes microseconds; never raises."""
        with self._lock:
            self._take(event)

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Take a task's progress and wake the thread. Never raises."""
        with self._lock:
            changed = () if self._is_closed else self._projection.progressed(key, progress)
            self._dirty.update(dict.fromkeys(changed))
        if changed:
            self._wake.set()

    def replace(self, projection: RunProjection) -> None:
        """Switch to another run."""
        with self._lock:
            self._projection = projection
            self._dirty.clear()
            self._logged.clear()
            self._seq += 1

    def touch(self, *keys: str) -> None:
        """Send these keys again (`FLOW` for the run), without an event."""
        with self._lock:
            self._dirty.update(dict.fromkeys(keys))
        self._wake.set()

    def hello(self) -> None:
        """From now on send in the caller's context. Call it in the handler of a view's message."""
        context = contextvars.copy_context()
        with self._lock:
            self._context = context

    def post(self, message: Message) -> None:
        """Send `message` without delay, after those posted before."""
        self.call(lambda: self._send(message))

    def call(self, job: Callable[[], object]) -> None:
        """Run `job` in this feed's thread and context, in order with the messages, e.g. to set a trait."""
        self._outbox.append(job)  # type: ignore[arg-type]  # what it returns is not looked at
        self._wake.set()

    def drain(self, timeout_s: float = 2.0) -> bool:
        """Wait until everything known is sent. Return False if that takes longer than `timeout_s`."""
        self._drained.clear()
        with self._lock:
            self._is_hurried = True
        self._wake.set()
        return self._drained.wait(timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Send what is left and stop; later events are ignored."""
        with self._lock:
            self._is_closed = True
        self._wake.set()
        if self._pacer is not None and not self._pacer.is_own(threading.current_thread()):
            self._ended.wait(timeout_s)
            self._pacer.join(timeout_s)

    def step(self) -> float | None:
        """Send what is due. Return the seconds until more is due, or None if nothing is left."""
        while self._outbox:
            self._guarded(self._outbox.popleft())
        with self._lock:
            left = self._last + INTERVAL_S - self._clock()
            if not self._dirty and not self._logged:
                self._settle()
                return None
            if left > 0 and not self._is_closed and not self._is_hurried:
                return left
            patch, keys = self._patch()
            self._last = self._clock()
        # Outside the lock: reading the run takes locks of its own.
        run = self._run_view() if FLOW in keys else None
        if patch is not None and run is not None:
            patch["run"] = run
        if patch is not None:
            self._guarded(lambda: self._send(patch))
        self._guarded(lambda: self._on_changed(keys))
        return 0.0

    def _settle(self) -> None:
        if self._is_hurried and not self._outbox:
            self._is_hurried = False
            self._drained.set()

    def _take(self, event: Event) -> None:
        if self._is_closed:
            return
        changed = self._projection.apply(event)
        self._dirty.update(dict.fromkeys(changed))
        if isinstance(event, Logged):
            self._logged.add(event.key)
        elif not changed:
            return
        self._wake.set()

    def _patch(self) -> tuple[Message | None, set[str]]:
        keys = {*self._dirty, *self._logged}
        dirty, self._dirty, self._logged = self._dirty, {}, set()
        if not dirty:
            return None, keys
        self._seq += 1
        now = self._now()
        tasks = {key: plain(self._projection.task(key, now)) for key in dirty if key != FLOW}
        return {"type": "patch", "seq": self._seq, "now": now, "tasks": tasks}, keys

    def _guarded(self, job: Callable[[], object]) -> None:
        """Run `job` in the views' context. A view that is gone must not end the thread that serves the others."""
        try:
            self._context.run(job)
        except Exception:
            _logger.exception("A message could not be sent to the panel; the run goes on.")
