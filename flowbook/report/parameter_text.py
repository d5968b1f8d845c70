"""The text of a parameter's value, as a form shows it and a person may write it. Never raises for a value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from uuid import UUID

from flowbook.report.phrases import shorten

__all__ = ["has_no_literal", "parameter_text", "written"]

#: Kinds without a literal in Python, each read from the text that `str` makes of it.
_WRITTEN = (dt.date, dt.time, dt.timedelta, Decimal, PurePath, UUID)
_VALUE_LENGTH = 200


def parameter_text(value: object) -> str:
    """Return a value as a form shows it: a text as it is, a date and the like as a person writes it, all else as its repr."""
    if isinstance(value, str):
        return shorten(value, _VALUE_LENGTH) if len(value) > _VALUE_LENGTH else value
    try:
        return shorten(written(value) or repr(value), _VALUE_LENGTH)
    except BaseException as exc:  # noqa: BLE001  # a user's __repr__ may raise, or exit
        return f"<{type(value).__name__} that can't be shown: {type(exc).__name__}>"


def has_no_literal(value: object) -> bool:
    """Return whether a value is a date, an enum's member, a path and the like: a literal in Python can't say it."""
    return isinstance(value, (Enum, *_WRITTEN)) and type(value).__name__ != "NaTType"  # pandas' None


def written(value: object) -> str:
    """Return the text by which a person may write a value that has no literal; "" for all other values."""
    if isinstance(value, Enum):
        return value.name if isinstance(value.name, str) else ""
    if not has_no_literal(value):
        return ""
    return repr(value) if isinstance(value, dt.timedelta) else str(value)
