"""Passes the prints and log lines of one attempt to the run, up to a size, until the attempt ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowbook.engine.job import RunPort

__all__ = ["LINE_CHARS", "OVER", "TaskLog"]

#: Limits of one line, and of all lines of one attempt.
LINE_CHARS = 10_000
_LINES = 10_000
_CHARS = 10_000_000
#: As in `logging`, which isn't loaded for this.
_WARNING = 30


class TaskLog:
    """The lines of one attempt. Threads: any."""

    __slots__ = ("_chars", "_key", "_lines", "_run", "is_closed", "pid")

    def __init__(self, run: RunPort | None, key: str) -> None:
        self._run = run
        self._key = key
        self._lines = 0
        self._chars = 0
        #: Whether further lines are dropped: there were too many, or the attempt has ended.
        self.is_closed = run is None
        #: The process that the attempt runs in; one that it forked must not write to the run.
        self.pid = os.getpid()

    def line(self, level: int, text: str, length: int = 0) -> None:
        """Pass a line on to the run; `length` if it was longer before."""
        if self.is_closed or self._run is None or self.pid != os.getpid():
            return
        self._lines += 1
        self._chars += min(len(text), LINE_CHARS)
        if self._lines > _LINES or self._chars > _CHARS:
            self.is_closed = True
            most = f"{_LINES:,} lines" if self._lines > _LINES else f"{_CHARS:,} characters"
            self._run.logged(self._key, _WARNING, f"More than {most}: the rest is dropped.")
            return
        length = max(length, len(text))
        if length > LINE_CHARS:
            text = f"{text[:LINE_CHARS]}… ({length - LINE_CHARS:,} more characters were cut)"
        self._run.logged(self._key, level, text)

    def close(self) -> None:
        """Drop further lines: they come from a thread that outlived the attempt."""
        self.is_closed = True


#: The log of each attempt that has ended.
OVER = TaskLog(None, "")
