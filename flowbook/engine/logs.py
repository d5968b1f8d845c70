"""The loggers that tasks get as `context.logger`: what they log becomes log lines of the run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.job import RunFacts

    Finder = Callable[[], tuple[RunFacts, str] | None]

__all__ = ["task_logger"]

#: Parent of the loggers that tasks get; `_ToRun` hangs on it.
_LOGGER = "flowbook.task"


def task_logger(name: str, current_task: Finder) -> logging.Logger:
    """Return the logger of the task of that name; INFO and above is shown unless somebody set another level.

    Args:
        name: of the task.
        current_task: says which run and key a record belongs to, from the context it is logged in.
    """
    root = logging.getLogger(_LOGGER)
    if not any(isinstance(handler, _ToRun) for handler in root.handlers):
        root.addHandler(_ToRun(current_task))
        if root.level == logging.NOTSET:
            root.setLevel(logging.INFO)
    return root.getChild(name)


class _ToRun(logging.Handler):
    """Hands records to the run whose task logs them."""

    def __init__(self, current_task: Finder) -> None:
        super().__init__()
        self._current_task = current_task

    def emit(self, record: logging.LogRecord) -> None:
        found = self._current_task()
        if found is not None:
            run, key = found
            run.logged(key, record.levelno, self.format(record))
