"""A call under a deadline, in a daemon thread of its own, so that it works in every thread and under every executor.

At the deadline SystemExit is raised in that thread, which stops Python code at its next step, but no sleep and no C code;
then the thread is left alone, and what it still returns or raises is dropped.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DeadlinePassed", "call_within"]


class DeadlinePassed(BaseException):
    """The call took longer than it may; raised to the caller only."""


def call_within(seconds: float, call: Callable[[], Any], name: str) -> Any:  # noqa: ANN401  # what the call returns
    """Return `call()`, made in a thread called `name` with a copy of this context; what it raises is raised here.

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


class _Call:
    """One call, and who was first: its end or the deadline."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.over = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self._lock = RankedLock(Rank.DEADLINE)
        self._is_left = False

    def work(self) -> None:
        value, error = None, None
        try:
            value = self.call()
        except BaseException as raised:  # noqa: BLE001  # handed to the caller
            error = raised
        with self._lock:
            if not self._is_left:
                self.value, self.error = value, error
                self.over.set()

    def leave(self, thread: threading.Thread) -> bool:
        """Let the thread go and tell it to stop; return False if the call had ended before."""
        with self._lock:
            if self.over.is_set():
                return False
            self._is_left = True
            if thread.ident is not None:
                import ctypes  # noqa: PLC0415  # needed by hardly any run

                # SystemExit ends a thread without a word; anything else would be printed from nowhere.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
            return True
