"""Prints of a task, sent to its run as log lines.

`sys.stdout` belongs to the whole process, and tasks run side by side. So while any task captures prints, the stream's `write`
is replaced by one that finds the printing task through a ContextVar; other code prints as before. The stream stays the same
object, so that code that redirects `sys.stdout` meanwhile (`%%capture`, `redirect_stdout`) restores the right one.
"""

from __future__ import annotations

import io
import os
import sys
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.task_log import LINE_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable
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
        _HOOKS.acquire()
        self._token = _LINES.set(self._lines)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _LINES.reset(self._token)
        if self._lines.pid != os.getpid():
            return  # a fork's copy: what is gathered and counted here belongs to the original
        self._lines.finish()
        _HOOKS.release()


class _Lines:
    """Gathers writes into lines; of a long one only the beginning is kept."""

    __slots__ = ("_length", "_log", "_rest", "is_over", "pid")

    def __init__(self, log: TaskLog) -> None:
        self._log = log
        self._rest = ""
        self._length = 0
        #: Whether the task has ended; a thread that outlived it may still print.
        self.is_over = False
        #: A forked child prints for itself.
        self.pid = os.getpid()

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


def _capturing() -> _Lines | None:
    """Return the lines that capture this context's prints; None if they aren't captured."""
    lines = _LINES.get()
    return lines if lines is not None and not lines.is_over and lines.pid == os.getpid() else None


class _Hook:
    """The `write` and `isatty` of one stream while anybody captures."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401  # whatever stands for sys.stdout
        self.stream = stream
        self._before = {name: vars(stream)[name] for name in ("write", "isatty") if name in vars(stream)}
        self._write: Callable[[str], int] = stream.write
        self._isatty: Callable[[], bool] = stream.isatty
        stream.write, stream.isatty = self.write, self.isatty

    def write(self, text: str) -> int:
        lines = _capturing()
        if lines is None or not isinstance(text, str):
            return self._write(text)
        lines.write(text)
        return len(text)

    def isatty(self) -> bool:
        return _capturing() is None and self._isatty()

    def remove(self) -> None:
        """Give the stream its own methods back, unless somebody wrapped ours: then ours stay and pass everything on."""
        for name, mine in (("write", self.write), ("isatty", self.isatty)):
            if vars(self.stream).get(name) == mine:
                if name in self._before:
                    setattr(self.stream, name, self._before[name])
                else:
                    delattr(self.stream, name)


class _StandIn(io.TextIOBase):
    """Stands for a `sys.stdout` that can't be hooked: none at all, in a program without a console, or one with slots."""

    def __init__(self, real: Any) -> None:  # noqa: ANN401  # whatever stood for sys.stdout
        self.real = real

    def write(self, text: str) -> int:
        return len(text) if self.real is None else self.real.write(text)

    def flush(self) -> None:
        if self.real is not None:
            self.real.flush()

    def isatty(self) -> bool:
        return self.real is not None and bool(self.real.isatty())

    def fileno(self) -> int:
        if self.real is None:
            raise io.UnsupportedOperation("fileno")
        return self.real.fileno()  # type: ignore[no-any-return]  # a stream

    def step_aside(self) -> None:
        """Restore the real `sys.stdout`."""
        if getattr(sys, "stdout", None) is self:
            sys.stdout = self.real

    def close(self) -> None:
        """Do nothing: other code prints here too."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # what the real one has
        return getattr(self.real, name)


class _Hooks:
    """The hooked streams, while anybody captures: each that was `sys.stdout` when somebody began to."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Reset in a forked child: no task captures there, and the lock may be held by a thread that doesn't exist there."""
        self._lock = RankedLock(Rank.PRINTS)
        self._count = 0
        self._hooks: list[_Hook] = []

    def acquire(self) -> None:
        """Hook `sys.stdout`; call `release` once for each call."""
        with self._lock:
            self._count += 1
            stream = getattr(sys, "stdout", None)
            if not any(hook.stream is stream for hook in self._hooks):
                self._hooks.append(self._hook(stream))

    def release(self) -> None:
        """Undo it when the last has released."""
        with self._lock:
            self._count -= 1
            if self._count:
                return
            hooks, self._hooks = self._hooks, []
            for hook in hooks:
                hook.remove()
                if isinstance(hook.stream, _StandIn):
                    hook.stream.step_aside()

    @staticmethod
    def _hook(stream: Any) -> _Hook:  # noqa: ANN401  # whatever stands for sys.stdout
        try:
            return _Hook(stream)
        except (AttributeError, TypeError):
            sys.stdout = _StandIn(stream)
            return _Hook(sys.stdout)


_HOOKS = _Hooks()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_HOOKS.forget)
