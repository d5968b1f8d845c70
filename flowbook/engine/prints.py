"""Prints of a task, sent to its run as log lines.

`sys.stdout` is one for the whole process, tasks run side by side: so it is replaced once, while anybody captures, by a
stream that looks at a ContextVar to see whose print it is. Others print as before.
"""

from __future__ import annotations

import io
import sys
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, TextIO

from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.task_log import LINE_CHARS

if TYPE_CHECKING:
    from types import TracebackType

    from flowbook.engine.task_log import TaskLog

__all__ = ["capture_prints"]

#: As in `logging`, which is not loaded for this.
_INFO = 20

_LINES: ContextVar[_Lines | None] = ContextVar("flowbook_prints", default=None)


class capture_prints:  # noqa: N801  # used as `with capture_prints(...):`
    """Context manager: what this context prints goes line by line to `log`. Afterwards it prints as others do."""

    def __init__(self, log: TaskLog) -> None:
        self._lines = _Lines(log)
        self._token: Token[_Lines | None] | None = None

    def __enter__(self) -> None:
        _STREAM.hold()
        self._token = _LINES.set(self._lines)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _LINES.reset(self._token)
        self._lines.finish()
        _STREAM.release()


class _Lines:
    """Gathers writes into lines; of a long one only the beginning is kept."""

    __slots__ = ("_length", "_log", "_rest", "is_over")

    def __init__(self, log: TaskLog) -> None:
        self._log = log
        self._rest = ""
        self._length = 0
        #: Whether the task has ended; a thread that outlived it may still print.
        self.is_over = False

    def write(self, text: str) -> None:
        start = 0
        while not self._log.is_closed:
            end = text.find("\n", start)
            self._add(text, start, end if end >= 0 else len(text))
            if end < 0:
                return
            self._end_line()
            start = end + 1

    def finish(self) -> None:
        self.is_over = True
        if self._length:
            self._end_line()

    def _add(self, text: str, start: int, end: int) -> None:
        room = LINE_CHARS - len(self._rest)
        if room > 0 and end > start:
            self._rest += text[start : min(end, start + room)]
        self._length += end - start

    def _end_line(self) -> None:
        line, length = self._rest, self._length
        self._rest, self._length = "", 0
        self._log.line(_INFO, line, length)


class _Stream(io.TextIOBase):
    """Stands for `sys.stdout` while anybody captures; there may be none (None), in a program without a console."""

    def __init__(self) -> None:
        self._lock = RankedLock(Rank.PRINTS)
        self._holders = 0
        self._real: TextIO | None = None

    def hold(self) -> None:
        with self._lock:
            self._holders += 1
            now = getattr(sys, "stdout", None)
            if self._holders == 1 and now is not self:
                self._real = now
                sys.stdout = self

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders and getattr(sys, "stdout", None) is self:
                sys.stdout = self._real

    def write(self, text: str) -> int:
        lines = _LINES.get()
        if lines is None or lines.is_over:
            return self._real.write(text) if self._real is not None else len(text)
        lines.write(text)
        return len(text)

    def flush(self) -> None:
        if self._real is not None:
            self._real.flush()

    def close(self) -> None:
        """Stay open: others print here too."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io.TextIOBase declares an attribute
        return self._real.encoding if self._real is not None else "utf-8"

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        if self._real is None:
            raise io.UnsupportedOperation("fileno")
        return self._real.fileno()


_STREAM = _Stream()
