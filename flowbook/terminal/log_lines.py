"""How records of runs look where nobody set up `logging`: FLOWBOOK_LOGGING_LEVEL writes them to stderr, one line each."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO

from flowbook import config
from flowbook.terminal.lines import plain_text, printable
from flowbook.terminal.marks import Marks
from flowbook.terminal.traceback_lines import traceback_lines

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LineFormatter", "attach_handler", "traceback_text"]

_PARENT = "flowbook"


def attach_handler(level: int | None) -> None:
    """Write what flowbook logs from `level` on to stderr, unless a program set up `logging` itself; None changes nothing."""
    if level is None:
        return
    logger = logging.getLogger(_PARENT)
    logger.setLevel(level)
    if not logger.hasHandlers():
        handler = _ToStderr()
        handler.setFormatter(LineFormatter())
        logger.addHandler(handler)


def traceback_text(error: BaseException, hide: Callable[[str], str]) -> str:
    """Return an error as `traceback_lines` shows it, without styles."""
    found = traceback_lines(error, Marks(is_plain=True), hide, is_full=config.shows_full_tracebacks())
    return "\n".join(printable(plain_text(line)) for line in found)


class LineFormatter(logging.Formatter):
    """The time, a mark for what has a state, and the message; a traceback on the lines below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")
        self._marks = Marks(is_plain=True)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Return the record's line."""
        state, task = getattr(record, "state", ""), getattr(record, "task", "")
        mark = f"{self._marks.of(state).text} " if state and task else ""
        said = f"{task}: " if task and not state else ""
        first, *more = record.message.splitlines() or [""]
        return "\n".join(map(printable, (f"{record.asctime} {mark}{said}{first}", *more)))


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to the stderr of the moment, which live progress may have replaced."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        return sys.stderr
