"""Cells of a table as text for people: how a number, a time or anything else reads. Never raises."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

__all__ = ["cells_of", "column_cells", "label_text", "safe_text"]

_CELL_CHARACTERS = 200
_OF_YEARS = re.compile(r"(?:^|[\W_])(?:year|yr)s?$", re.IGNORECASE)
_MINUS = "\u2212"
_HUGE, _TINY = 1e15, 1e-6
_MOST_DECIMALS = 4
_NOWHERE = object()


def label_text(label: object) -> str:
    """Return the label of a row or column; the levels of a tuple are joined."""
    text = ", ".join(map(safe_text, label)) if isinstance(label, tuple) else safe_text(label)
    return _cap(text)


def column_cells(column: pd.Series[Any]) -> list[str | None]:
    """Return the cells of a column; None where a value is missing."""
    return cells_of(column.tolist(), str(column.name))


def cells_of(values: Sequence[object], name: str = "") -> list[str | None]:
    """Return the cells of one column, each float with as many decimals as the others; a column of years has no separators."""
    if _OF_YEARS.search(name) and all(isinstance(value, int) or _is_missing(value) for value in values):
        return [None if _is_missing(value) else str(value) for value in values]
    floats = [value for value in values if isinstance(value, float) and math.isfinite(value)]
    show_float = _float_format(floats) if floats else str
    is_dated = all(_is_midnight(value) for value in values if hasattr(value, "isoformat") and not _is_missing(value))
    return [_cell(value, show_float, is_dated=is_dated) for value in values]


def _cell(value: object, show_float: Callable[[float], str], *, is_dated: bool) -> str | None:
    if value is None or _is_missing(value):
        return None
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}".replace("-", _MINUS)
    if isinstance(value, float):
        return show_float(value) if math.isfinite(value) else ("∞" if value > 0 else f"{_MINUS}∞")
    if is_dated and hasattr(value, "isoformat") and hasattr(value, "date"):
        return str(value.date())
    return _cap(safe_text(value))


def _float_format(values: Sequence[float]) -> Callable[[float], str]:
    largest = max(map(abs, values))
    smallest = min((abs(value) for value in values if value), default=1.0)
    if largest >= _HUGE or smallest < _TINY:
        return lambda value: (f"{value:.3e}" if value else "0").replace("-", _MINUS)
    decimals = _decimals(values, largest)
    return lambda value: _without_negative_zero(f"{value:,.{decimals}f}").replace("-", _MINUS)


def _decimals(values: Sequence[float], largest: float) -> int:
    for decimals in range(_MOST_DECIMALS + 1):
        if all(abs(round(value, decimals) - value) <= 1e-9 * max(1.0, abs(value)) for value in values):
            return decimals
    if largest >= 1:
        return max(1, 3 - int(math.log10(largest)))
    return min(8, 3 - math.floor(math.log10(largest)))


def _without_negative_zero(text: str) -> str:
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def _is_missing(value: object) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    pandas = sys.modules.get("pandas")
    return any(value is getattr(pandas, name, _NOWHERE) for name in ("NA", "NaT"))


def _is_midnight(value: object) -> bool:
    return (
        getattr(value, "hour", 0)
        == getattr(value, "minute", 0)
        == getattr(value, "second", 0)
        == getattr(value, "microsecond", 0)
        == 0
    )


def safe_text(value: object) -> str:
    """Return `str(value)`, or what went wrong."""
    try:
        return str(value)
    except BaseException as exc:  # noqa: BLE001  # a user's __str__
        return f"<{type(value).__name__}: its str raised {type(exc).__name__}>"


def _cap(text: str) -> str:
    return text if len(text) <= _CELL_CHARACTERS else text[: _CELL_CHARACTERS - 1] + "…"
