"""Redraws lines in place at the bottom of a terminal. Other output appears above them, unbroken.

Used from any thread. In a forked child, writes pass through and nothing is drawn.
"""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len

from flowbook._utils.locks import Rank, RankedRLock
from flowbook.terminal.lines import encodable, fit, styled
from flowbook.terminal.size import size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.terminal.lines import Line
    from flowbook.terminal.marks import Marks

__all__ = ["MOST_LINES", "Screen"]

#: The most lines that are drawn.
MOST_LINES = 12
_MOST_CELLS = 100
_NARROWEST = 20
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Screen:
    """Draws lines on a terminal.

    Args:
        to: the terminal's stream.
        marks: what it can show.
        has_colours: whether it shows colours.
    """

    def __init__(self, to: TextIO, marks: Marks, *, has_colours: bool) -> None:
        self.marks = marks
        self._to = to
        self._has_colours = has_colours
        self._lock = RankedRLock(Rank.SCREEN)
        self._pid = os.getpid()
        #: Number of rows drawn now, below other output.
        self._rows = 0
        #: Other output since its last newline; it stands above the drawn lines.
        self._partial = ""
        self._restore: list[Callable[[], None]] = []

    @property
    def width(self) -> int:
        """How many cells a line has; the last one stays free, since a full line wraps on some terminals."""
        return max(_NARROWEST, min(_MOST_CELLS, self._size().columns - 1))

    @property
    def height(self) -> int:
        """The most lines that can be drawn; fewer in a terminal with few rows."""
        return max(1, min(MOST_LINES, self._size().lines - 2))

    def open(self) -> None:
        """Show everything printed or logged from now on above the drawn lines."""
        for name in ("stdout", "stderr"):
            stream: TextIO = getattr(sys, name)
            if stream is getattr(sys, f"__{name}__") and _is_terminal(stream):
                above = _Above(self, stream)
                setattr(sys, name, above)
                self._restore.append(lambda name=name, above=above, stream=stream: _put_back(name, above, stream))  # type: ignore[misc]
        self._move_log_handlers()

    def close(self) -> None:
        """Erase the drawn lines and restore `sys.stdout` and `sys.stderr`."""
        with self._lock:
            self._write(self._erased() + self._partial)
            self._rows = 0
        for restore in reversed(self._restore):
            restore()
        self._restore.clear()

    def draw(self, lines: Sequence[Line]) -> None:
        """Draw these lines in place of those drawn before."""
        with self._lock:
            width = self.width
            text = self._erased()
            if not self._rows and self._partial:
                text += f"\r\x1b[{rows - 1}A\x1b[J" if (rows := self._rows_of(self._partial)) > 1 else "\r\x1b[J"
            above = f"{self._partial}\n" if self._partial else ""
            self._write(
                text + above + "".join(f"{styled(fit(line, width), has_colours=self._has_colours)}\n" for line in lines)
            )
            self._rows = len(lines) + (self._rows_of(self._partial) if self._partial else 0)

    def print_lines(self, lines: Sequence[Line]) -> None:
        """Write lines that stay on the terminal."""
        with self._lock:
            gap = "\n" if self._partial else ""
            self._write(gap + "".join(f"{styled(line, has_colours=self._has_colours)}\n" for line in lines))
            self._partial = ""

    def print_above(self, stream: TextIO, text: str) -> None:
        """Write other output above the drawn lines."""
        if os.getpid() != self._pid:
            stream.write(text)
            return
        with self._lock:
            before = self._erased()
            if self._rows:
                self._write(before + self._partial)
                self._rows = 0
            stream.write(text)
            last = (self._partial + text).rpartition("\n")[2].rstrip("\r")
            self._partial = last.rpartition("\r")[2]

    def _erased(self) -> str:
        return f"\r\x1b[{self._rows}A\x1b[J" if self._rows else ""

    def _size(self) -> os.terminal_size:
        return size_of(self._to)

    def _rows_of(self, text: str) -> int:
        columns = max(1, self._size().columns)
        return max(1, -(-cell_len(_ESCAPES.sub("", text)) // columns))

    def _write(self, text: str) -> None:
        if text:
            self._to.write(encodable(text, getattr(self._to, "encoding", None)))
            self._to.flush()

    def _move_log_handlers(self) -> None:
        """Redirect log handlers that hold the terminal's streams, so that they too write above the drawn lines."""
        logging = sys.modules.get("logging")
        if logging is None or not hasattr(logging, "getLogger"):  # or another thread imports it: it has no handlers yet
            return
        streams = {id(each.stream): each for each in (sys.stdout, sys.stderr) if isinstance(each, _Above)}
        for handler in (*logging.getLogger().handlers, *logging.getLogger("flowbook").handlers):
            stream = vars(handler).get("stream")
            if type(handler) is logging.StreamHandler and (above := streams.get(id(stream))) is not None:
                handler.setStream(above)
                self._restore.append(lambda handler=handler, stream=stream: handler.setStream(stream))  # type: ignore[misc]


class _Above(io.TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr` while a screen is drawn on their terminal."""

    def __init__(self, screen: Screen, stream: TextIO) -> None:
        self._screen = screen
        self.stream = stream

    def write(self, text: str) -> int:
        self._screen.print_above(self.stream, text)
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        """Do nothing: the stream isn't ours to close."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io.TextIOBase declares an attribute
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # as above
        return self.stream.errors

    @property
    def buffer(self) -> Any:  # noqa: ANN401  # whatever the stream has
        return self.stream.buffer


def _put_back(name: str, above: _Above, stream: TextIO) -> None:
    if getattr(sys, name, None) is above:
        setattr(sys, name, stream)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError, OSError):
        return False
