"""The loggers behind `context.logger`: their records become log lines of the run."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.task_log import TaskLog

    Finder = Callable[[], TaskLog | None]

__all__ = ["task_logger"]

#: Parent of the loggers that tasks get; `_ToRun` is its handler.
_LOGGER = "flowbook.task"


def task_logger(name: str, log: TaskLog, current_log: Finder) -> logging.Logger:
    """Return a logger for one attempt of a task; it takes INFO and above unless somebody set another level.

    Args:
        name: the task's name.
        log: the attempt's log; takes records from outside any task, as from a thread that the task started itself.
        current_log: returns the log of the task in which a record is logged; None outside any task.
    """
    root = logging.getLogger(_LOGGER)
    if _TO_RUN not in root.handlers:
        _TO_RUN.current_log = current_log
        root.addHandler(_TO_RUN)  # once, although another thread does the same
        # The run logs them itself, with task and attempt; propagating would log them twice.
        root.propagate = False
        if root.level == logging.NOTSET:
            root.setLevel(logging.INFO)
    return _TaskLogger(root.getChild(name), log)


class _TaskLogger(logging.Logger):
    """Adds the log of its attempt to each record; otherwise acts like the logger of the task's name."""

    def __init__(self, parent: logging.Logger, log: TaskLog) -> None:
        super().__init__(parent.name)
        self.parent = parent
        self._task_log = log

    def handle(self, record: logging.LogRecord) -> None:
        record.task_log = self._task_log
        super().handle(record)

    def __reduce__(self) -> tuple[object, ...]:
        return logging.getLogger, (self.name,)


class _ToRun(logging.Handler):
    """Passes records to the run whose task logged them; records from a process that a task forked go to the terminal."""

    current_log: Finder = staticmethod(lambda: None)

    def emit(self, record: logging.LogRecord) -> None:
        log: TaskLog | None = self.current_log() or getattr(record, "task_log", None)
        if log is None or log.is_closed:
            return
        if log.pid == os.getpid():
            log.line(record.levelno, self.format(record))
        elif sys.stderr is not None:
            sys.stderr.write(f"{self.format(record)}\n")


#: One for the process: a second one would tell each run everything twice.
_TO_RUN = _ToRun()
