"""Stops the Python code of tasks that run in threads of this process, at its next step; no sleep and no C code."""

from __future__ import annotations

import contextlib
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING

from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

__all__ = ["Stopped", "TaskThreads", "is_called_by", "raise_in", "task_threads"]


class Stopped(SystemExit):
    """Raised in the code of a task that a person stops. A thread of the task's own would end with it without a word."""


class TaskThreads:
    """The threads in which one epoch runs tasks. Threads: any."""

    def __init__(self) -> None:
        #: Thread id to how often it is entered; replaced, never changed: others look through it.
        self._entered: dict[int, int] = {}
        self._lock = RankedLock(Rank.DEADLINE)
        #: Whether they were told to stop.
        self.is_stopped = False
        #: The runs that tasks have started here and that go on: the thread that waits for each, and what cancels it.
        self.inner_runs: list[tuple[int, Callable[[], object]]] = []

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Note that this thread runs tasks while the block lasts; what it calls under a time limit counts as well."""
        ident = threading.get_ident()
        token = _THREADS.set(self)
        self._count(ident, 1)
        try:
            yield
        finally:
            self._count(ident, -1)
            _THREADS.reset(token)

    @property
    def is_stopped_here(self) -> bool:
        """Whether this thread is one of them, and they were told to stop."""
        return self.is_stopped and threading.get_ident() in self._entered

    def stop(self, is_in_task: Callable[[FrameType], bool]) -> int:
        """Cancel runs within the tasks, and raise `Stopped` in each thread that is in a task's code; return in how many.

        Args:
            is_in_task: tells that of the innermost frame of a thread.
        """
        self.is_stopped = True
        inner_runs = tuple(self.inner_runs)
        for _, cancel in inner_runs:
            cancel()
        waiting = {ident for ident, _ in inner_runs}  # they end with these runs
        frames = sys._current_frames()  # noqa: SLF001  # the documented way
        found = [
            ident for ident in self._entered if ident not in waiting and ident in frames and is_in_task(frames[ident])
        ]
        for ident in found:
            raise_in(ident, Stopped)
        return len(found)

    def _count(self, ident: int, by: int) -> None:
        with self._lock:
            entered = dict(self._entered)
            entered[ident] = entered.get(ident, 0) + by
            if not entered[ident]:
                del entered[ident]
            self._entered = entered


def task_threads() -> TaskThreads:
    """Return those of the epoch that this context runs in; outside any, new ones that nobody stops."""
    return _THREADS.get() or TaskThreads()


def raise_in(ident: int, kind: type[BaseException]) -> None:
    """Raise an exception in the thread of that id, at the next step of its Python code."""
    import ctypes  # noqa: PLC0415  # needed by hardly any run

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(kind))


def is_called_by(frame: FrameType | None, codes: frozenset[CodeType], but: frozenset[CodeType] = frozenset()) -> bool:
    """Return whether code that runs in `frame` was called by one of `codes`, through none of `but`."""
    if frame is None or frame.f_code in codes:
        return False
    while frame is not None and frame.f_code not in but:
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


_THREADS: ContextVar[TaskThreads | None] = ContextVar("flowbook_task_threads", default=None)
