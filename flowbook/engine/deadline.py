"""A call under a time limit, in a daemon thread of its own, so that it works in every thread and under every executor.

When the time is up, runs that the call has started are cancelled and SystemExit is raised in its thread. That stops Python
code at its next step, but no sleep and no C code; the thread is then left alone, and what it still returns or raises is
dropped.
"""

from __future__ import annotations

import contextlib
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.stopping import Stopped, TaskThreads, raise_in, task_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["TIMED_CODE", "DeadlinePassed", "call_within", "cancelled_with_task"]


class DeadlinePassed(BaseException):
    """The call exceeded its time limit; raised to the caller only."""


def call_within(seconds: float, call: Callable[[], Any], name: str) -> Any:  # noqa: ANN401  # what the call returns
    """Call `call()` in a thread named `name`, in a copy of this context; return its result or raise its exception here.

    Raises:
        DeadlinePassed: after `seconds`.
    """
    made = _Call(call)
    thread = threads.prepare(made.work, name=name, owner="call_within")
    try:
        thread.start()
        made.over.wait(min(seconds, threading.TIMEOUT_MAX))
    except BaseException:
        made.leave(thread)  # Ctrl-C in the thread that waits, or no more threads
        raise
    if made.leave(thread):
        raise DeadlinePassed
    if made.error is not None:
        raise made.error
    return made.value


def cancelled_with_task(cancel: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
    """While the block runs, whatever stops the task around it cancels what the block does, too.

    A task is stopped by its time limit or by a person. The block then ends with SystemExit, so that the task's code ends as
    well. Outside a task, this does nothing.

    Args:
        cancel: called in another thread.
    """
    call, around = _CALL.get(), task_threads()
    if call is None and around is None:
        return contextlib.nullcontext()
    return _cancelled_with(cancel, call, around)


@contextlib.contextmanager
def _cancelled_with(cancel: Callable[[], object], call: _Call | None, around: TaskThreads | None) -> Iterator[None]:
    entry = threading.get_ident(), cancel
    lists = [each.inner_runs for each in (around, call) if each is not None]
    for inner_runs in lists:
        inner_runs.append(entry)
    try:
        yield
    finally:
        for inner_runs in lists:
            inner_runs.remove(entry)
    if around is not None and around.is_stopped_here:
        raise Stopped
    if call is not None and call.is_left and call.ident == threading.get_ident():
        raise SystemExit


class _Call:
    """One call, and which came first: its end or the deadline."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.over = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        #: Id of the thread that makes the call.
        self.ident: int | None = None
        #: Whether the caller has stopped waiting.
        self.is_left = False
        #: The unfinished runs that the call has started: the thread that waits for each, and the function that cancels it.
        self.inner_runs: list[tuple[int, Callable[[], object]]] = []
        self._lock = RankedLock(Rank.DEADLINE)

    def work(self) -> None:
        value, error = None, None
        try:
            self.ident = threading.get_ident()
            _CALL.set(self)
            with (task_threads() or TaskThreads()).here():
                value = self.call()
        except BaseException as raised:  # noqa: BLE001  # handed to the caller
            error = raised
        with self._lock:
            if not self.is_left:
                self.value, self.error = value, error
                self.over.set()

    def leave(self, thread: threading.Thread) -> bool:
        """Stop waiting and make the thread stop; return False if the call had ended already."""
        with self._lock:
            if self.over.is_set():
                return False
            self.is_left = True
        inner_runs = tuple(self.inner_runs)
        for _, cancel in inner_runs:
            cancel()
        # A thread that waits for a run ends with it. SystemExit ends a thread without a word; others would be printed.
        if thread.ident is not None and thread.ident not in {ident for ident, _ in inner_runs}:
            raise_in(thread.ident, SystemExit)
        return True


#: The innermost call under a time limit in this context.
_CALL: ContextVar[_Call | None] = ContextVar("flowbook_timed_call", default=None)
#: The code from which what has a time limit is called.
TIMED_CODE = _Call.work.__code__
