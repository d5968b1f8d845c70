"""The size of a terminal, asked of the stream that is written to: another may be a file, or a terminal of another size."""

from __future__ import annotations

import os
from typing import TextIO

__all__ = ["size_of"]

_USUAL = os.terminal_size((80, 24))


def size_of(stream: TextIO) -> os.terminal_size:
    """Return columns and lines; the variables COLUMNS and LINES win, and 80 x 24 is taken where nothing is known."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except (AttributeError, ValueError, OSError):
        found = _USUAL
    columns = _number("COLUMNS") or found.columns or _USUAL.columns
    return os.terminal_size((columns, _number("LINES") or found.lines or _USUAL.lines))


def _number(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else 0
