"""Which rows of a frame fit what a person typed: `delay > 15`, `carrier = AA`, or a text that some cell contains. Pure."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import DefinitionError
from flowbook.results.cells import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pandas as pd

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

__all__ = ["fitting_rows"]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPARISON = re.compile(r"(?s)\s*(.+?)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*\Z")


def fitting_rows(frame: pd.DataFrame, names: Sequence[str], query: str) -> Mask:
    """Return for each row whether it fits.

    A column's name, one of `= != < <= > >=` and a value compare that column; missing cells fit nothing then. Any other text is
    looked for in all cells, in any case; in columns of numbers, a number is looked for as a whole.

    Args:
        frame: the columns that are looked at.
        names: of its columns, as people see them.
        query: what was typed.

    Raises:
        DefinitionError: if a value can't be compared with a column.
    """
    found = _COMPARISON.match(query)
    if found is not None and found[1] in names:
        return _compared(frame.iloc[:, list(names).index(found[1])], found[1], found[2], found[3])
    import numpy as np  # noqa: PLC0415  # heavy

    fits = np.zeros(len(frame), dtype=bool)
    for position in range(frame.shape[1]):
        fits |= _containing(frame.iloc[:, position], query.strip().lower())
    return fits


def _compared(column: pd.Series[Any], name: str, sign: str, text: str) -> Mask:
    compare = _OPERATORS[sign]
    if _is_number(column) or column.dtype.kind in "mM":
        value = _value_like(column, name, text)
        fits: Mask = (compare(column, value) & column.notna()).to_numpy(dtype=bool, na_value=False)
        return fits
    return _by_distinct(column, lambda cell: bool(compare(cell, text)))


def _value_like(column: pd.Series[Any], name: str, text: str) -> object:
    """Return a text as a value of a column's type."""
    import pandas as pd  # noqa: PLC0415  # heavy

    try:
        if column.dtype.kind == "m":
            return pd.Timedelta(text)
        if column.dtype.kind == "M":
            moment, zone = pd.Timestamp(text), getattr(column.dtype, "tz", None)
            return moment.tz_localize(zone) if zone is not None and moment.tzinfo is None else moment
        return float(text.replace(",", ""))
    except (ValueError, TypeError) as error:
        msg = (
            f"{text!r} can't be compared with column {name!r}, which holds {column.dtype}. Write a value of that type."
        )
        raise DefinitionError(msg, query=text) from error


def _containing(column: pd.Series[Any], text: str) -> Mask:
    if not _is_number(column):
        return _by_distinct(column, lambda cell: text in cell.lower())
    import numpy as np  # noqa: PLC0415  # heavy

    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return np.zeros(len(column), dtype=bool)
    return (column == number).to_numpy(dtype=bool, na_value=False)


def _by_distinct(column: pd.Series[Any], fits: Callable[[str], bool]) -> Mask:
    """Ask only once about cells that are equal: in most columns of texts there are few different ones."""
    import numpy as np  # noqa: PLC0415  # heavy

    try:
        codes, distinct = column.factorize()
    except TypeError:  # a cell can't be hashed
        return np.fromiter((fits(safe_text(cell)) for cell in column), dtype=bool, count=len(column))
    known = np.fromiter((fits(safe_text(cell)) for cell in distinct), dtype=bool, count=len(distinct))
    # The code of a missing cell is -1: the entry added at the end.
    mask: Mask = np.append(known, False)[codes]  # a value
    return mask


def _is_number(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iuf"
