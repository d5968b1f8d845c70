"""Ctrl-C while a flow runs: the first one cancels the run, the second one interrupts Python as usual."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # it has no stubs; `signal` is made of it
import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Protocol

from flowbook._utils import threads
from flowbook.engine.task_call import is_in_user_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["Interruptible", "ctrl_c_cancels"]

#: What the functions of `signal` call: those look each handler up in an enum, which takes a run longer than a task.
_handler_of: Callable[[int], object] = _signal.getsignal
_set_handler: Callable[[int, object], object] = _signal.signal


class Interruptible(Protocol):
    """A run that Ctrl-C cancels."""

    #: Whether Ctrl-C was pressed; set here.
    interrupted: bool

    def cancel(self, by: str = "", note: str = "") -> bool:
        """Start nothing more; called in a thread of its own."""
        ...


@contextlib.contextmanager
def ctrl_c_cancels(run: Interruptible, *, is_inline: bool) -> Iterator[None]:
    """While the block runs in the main thread, Ctrl-C cancels `run`; a second Ctrl-C raises KeyboardInterrupt.

    Args:
        run: the run to cancel.
        is_inline: whether tasks run in the main thread; then the running task is interrupted too.
    """
    before = _handler_of(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if run.interrupted:
            before(number, frame)
            return
        run.interrupted = True
        # Another thread cancels: the main thread may be holding the run's lock right now.
        threads.spawn(run.cancel, "Ctrl-C", name="ctrl-c", owner="ctrl_c_cancels")
        if is_inline and is_in_user_code(frame):
            raise KeyboardInterrupt

    _set_handler(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        _set_handler(signal.SIGINT, before)
