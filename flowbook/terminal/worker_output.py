"""Shows what worker processes write, above the drawn lines: reads the pseudo-terminal that they write to."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Self

from flowbook._utils import threads
from flowbook._utils.worker_terminal import WORKER_TERMINAL, WorkerTerminal

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import TextIO

__all__ = ["WorkerOutput"]

_BYTES = 65_536
_DRAIN_S = 2.0
#: Written after the last output of a run's workers.
_END = "\x00flowbook: end of output\x00"


class WorkerOutput:
    """While the block lasts, workers' output comes to `sys.stderr`, which the screen has replaced.

    Workers that outlive the block still write to the pseudo-terminal; a thread reads it until the last of them has ended.

    Args:
        to: the driver's terminal. Does nothing if it isn't one, or if the system has no pseudo-terminals.
    """

    def __init__(self, to: TextIO) -> None:
        self._to = to
        #: The end of the pseudo-terminal that workers open too; None while it isn't open.
        self._side: int | None = None
        self._is_drained = threading.Event()
        self._token: Token[WorkerTerminal | None] | None = None

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError, ImportError, AttributeError, ValueError):
            self._token = WORKER_TERMINAL.set(self._opened())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            WORKER_TERMINAL.reset(self._token)
        if self._side is not None:
            with contextlib.suppress(OSError):
                os.write(self._side, _END.encode())
                self._is_drained.wait(_DRAIN_S)
            os.close(self._side)
            self._side = None

    def _opened(self) -> WorkerTerminal:
        import termios  # noqa: PLC0415  # Unix only
        import tty  # noqa: PLC0415  # likewise

        terminal = os.ttyname(self._to.fileno())
        main, side = os.openpty()
        tty.setraw(side)
        with contextlib.suppress(termios.error):
            termios.tcsetwinsize(side, termios.tcgetwinsize(self._to.fileno()))
        self._side = side
        threads.spawn(self._read, main, name="worker-output", owner=self)
        return WorkerTerminal.of(os.ttyname(side), terminal)

    def _read(self, main: int) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        rest = ""
        # EIO: no process has the other end open any more.
        with contextlib.suppress(OSError):
            while part := os.read(main, _BYTES):
                text = rest + decoder.decode(part)
                if _END in text:
                    text = text.replace(_END, "")
                    _write(text)
                    rest = ""
                    self._is_drained.set()
                    continue
                rest = text[text.rfind("\x00") :] if "\x00" in text[-len(_END) :] else ""
                _write(text[: len(text) - len(rest)])
        os.close(main)


def _write(text: str) -> None:
    stream = sys.stderr or sys.__stderr__
    if text and stream is not None:
        stream.write(text)
        stream.flush()
