"""What is noted of a value beside it: plain JSON data (docs/wire.md's PREVIEW and PAGE), made in the kernel.

Never raises for a strange object: what its own code raises is shown as text. Cells are strings made here, so that a
view needs no rules of its own. Changes nothing of the value.
"""

from __future__ import annotations

import math
import reprlib
import sys
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pandas as pd

    from flowbook.results.reference import Preview

__all__ = ["FramePager", "describe", "format_size", "page"]

_ROWS = 100
_COLUMNS = 24
_CELL_CHARACTERS = 200
_REPR_CHARACTERS = 2000
_TEXT_CHARACTERS = 80
_BUCKETS = 12
#: Rows looked at for a spark, and for the number of different values.
_SPARK_ROWS = 50_000
_DISTINCT_ROWS = 400_000
#: Rows of a column that are summarised at a time, so that a summary takes little memory beside the frame.
_CHUNK_ROWS = 1_000_000
_SORTS_KEPT = 4
_MINUS, _TIMES = "\u2212", "\u00d7"
_HUGE, _TINY = 1e15, 1e-6
_MOST_DECIMALS = 4


def describe(value: object) -> Preview:
    """Return what is shown of `value` without loading it again: kind, type, shape, size, first page, capped repr."""
    try:
        return _describe(value)
    except BaseException as exc:  # noqa: BLE001  # a user's object may raise anything anywhere
        return _preview(value, "text", f"{_class(value)} (can't be shown: {type(exc).__name__})", text_repr="")


def page(
    frame: object, offset: int = 0, limit: int = _ROWS, sort: str | None = None, *, descending: bool = False
) -> dict[str, Any]:
    """Return one PAGE of a frame, series or array; to turn many pages, keep a `FramePager`."""
    return FramePager(frame).page(offset, limit, sort, descending=descending)


def format_size(size_bytes: int) -> str:
    """Return a size for people, e.g. `41.2 MB`; decimal units."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 999.95 or unit == "TB":  # noqa: PLR2004  # what would be shown as 1000.0
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    raise AssertionError


class FramePager:
    """Turns the pages of one frame, series or array that is held in the kernel, and remembers how it is sorted.

    Not to be used from several threads at once; the frame must not change meanwhile.

    Args:
        value: DataFrame, Series or array of at least one dimension; further dimensions are laid side by side.

    Raises:
        DefinitionError: if `value` is something else.
    """

    def __init__(self, value: object) -> None:
        self._frame = _as_frame(value)
        self._shown = self._frame.iloc[:, :_COLUMNS]
        self._names = [_label(name) for name in self._shown.columns]
        self._heads: list[dict[str, Any]] | None = None
        #: The newest last; each a permutation of the rows.
        self._orders: OrderedDict[tuple[str, bool], np.ndarray[Any, Any]] = OrderedDict()

    def page(
        self, offset: int = 0, limit: int = _ROWS, sort: str | None = None, *, descending: bool = False
    ) -> dict[str, Any]:
        """Return rows `offset` to `offset + limit` (at most 100) as a PAGE, sorted by the column named `sort`.

        Missing values come last either way; rows that are equal keep their order.

        Raises:
            DefinitionError: if no column shown has that name.
        """
        begin = time.perf_counter()
        total = len(self._frame)
        first = min(max(offset, 0), total)
        last = min(first + min(max(limit, 0), _ROWS), total)
        rows = (
            self._shown.iloc[first:last]
            if sort is None
            else self._shown.iloc[self._order(sort, descending)[first:last]]
        )
        columns = [_cells(rows.iloc[:, position]) for position in range(len(self._names))]
        return {
            "columns": self._head(),
            "index": [_label(label) for label in rows.index],
            "rows": [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(len(rows))],
            "offset": first,
            "total": total,
            "columns_total": self._frame.shape[1],
            "sort": sort,
            "descending": descending,
            "took_ms": round((time.perf_counter() - begin) * 1000, 1),
        }

    def _head(self) -> list[dict[str, Any]]:
        if self._heads is None:
            self._heads = [_head(name, self._shown.iloc[:, position]) for position, name in enumerate(self._names)]
        return self._heads

    def _order(self, sort: str, descending: bool) -> np.ndarray[Any, Any]:  # noqa: FBT001
        wanted = (sort, descending)
        order = self._orders.pop(wanted, None)
        if order is None:
            if sort not in self._names:
                msg = f"There is no column {sort!r} to sort by. Shown are: {', '.join(self._names)}."
                raise DefinitionError(msg, sort=sort)
            order = _sorted_positions(self._shown.iloc[:, self._names.index(sort)], descending=descending)
        self._orders[wanted] = order
        while len(self._orders) > _SORTS_KEPT:
            self._orders.popitem(last=False)
        return order


# What kind of thing it is ---------------------------------------------------------------------------------------------


def _describe(value: object) -> Preview:
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        size = int(value.memory_usage(deep=False).sum())
        return _table(value, "frame", f"DataFrame, {_shape_text(value.shape)}", list(value.shape), size)
    if pandas is not None and isinstance(value, pandas.Series):
        size = int(value.memory_usage(deep=False))
        return _table(value, "series", f"Series, {_shape_text(value.shape)}", list(value.shape), size)
    if numpy is not None and isinstance(value, numpy.ndarray) and value.ndim:
        text = f"array, {_shape_text(value.shape)} {value.dtype}"
        return _table(value, "array", text, list(value.shape), int(value.nbytes))
    text = _repr(value)
    kind = "figure" if _is_figure(value) else "text"
    return _preview(value, kind, _short_text(value, text), text_repr=text, size_bytes=_plain_size(value))


def _table(value: object, kind: str, text: str, shape: list[int], size_bytes: int) -> Preview:
    preview = _preview(value, kind, text, text_repr="", shape=shape, size_bytes=size_bytes)
    try:
        preview["page"] = FramePager(value).page()
    except BaseException as exc:  # noqa: BLE001  # cells may hold a user's objects
        preview["repr"] = f"Its rows can't be shown: {type(exc).__name__}"
    return preview


def _preview(  # noqa: PLR0913
    value: object,
    kind: str,
    text: str,
    *,
    text_repr: str,
    shape: list[int] | None = None,
    size_bytes: int | None = None,
) -> Preview:
    return {
        "kind": kind,
        "type": _type(value),
        "text": text,
        "shape": shape,
        "size_bytes": size_bytes,
        "page": None,
        "repr": text_repr,
    }


def _type(value: object) -> str:
    kind = type(value)
    module = str(kind.__module__)
    return (
        kind.__qualname__ if module in {"builtins", "__main__"} else f"{module.partition('.')[0]}.{kind.__qualname__}"
    )


def _class(value: object) -> str:
    return type(value).__name__


def _is_figure(value: object) -> bool:
    return any(
        base.__module__.startswith(("matplotlib.", "plotly.")) and "Figure" in base.__name__
        for base in type(value).__mro__
    )


def _shape_text(shape: Sequence[int]) -> str:
    return f" {_TIMES} ".join(f"{length:,}" for length in shape)


def _short_text(value: object, text: str) -> str:
    if isinstance(value, list | tuple | dict | set | frozenset) and len(text) > _TEXT_CHARACTERS:
        return f"{_class(value)} of {len(value):,}"
    line = text.partition("\n")[0]
    return line if len(line) <= _TEXT_CHARACTERS and line == text else f"{line[: _TEXT_CHARACTERS - 1]}…"


def _plain_size(value: object) -> int | None:
    return len(value) if isinstance(value, bytes | bytearray) else None


def _repr(value: object) -> str:
    """Return `repr(value)`, capped; of long containers only the beginning is asked for."""
    try:
        if type(value) in _CONTAINERS:
            text = _brief.repr(value)
        elif isinstance(value, str | bytes):
            text = repr(value[:_REPR_CHARACTERS])
        else:
            text = repr(value)
    except BaseException as exc:  # noqa: BLE001  # a user's __repr__
        return f"<{_class(value)}: its repr raised {type(exc).__name__}>"
    return text if len(text) <= _REPR_CHARACTERS else text[: _REPR_CHARACTERS - 1] + "…"


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 60
        self.maxstring = self.maxother = 300
        self.maxlong = 100
        self.maxlevel = 4


_brief = _Brief()
_CONTAINERS = frozenset({list, tuple, dict, set, frozenset})


# A frame's columns --------------------------------------------------------------------------------------------------


def _as_frame(value: object) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  # heavy

    if isinstance(value, pd.DataFrame):
        return value
    if isinstance(value, pd.Series):
        return value.to_frame("value" if value.name is None else value.name)
    if type(value).__module__.partition(".")[0] == "numpy" and getattr(value, "ndim", False):
        array: Any = value
        if array.dtype.names:
            return pd.DataFrame({name: array[name].ravel() for name in array.dtype.names})
        if array.ndim == 1:
            return pd.DataFrame(array.reshape(-1, 1), columns=["value"], copy=False)
        return pd.DataFrame(array.reshape(array.shape[0], math.prod(array.shape[1:])), copy=False)
    msg = f"A {type(value).__name__} has no rows to show. Give a DataFrame, a Series or an array."
    raise DefinitionError(msg)


def _label(label: object) -> str:
    text = ", ".join(map(_safe, label)) if isinstance(label, tuple) else _safe(label)
    return _cap(text)


def _head(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    from pandas.api import types  # noqa: PLC0415  # heavy

    numeric = bool(types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype))
    head: dict[str, Any] = {"name": name, "dtype": str(column.dtype), "numeric": numeric, "summary": "", "spark": None}
    try:
        head["summary"] = _summary(column, numeric=numeric)
        head["spark"] = _spark(column, numeric=numeric)
    except BaseException as exc:  # noqa: BLE001  # cells may hold a user's objects
        head["summary"] = head["summary"] or f"no summary: {type(exc).__name__}"
    return head


def _summary(column: pd.Series[Any], *, numeric: bool) -> str:
    if not len(column):
        return "empty"
    parts = [column.iloc[start : start + _CHUNK_ROWS] for start in range(0, len(column), _CHUNK_ROWS)]
    if missing := sum(int(part.isna().sum()) for part in parts):
        return f"{missing:,} missing"
    if (numeric and column.dtype.kind != "c") or column.dtype.kind in "mM":
        lowest = min(_python(part.min()) for part in parts)
        highest = max(_python(part.max()) for part in parts)
        low, high = _cells_of([lowest, highest])
        return low or "" if low == high else f"{low} … {high}"
    return _distinct(column)


def _python(scalar: Any) -> Any:  # noqa: ANN401  # what compares with its like
    """Return Python's own kind of a number that came out of a column."""
    return scalar.item() if hasattr(scalar, "dtype") and hasattr(scalar, "item") else scalar


def _distinct(column: pd.Series[Any]) -> str:
    looked_at = column.iloc[:_DISTINCT_ROWS]
    try:
        count = int(looked_at.nunique())
    except TypeError:
        return _class(looked_at.iloc[0])
    more = "+" if len(column) > _DISTINCT_ROWS else ""
    return f"{count:,}{more} value{'s' if count != 1 or more else ''}"


def _spark(column: pd.Series[Any], *, numeric: bool) -> list[float] | None:
    import numpy as np  # noqa: PLC0415  # heavy

    sample = column.iloc[:: max(1, len(column) // _SPARK_ROWS)].dropna()
    if not len(sample) or column.dtype.kind == "c":
        return None
    if numeric or column.dtype.kind in "mM":
        numbers = (sample.astype("int64") if column.dtype.kind in "mM" else sample).to_numpy(dtype="float64")
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return None
        heights = np.histogram(numbers, bins=_BUCKETS)[0]
    else:
        heights = sample.value_counts().to_numpy()
        if len(heights) > _BUCKETS:
            return None
    top = int(heights.max())
    return [round(int(height) / top, 3) for height in heights] if top else None


def _sorted_positions(column: pd.Series[Any], *, descending: bool) -> np.ndarray[Any, Any]:
    plain = column.reset_index(drop=True)
    try:
        ordered = plain.sort_values(ascending=not descending, kind="stable", na_position="last")
    except TypeError:
        #: Values that can't be compared with each other are sorted as they read.
        texts = plain.map(_safe, na_action="ignore")
        ordered = texts.sort_values(ascending=not descending, kind="stable", na_position="last")
    positions: np.ndarray[Any, Any] = ordered.index.to_numpy()
    return positions


# Cells --------------------------------------------------------------------------------------------------------------


def _cells(column: pd.Series[Any]) -> list[str | None]:
    return _cells_of(column.tolist())


def _cells_of(values: Sequence[object]) -> list[str | None]:
    """Return the cells of one column, each float with as many decimals as the others."""
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
    return _cap(_safe(value))


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
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def _is_midnight(value: object) -> bool:
    return (
        getattr(value, "hour", 0)
        == getattr(value, "minute", 0)
        == getattr(value, "second", 0)
        == getattr(value, "microsecond", 0)
        == 0
    )


def _safe(value: object) -> str:
    try:
        return str(value)
    except BaseException as exc:  # noqa: BLE001  # a user's __str__
        return f"<{_class(value)}: its str raised {type(exc).__name__}>"


def _cap(text: str) -> str:
    return text if len(text) <= _CELL_CHARACTERS else text[: _CELL_CHARACTERS - 1] + "…"
