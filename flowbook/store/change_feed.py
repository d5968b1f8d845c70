"""Tells as soon as something changes in a store behind the API, with one request at a time that the server holds back."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock, renew_in_child
from flowbook.exceptions import FlowbookError
from flowbook.store.api_client import LostError

if TYPE_CHECKING:
    from flowbook.store.api_client import ApiClient

__all__ = ["ChangeFeed"]

#: How long the server holds a request back, and how long the feed goes on when nobody asks.
_HELD_S, _UNASKED_S = 10.0, 10.0
#: The pause after a failure, and the least between two requests: a busy store changes all the time.
_PAUSE_S, _LEAST_S = 0.5, 0.05


class ChangeFeed:
    """Follows the numbers of a store's commits and requests. From any thread.

    A thread follows them for as long as somebody asks. While the server can't be reached, each look seems to find a change,
    so that whoever asks finds out for himself.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._renew_lock()
        renew_in_child(self, ChangeFeed._renew_lock)
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        #: By what is followed: what the server said last.
        self._known: dict[str, str] = {}
        #: By what is followed: when somebody asked last (`time.monotonic`).
        self._asked: dict[str, float] = {}
        self._failures = 0
        self._is_closed = False

    def _renew_lock(self) -> None:
        self._lock = RankedLock(Rank.API_CHANGES)

    def version(self, what: str) -> object:
        """Return a value that differs after each change.

        Args:
            what: "commits", or "requests" to owners of runs.
        """
        self._asked[what] = time.monotonic()
        if self._thread is None or self._process != os.getpid():
            self._start()
        return self._known.get(what), self._failures

    def close(self) -> None:
        """Let the thread end."""
        self._is_closed = True

    def _start(self) -> None:
        with self._lock:
            if self._process != os.getpid():
                self._process, self._thread = os.getpid(), None
            if self._thread is None and not self._is_closed:
                self._thread = threads.spawn(self._follow, name="changes", owner=self)

    def _follow(self) -> None:
        try:
            self._follow_while_asked()
        finally:
            with self._lock:
                self._thread = None

    def _follow_while_asked(self) -> None:
        pause = threading.Event()
        while not self._is_closed:
            now = time.monotonic()
            wanted = [what for what, asked in self._asked.copy().items() if now - asked < _UNASKED_S]
            if not wanted:
                break
            try:
                found = self._client.changes({what: self._known.get(what, "") for what in wanted}, _HELD_S)
            except (LostError, FlowbookError):
                self._failures += 1
                pause.wait(_PAUSE_S)
            else:
                self._known.update({what: str(found.get(what, "")) for what in wanted})
                pause.wait(max(0.0, now + _LEAST_S - time.monotonic()))
