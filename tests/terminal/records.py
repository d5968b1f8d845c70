"""Records of Python's `logging`, gathered for a test."""

from __future__ import annotations

import logging
import re
from typing import Self

__all__ = ["Records"]

_LOGGER = "flowbook"
_TIMES = re.compile(r"(?:< )?\d+(?:\.\d+)? (?:ms|s)\b")

_NUMBER, _ID = re.compile(r"\brun \d+\b"), re.compile(r"\b(retry|resume) [0-9a-f]{8}\b")


class Records(logging.Handler):
    """While the block lasts, gathers what flowbook logs from a level on; the program is as one that set up `logging`."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._lowest = level
        self.found: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record)

    def lines(self, *loggers: str) -> list[tuple[str, str, str]]:
        """Return (logger, level, message) of each record; lengths of time as T, numbers of runs as N."""
        return [
            (record.name, record.levelname, _plain(record.getMessage()))
            for record in self.found
            if record.name in (loggers or (record.name,))
        ]

    def __enter__(self) -> Self:
        logger = logging.getLogger(_LOGGER)
        self._before = (logger.level, logger.propagate)
        logger.addHandler(self)
        logger.setLevel(self._lowest)
        logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger(_LOGGER)
        logger.removeHandler(self)
        level, logger.propagate = self._before
        logger.setLevel(level)


def _plain(text: str) -> str:
    for pattern, stands_for in ((_TIMES, "T"), (_NUMBER, "run N"), (_ID, r"\1 ID")):
        text = pattern.sub(stands_for, text)
    return text
