"""The loggers that tasks get as `context.logger`: what they log becomes log lines of the run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.task_log import TaskLog

    Finder = Callable[[], TaskLog | None]

__all__ = ["task_logger"]

#: Parent of the loggers that tasks get; `_ToRun` hangs on it.
_LOGGER = "flowbook.task"


def task_logger(name: str, current_log: Finder) -> logging.Logger:
    """Return the logger of the task of that name; INFO and above is shown unless somebody set another level.

    Args:
        name: of the task.
        current_log: gives where a record belongs, by the context it is logged in.
    """
    root = logging.getLogger(_LOGGER)
    if not any(isinstance(handler, _ToRun) for handler in root.handlers):
        root.addHandler(_ToRun(current_log))
        if root.level == logging.NOTSET:
            root.setLevel(logging.INFO)
    return root.getChild(name)


class _ToRun(logging.Handler):
    """Hands records to the run whose task logs them."""

    def __init__(self, current_log: Finder) -> None:
        super().__init__()
        self._current_log = current_log

    def emit(self, record: logging.LogRecord) -> None:
        log = self._current_log()
        if log is not None and not log.is_closed:
            log.line(record.levelno, self.format(record))
