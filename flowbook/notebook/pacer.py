"""One thread that sends for all panels of a notebook, so that fifty panels don't need fifty threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from flowbook._utils.threads import OwnedThread

__all__ = ["Paced", "Pacer"]


class Paced(Protocol):
    """What a pacer works for. `step` never raises."""

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to do, ever."""
        ...

    def step(self) -> float | None:
        """Do what is due. Return the seconds until more is due, or None if nothing is left."""
        ...

    def ended(self) -> None:
        """Take notice that `step` isn't called any more."""
        ...


class Pacer:
    """Calls `step` of its members whenever `wake` is set, in one thread that is there as long as it has members."""

    def __init__(self) -> None:
        self.wake = threading.Event()
        self._lock = RankedLock(Rank.PANEL)
        self._members: tuple[Paced, ...] = ()
        self._is_running = False
        self._thread: OwnedThread | None = None

    def add(self, member: Paced) -> None:
        """Work for `member` from now on, until it is done."""
        with self._lock:
            self._members = (*self._members, member)
            if not self._is_running:
                self._is_running = True
                self._thread = threads.spawn(self._work, name="feed", owner=self)
        self.wake.set()

    def is_own(self, thread: threading.Thread) -> bool:
        """Return whether `thread` is the one that steps."""
        return thread is self._thread

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, if all its members are done."""
        thread = self._thread
        is_over = all(member.is_done for member in self._members)
        if thread is not None and is_over and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _work(self) -> None:
        wait_s: float | None = None
        while True:
            self.wake.wait(wait_s)
            self.wake.clear()
            waits = [member.step() for member in self._members]
            wait_s = min((wait for wait in waits if wait is not None), default=None)
            if self._is_over():
                return

    def _is_over(self) -> bool:
        """Let go of members that are done; return whether none is left."""
        done = [member for member in self._members if member.is_done]
        with self._lock:
            self._members = tuple(member for member in self._members if member not in done)
            is_over = not self._members
            if is_over:
                self._is_running = False
        for member in done:
            member.ended()
        return is_over
