"""Which rows of a frame fit what a person typed: `delay > 15`, `carrier = AA`, or a text that some cell contains. Pure."""

from __future__ import annotations

import difflib
import operator
import re
from typing import TYPE_CHECKING, Any, Literal

from flowbook.exceptions import DefinitionError
from flowbook.results.cells import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import pandas as pd

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

__all__ = ["fitting_rows"]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPARISON = re.compile(r"(?s)\s*(.+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*?)\s*\Z")
#: All that the text of a moment is made of.
_OF_MOMENTS = frozenset("0123456789-+:. ")
_PART_ROWS = 50_000
_NAMED_AT_MOST = 3


def fitting_rows(frame: pd.DataFrame, names: Sequence[str], query: str) -> Mask:
    """Return for each row whether it fits.

    A column's name, one of `= == != < <= > >=` and a value, in quotes or not, compare that column; missing cells fit nothing.
    Any other text is looked for in all cells, in any case; in columns of numbers, a number is looked for as a whole.

    Args:
        frame: the columns that are looked at.
        names: of its columns, as people see them.
        query: what was typed.

    Raises:
        DefinitionError: if a value can't be compared with a column, or no cell has the text of what compares an unknown column.
    """
    found = _COMPARISON.match(query)
    if found is not None and found[1] in names:
        return _compared(frame.iloc[:, list(names).index(found[1])], found[1], found[2], _unquoted(found[3]))
    import numpy as np  # noqa: PLC0415  # heavy

    fits = np.zeros(len(frame), dtype=bool)
    for position in range(frame.shape[1]):
        fits |= _containing(frame.iloc[:, position], query.strip().lower())
    if found is not None and found[1].isidentifier() and not fits.any():
        raise _no_column(found[1], names, query)
    return fits


def _no_column(name: str, names: Sequence[str], query: str) -> DefinitionError:
    close = difflib.get_close_matches(name, names, n=1)
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    hint = f"Did you mean {close[0]!r}?" if close else f"Columns: {', '.join(names[:_NAMED_AT_MOST])}{more}."
    msg = f"There is no column {name!r}, and no cell has the text {query.strip()!r}. {hint}"
    return DefinitionError(msg, query=query)


def _unquoted(text: str) -> str:
    """Return a value without the quotes that it is written in, if it is."""
    is_quoted = len(text) > 1 and text[0] in {"'", '"'} and text[-1] == text[0]
    return text[1:-1] if is_quoted else text


def _compared(column: pd.Series[Any], name: str, sign: str, text: str) -> Mask:
    compare = _OPERATORS[sign]
    if not text and (_is_number(column) or column.dtype.kind in "mM"):
        msg = f"Write a value after '{name} {sign}'."
        raise DefinitionError(msg, query=text)
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
    if column.dtype.kind == "M":
        return _moments_containing(column, text)
    if not _is_number(column):
        return _by_distinct(column, lambda cell: text in cell.lower())
    import numpy as np  # noqa: PLC0415  # heavy

    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return np.zeros(len(column), dtype=bool)
    return (column == number).to_numpy(dtype=bool, na_value=False)


def _moments_containing(column: pd.Series[Any], text: str) -> Mask:
    """Return where the text of a moment, "2013-01-05 06:30:00+01:00", contains `text`: numpy writes a million in no time.

    In parts, so that other threads get their turn.
    """
    import numpy as np  # noqa: PLC0415  # heavy

    if not _OF_MOMENTS.issuperset(text):
        return np.zeros(len(column), dtype=bool)
    local, zones, zone_of = _local_times(column)
    wanted, fits = text.replace(" ", "T"), np.zeros(len(column), dtype=bool)
    for start in range(0, len(column), _PART_ROWS):
        part = slice(start, start + _PART_ROWS)
        for unit, places in _by_precision(local[part]):
            texts = np.datetime_as_string(local[part][places], unit=unit)
            if zones != [""]:
                texts = np.strings.add(texts, np.array(zones)[zone_of[part][places]])
            fits[part][places] = np.strings.find(texts, wanted) >= 0
    return fits


def _local_times(column: pd.Series[Any]) -> tuple[Any, list[str], Any]:
    """Return the moments as they are on the clock, the zones' texts, "+01:00", and which of these each moment has."""
    import numpy as np  # noqa: PLC0415  # heavy

    if getattr(column.dtype, "tz", None) is None:
        return column.to_numpy(), [""], None
    local = column.dt.tz_localize(None).to_numpy()
    ahead = local - column.dt.tz_convert(None).to_numpy()
    known, zone_of = np.unique(
        np.where(np.isnat(ahead), 0, ahead.astype("timedelta64[s]").astype("int64")), return_inverse=True
    )
    return local, [_zone(seconds) for seconds in known.tolist()], zone_of


def _zone(ahead_s: int) -> str:
    hours, seconds = divmod(abs(ahead_s), 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{'-' if ahead_s < 0 else '+'}{hours:02}:{minutes:02}{f':{seconds:02}' if seconds else ''}"


def _by_precision(moments: Any) -> Iterator[tuple[Literal["s", "us", "ns"], Any]]:  # noqa: ANN401  # an array of moments
    """Yield where moments are written with seconds, with six digits after them, and with nine: as `str` writes each."""
    import numpy as np  # noqa: PLC0415  # heavy

    is_there = ~np.isnat(moments)
    seconds, micros = (moments == moments.astype(f"datetime64[{unit}]") for unit in ("s", "us"))
    yield "s", (is_there & seconds).nonzero()[0]
    yield "us", (is_there & ~seconds & micros).nonzero()[0]
    yield "ns", (is_there & ~micros).nonzero()[0]


def _by_distinct(column: pd.Series[Any], fits: Callable[[str], bool]) -> Mask:
    """Ask only once about cells that are equal: in most columns of texts there are few different ones."""
    import numpy as np  # noqa: PLC0415  # heavy

    try:
        codes, distinct = column.factorize()
    except TypeError:  # a cell can't be hashed
        return np.fromiter((fits(safe_text(cell)) for cell in column), dtype=bool, count=len(column))
    # As objects at once: Arrow makes each cell anew, which takes longer.
    cells = np.asarray(distinct, dtype=object)
    known = np.fromiter((fits(safe_text(cell)) for cell in cells), dtype=bool, count=len(distinct))
    # The code of a missing cell is -1: the entry added at the end.
    mask: Mask = np.append(known, False)[codes]  # a value
    return mask


def _is_number(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iuf"
