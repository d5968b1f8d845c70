"""Leaves Ctrl-C to the driver, which cancels the run: a terminal sends it to the worker processes too."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from flowbook._utils.latch import Latch

__all__ = ["LONGEST_WAIT_S", "ctrl_c_held_back", "leave_ctrl_c_to_the_driver", "left_to_the_driver", "wait_for"]

#: How long a single wait lasts at most: Python notices a Ctrl-C that came just before a wait only when the wait ends.
LONGEST_WAIT_S = 0.5

#: Windows has no signal masks: there, Ctrl-C ends the processes of a foreign pool.
_HAS_MASKS = hasattr(signal, "pthread_sigmask")


def wait_for(event: threading.Event | Latch, timeout: float | None = None) -> bool:
    """Wait until `event` is set, at most `timeout` seconds; return whether it is. Notices every Ctrl-C."""
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    while not event.wait(max(0.0, min(LONGEST_WAIT_S, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            return False
    return True


def leave_ctrl_c_to_the_driver() -> None:
    """Let Ctrl-C do nothing in this process from now on. Call it in the main thread."""
    signal.signal(signal.SIGINT, _ignore)


@contextlib.contextmanager
def ctrl_c_held_back(*, is_held_back: bool = True) -> Iterator[None]:
    """Block Ctrl-C for this thread during the block, and for the processes and threads that it starts; or unblock it."""
    if not _HAS_MASKS:
        yield
        return
    if is_held_back:
        from multiprocessing import resource_tracker  # noqa: PLC0415  # only where it is used

        # It starts with the first spawned process, and lets Ctrl-C through to the thread that spawns.
        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK if is_held_back else signal.SIG_UNBLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def left_to_the_driver() -> Iterator[None]:
    """Let Ctrl-C do nothing in this process during the block, a blocked one included. Call it in the main thread."""
    before = signal.signal(signal.SIGINT, _ignore)
    try:
        with ctrl_c_held_back(is_held_back=False):
            yield
    finally:
        if before is not None:  # otherwise Python didn't set it
            signal.signal(signal.SIGINT, before)


def _ignore(number: int, frame: object) -> None:
    """Do nothing; not SIG_IGN, which the processes that a task starts would inherit."""
