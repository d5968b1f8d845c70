"""Notices when a run at rest that a panel shows goes on elsewhere: resumed in a terminal, on a page, in another notebook."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock

if TYPE_CHECKING:
    from flowbook._utils.threads import OwnedThread
    from flowbook.notebook.panel_session import PanelSession

__all__ = ["RestWatch"]

_LOOK_S = 0.5
_logger = logging.getLogger("flowbook.notebook")


class RestWatch:
    """Checks twice a second, in one thread that lives as long as there are sessions.

    Args:
        every_s: seconds between two checks.
    """

    def __init__(self, every_s: float = _LOOK_S) -> None:
        self._every_s = every_s
        self._lock = RankedLock(Rank.PANEL)
        self._sessions: tuple[PanelSession, ...] = ()
        self._thread: OwnedThread | None = None
        self._wake = threading.Event()

    def add(self, session: PanelSession) -> None:
        """Watch the run that `session` shows, whichever that is."""
        with self._lock:
            self._sessions = (*self._sessions, session)
            if self._thread is None:
                self._thread = threads.spawn(self._work, name="rest", owner=self)

    def remove(self, session: PanelSession) -> None:
        """Watch that session's run no longer."""
        with self._lock:
            self._sessions = tuple(each for each in self._sessions if each is not session)
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Forget all sessions and end the thread."""
        with self._lock:
            self._sessions, thread = (), self._thread
        self._wake.set()
        if thread is not None:
            thread.join(timeout_s)

    def _work(self) -> None:
        while not self._is_over():
            for session in self._sessions:
                try:
                    session.look()
                except Exception:  # whatever went wrong with one run, the others are looked at
                    _logger.debug("It can't be seen now whether a run has gone on.", exc_info=True)
            self._wake.wait(self._every_s)
            self._wake.clear()

    def _is_over(self) -> bool:
        with self._lock:
            if self._sessions:
                return False
            self._thread = None
            return True
