"""Passes the prints, log lines and progress of one attempt to the run, up to a size, until the attempt ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flowbook.engine.task_progress import ProgressReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.job import RunPort
    from flowbook.engine.task_progress import TaskProgress

__all__ = ["LINE_CHARS", "OVER", "TaskLog"]

#: Limits of one line, and of all lines of one attempt.
LINE_CHARS = 10_000
_LINES = 10_000
_CHARS = 10_000_000
#: How many displays of one attempt are kept.
_SHOWN = 20
#: As in `logging`, which isn't loaded for this.
_INFO, _WARNING = 20, 30


class TaskLog:
    """The lines of one attempt. Threads: any."""

    __slots__ = ("_at_end", "_bodies", "_chars", "_key", "_lines", "_reporter", "_run", "_shown", "is_closed", "pid")

    def __init__(self, run: RunPort | None, key: str) -> None:
        self._run = run
        self._key = key
        self._lines = 0
        self._chars = 0
        self._reporter: ProgressReporter | None = None
        self._at_end: list[Callable[[], object]] = []
        self._shown = 0
        self._bodies: list[object] = []
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

    def show(self, text: str, preview: Mapping[str, object]) -> None:
        """Pass on the preview of what the task displayed; `text` says what that is."""
        if self.is_closed or self._run is None or self.pid != os.getpid():
            return
        self._shown += 1
        if self._shown <= _SHOWN and preview.get("body") is not None:
            self._bodies.append(preview["body"])
        if self._shown > _SHOWN:
            if self._shown == _SHOWN + 1:
                self._run.logged(self._key, _WARNING, f"More than {_SHOWN} displays: the rest is dropped.")
            return
        self._run.logged(self._key, _INFO, text, dict(preview))

    def has_shown(self, preview: Mapping[str, object]) -> bool:
        """Return whether the attempt has displayed what looks the same as this preview's picture or HTML."""
        return preview.get("body") in self._bodies

    def at_end(self, call: Callable[[], object]) -> None:
        """Call this when the attempt has ended, before the log is closed. It must not raise."""
        self._at_end.append(call)

    @property
    def reporter(self) -> ProgressReporter:
        """What reports the attempt's progress; made when it is first asked for."""
        if self._reporter is None:
            self._reporter = ProgressReporter(self._progressed)
        return self._reporter

    def close(self) -> None:
        """Pass on the last progress, and drop what comes later, from a thread that outlived the attempt."""
        while self._at_end:
            self._at_end.pop(0)()
        if self._reporter is not None:
            self._reporter.close()
        self._run = None
        self.is_closed = True

    def _progressed(self, progress: TaskProgress) -> None:
        if self._run is not None and self.pid == os.getpid():
            self._run.progressed(self._key, progress)


#: The log of each attempt that has ended.
OVER = TaskLog(None, "")
