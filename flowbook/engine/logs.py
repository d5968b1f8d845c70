"""The loggers that tasks get as `context.logger`: what they log becomes log lines of the run."""

from __future__ import annotations

import logging

from flowbook._context import current_frame
from flowbook.engine.frames import TaskFrame

__all__ = ["task_logger"]

#: Parent of the loggers that tasks get; `_ToRun` hangs on it.
_LOGGER = "flowbook.task"


def task_logger(name: str) -> logging.Logger:
    """Return the logger of the task of that name; INFO and above is shown unless somebody set another level."""
    root = logging.getLogger(_LOGGER)
    if not any(isinstance(handler, _ToRun) for handler in root.handlers):
        root.addHandler(_ToRun())
        if root.level == logging.NOTSET:
            root.setLevel(logging.INFO)
    return root.getChild(name)


class _ToRun(logging.Handler):
    """Hands records to the run whose task logs them."""

    def emit(self, record: logging.LogRecord) -> None:
        frame = current_frame()
        while frame is not None and not isinstance(frame, TaskFrame):
            frame = frame.parent
        if frame is not None:
            frame.run.logged(frame.job.key, record.levelno, self.format(record))
