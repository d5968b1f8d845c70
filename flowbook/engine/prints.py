"""Prints of a task, sent to its run as log lines.

`sys.stdout` is one for the whole process, tasks run side by side: so it is replaced once, while anybody captures, by a
stream that looks at a ContextVar to see whose print it is. Others print as before.
"""

from __future__ import annotations

import io
import sys
import threading
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["capture_prints"]

#: As in `logging`, which is not loaded for this.
_INFO = 20

_LINES: ContextVar[_Lines | None] = ContextVar("flowbook_prints", default=None)


class capture_prints:  # noqa: N801  # used as `with capture_prints(...):`
    """Context manager: what this context prints goes line by line to `logged(key, _INFO, text)`."""

    def __init__(self, key: str, logged: Callable[[str, int, str], None]) -> None:
        self._lines = _Lines(key, logged)
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
    """Gathers writes into lines."""

    def __init__(self, key: str, logged: Callable[[str, int, str], None]) -> None:
        self._key = key
        self._logged = logged
        self._rest = ""

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._logged(self._key, _INFO, line)

    def finish(self) -> None:
        if self._rest:
            self._logged(self._key, _INFO, self._rest)
            self._rest = ""


class _Stream(io.TextIOBase):
    """Stands for `sys.stdout` while anybody captures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._real: TextIO = sys.stdout

    def hold(self) -> None:
        with self._lock:
            self._holders += 1
            if self._holders == 1 and sys.stdout is not self:
                self._real = sys.stdout
                sys.stdout = self

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders and sys.stdout is self:
                sys.stdout = self._real

    def write(self, text: str) -> int:
        lines = _LINES.get()
        if lines is None:
            return self._real.write(text)
        lines.write(text)
        return len(text)

    def flush(self) -> None:
        self._real.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io.TextIOBase declares an attribute
        return self._real.encoding

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._real.fileno()


_STREAM = _Stream()
