"""Stops the Python code of tasks in threads of this process, at its next step; it can't stop a sleep or C code.

That is all tasks of local executors, and on a worker the calls that run there (`stop_calls`).
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

__all__ = [
    "STOPPED",
    "Stopped",
    "TaskThreads",
    "cancelled_by",
    "is_called_by",
    "raise_in",
    "stop_calls",
    "stoppable",
    "stopped_by",
    "task_threads",
]

#: Message of a task that was stopped.
STOPPED = "Cancelled by a person while it ran."
#: How long until a thread is looked at again that wasn't in a task's code: it is about to enter or leave it.
_AGAIN_S = 0.01
#: How long other threads wait at most until they claim their turn.
_HELD_UP_S = 0.05


class Stopped(SystemExit):
    """Raised in the code of a task that a person stops. It ends the task's own threads silently."""


class TaskThreads:
    """The threads in which one epoch runs tasks. Threads: any."""

    def __init__(self) -> None:
        #: Thread id by entry. Each thread changes its own entries, in one step and under no lock: it may be stopped there.
        self._entered: dict[object, int] = {}
        #: Whether `stop` was called.
        self.is_stopped = False
        #: The message of tasks that are stopped.
        self.message = STOPPED
        #: Stops tasks of the epoch that run in other processes; set while any may.
        self.stop_elsewhere: Callable[[], None] | None = None
        #: Unfinished runs that tasks have started here: the thread that waits for each, and the function that cancels it.
        self.inner_runs: list[tuple[int, Callable[[], object]]] = []

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Register this thread while the block runs, with the calls that it makes under a time limit."""
        entry = object()
        token = _THREADS.set(self)
        self._entered[entry] = threading.get_ident()
        try:
            yield
        finally:
            self._entered.pop(entry, None)
            _THREADS.reset(token)

    @property
    def is_stopped_here(self) -> bool:
        """Whether this thread is registered and `stop` was called."""
        return self.is_stopped and threading.get_ident() in self._entered.copy().values()

    def stop(self, is_in_task: Callable[[FrameType], bool], message: str = STOPPED) -> None:
        """Cancel runs within the tasks, raise `Stopped` in each thread that is in a task's code, and stop the rest elsewhere.

        Args:
            is_in_task: returns whether a thread with this innermost frame runs a task's code.
            message: of tasks that are stopped.

        Raises:
            Stopped: if one of the tasks called this.
        """
        self.is_stopped, self.message = True, message
        stop_elsewhere = (
            self.stop_elsewhere
        )  # once: the thread that runs the flow clears it when nothing is left to stop
        if stop_elsewhere is not None:
            stop_elsewhere()
        if threading.get_ident() in self._stop(self._entered.copy(), is_in_task):
            raise Stopped

    def stop_each(self, is_in_task: Callable[[FrameType], bool]) -> None:
        """As `stop`, but wait for threads that are about to enter a task's code, and stop them there.

        For threads that run nothing else than the tasks they are in now.
        """
        self.is_stopped = True
        left = self._entered.copy()
        while True:
            stopped = self._stop(left, is_in_task)
            left = {entry: ident for entry, ident in left.items() if ident not in stopped and entry in self._entered}
            if not left:
                return
            time.sleep(_AGAIN_S)

    def _stop(self, entries: dict[object, int], is_in_task: Callable[[FrameType], bool]) -> set[int]:
        """Stop those of the threads that are in a task's code; return which, and those that end with a run they wait for."""
        inner_runs = tuple(self.inner_runs)
        for _, cancel in inner_runs:
            cancel()
        stopped = {ident for ident, _ in inner_runs}
        with _other_threads_held_up():
            for ident in {ident for entry, ident in entries.items() if entry in self._entered} - stopped:
                if ident == threading.get_ident() or _stop_in_task(ident, is_in_task):
                    stopped.add(ident)
        return stopped


def task_threads() -> TaskThreads | None:
    """Return those of the epoch that this context runs in; None outside any."""
    return _THREADS.get()


def stopped_by(by: str, note: str) -> str:
    """Return the message of a task that `by` stopped; an empty name is a person's who gave none."""
    return f"Cancelled by {by or 'a person'} while it ran{f': {note}' if note else '.'}"


def cancelled_by(by: str) -> str:
    """Return what is said of a run that `by` cancelled and that goes on until its running tasks have ended."""
    return f"by {by or 'a person'}: nothing else starts"


@contextlib.contextmanager
def stoppable(run_id: str) -> Iterator[None]:
    """Let `stop_calls` stop what this thread does in the block, on a worker."""
    with _CALLS_LOCK:
        found = _CALLS.get(run_id)
        if found is None or found.is_stopped:
            found = _CALLS[run_id] = TaskThreads()
    with found.here():
        yield


def stop_calls(run_id: str, is_in_task: Callable[[FrameType], bool]) -> None:
    """Stop the tasks of a run that run in this process, a worker's; return at once. Nothing of the run may begin any more."""
    found = _CALLS.get(run_id)
    if found is not None:
        threads.spawn(found.stop_each, is_in_task, name="stop-calls", owner="stop_calls")


def _stop_in_task(ident: int, is_in_task: Callable[[FrameType], bool]) -> bool:
    """Raise `Stopped` in a thread if it is in a task's code; return whether it was. Call it with other threads held up."""

    def is_there() -> bool:
        frame = sys._current_frames().get(ident)  # noqa: SLF001  # the documented way
        return frame is not None and is_in_task(frame)

    if not is_there():
        return False
    raise_in(ident, Stopped)
    if is_there():
        return True
    raise_in(ident, None)  # others ran after all, as the machine is busy
    return False


def raise_in(ident: int, kind: type[BaseException] | None) -> None:
    """Raise an exception in the thread of that id, at the next step of its Python code; None: take it back."""
    import ctypes  # noqa: PLC0415  # needed by hardly any run

    error = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), error)


@contextlib.contextmanager
def _other_threads_held_up() -> Iterator[None]:
    """Let no other thread run Python code during the block, which waits for nothing and takes under 50 ms.

    So a thread that is found in a task's code is still there when an exception is raised in it. Elsewhere the exception
    could come between taking a lock and noting that it was taken.
    """
    import ctypes  # noqa: F401, PLC0415  # before the block: importing takes long

    with _HOLDING_UP:
        before = sys.getswitchinterval()
        sys.setswitchinterval(_HELD_UP_S)
        try:
            time.sleep(0)  # a thread that waits for its turn would still claim it after the usual time
            yield
        finally:
            sys.setswitchinterval(before)


def is_called_by(frame: FrameType | None, codes: frozenset[CodeType], but: frozenset[CodeType] = frozenset()) -> bool:
    """Return whether code that runs in `frame` was called by one of `codes`, through none of `but`."""
    if frame is None or frame.f_code in codes:
        return False
    while frame is not None and frame.f_code not in but:
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


#: The threads in which this process, as a worker, runs tasks, by run.
_CALLS: weakref.WeakValueDictionary[str, TaskThreads] = weakref.WeakValueDictionary()
_CALLS_LOCK = RankedLock(Rank.DEADLINE)
_HOLDING_UP = RankedLock(Rank.DEADLINE)
_THREADS: ContextVar[TaskThreads | None] = ContextVar("flowbook_task_threads", default=None)
