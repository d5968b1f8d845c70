"""Writes log records of runs to stderr, one line each, if FLOWBOOK_LOGGING_LEVEL is set and `logging` isn't configured."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO

from flowbook import config
from flowbook.terminal.lines import plain_text, printable
from flowbook.terminal.marks import Marks
from flowbook.terminal.traceback_lines import traceback_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["LineFormatter", "attach_handler", "traceback_text"]

_PARENT = "flowbook"


def attach_handler(level: int | None) -> None:
    """Write flowbook's records of `level` and above to stderr, unless the program configured `logging`; None does nothing."""
    if level is None:
        return
    logger = logging.getLogger(_PARENT)
    logger.setLevel(level)
    if not logger.hasHandlers():
        logger.addHandler(_TO_STDERR)  # once, although another thread does the same


def traceback_text(error: BaseException, hide: Callable[[str], str], secret: Collection[str] = ()) -> str:
    """Return an error as `traceback_lines` shows it, without styles."""
    found = traceback_lines(error, Marks(is_plain=True), hide, is_full=config.shows_full_tracebacks(), secret=secret)
    return "\n".join(printable(plain_text(line)) for line in found)


class LineFormatter(logging.Formatter):
    """Formats a record as the time, the mark of its state and the message; a traceback follows on further lines."""

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
    """Writes to the present `sys.stderr`, which live progress may have replaced."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(LineFormatter())

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        return sys.stderr


#: One for the process: a second one would write everything twice.
_TO_STDERR = _ToStderr()
