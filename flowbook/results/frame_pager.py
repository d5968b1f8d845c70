"""Pages of a frame, series or array, as plain JSON data (docs/wire.md's PAGE), with a summary of each column.

Never raises for strange cells: what their own code raises is shown as text. Cells are strings made here, so that a view
needs no rules of its own. Changes nothing of the value.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import DefinitionError
from flowbook.results import foreign_frames
from flowbook.results.cells import cells_of, column_cells, label_text, safe_text
from flowbook.results.frame_filter import fitting_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["FramePager", "as_frame", "first_page", "page"]

_ROWS = 100
_COLUMNS = 24
_BUCKETS = 12
#: Between larger numbers, floats can't tell an edge from its neighbour.
_LARGEST = 1e12
#: A longer column is summarised from an even sample; the summary says so.
_SAMPLED_ABOVE = 100_000
_SAMPLE_ROWS = 20_000
_SORTS_KEPT = 4


def page(  # noqa: PLR0913  # as FramePager.page
    frame: object,
    offset: int = 0,
    limit: int = _ROWS,
    sort: str | None = None,
    *,
    descending: bool = False,
    query: str = "",
) -> dict[str, Any]:
    """Return one PAGE of a frame, series or array; to turn many pages, keep a `FramePager`."""
    return FramePager(frame).page(offset, limit, sort, descending=descending, query=query)


def first_page(value: object) -> dict[str, Any]:
    """Return the first PAGE of a frame, series or array; takes little time and memory beside it, however long it is.

    Raises:
        DefinitionError: if it is something else.
    """
    begin = time.perf_counter()
    total = _row_count(value)
    if total <= _SAMPLED_ABOVE or hasattr(value, "iloc"):
        return page(value)
    if foreign_frames.is_foreign(value):
        rows = foreign_frames.rows_as_pandas(value, slice(0, _ROWS)).iloc[:, :_COLUMNS]
        sample = foreign_frames.rows_as_pandas(value, _even(total).tolist())
        heads = _with_dtypes(_summarised(sample.iloc[:, :_COLUMNS], is_sample=True), value)
        return _page(rows, heads, sample.shape[1], total=total, begin=begin)
    #: An array of texts becomes a frame of objects: only as much as is needed.
    rows, sample = (as_frame(value[part]) for part in (slice(0, _ROWS), _even(total)))  # type: ignore[index]  # an array
    heads = _summarised(sample.iloc[:, :_COLUMNS], is_sample=True)
    return _page(rows.iloc[:, :_COLUMNS], heads, rows.shape[1], total=total, begin=begin)


class FramePager:
    """Turns the pages of one frame, series or array in this process, and remembers how it is sorted.

    Not to be used from several threads at once; the frame must not change meanwhile.

    Args:
        value: DataFrame, Series or array of at least one dimension, whose further dimensions are laid side by side; also a
            frame of polars or a table of Arrow.

    Raises:
        DefinitionError: if `value` is something else.
    """

    def __init__(self, value: object) -> None:
        self._value = value
        self._frame = as_frame(value)
        self._shown = self._frame.iloc[:, :_COLUMNS]
        self._names = [label_text(name) for name in self._shown.columns]
        self._heads: list[dict[str, Any]] | None = None
        #: The newest last; each a permutation of the rows.
        self._orders: OrderedDict[tuple[str, bool], np.ndarray[Any, Any]] = OrderedDict()
        #: The newest query, and which rows fit it.
        self._fitting: tuple[str, np.ndarray[Any, Any]] | None = None

    def page(
        self,
        offset: int = 0,
        limit: int = _ROWS,
        sort: str | None = None,
        *,
        descending: bool = False,
        query: str = "",
    ) -> dict[str, Any]:
        """Return rows `offset` to `offset + limit` (at most 100) of those that fit, as a PAGE, sorted by the column named `sort`.

        Missing values come last either way; rows that are equal keep their order. What `query` may be, `fitting_rows` says; if
        it is empty, all rows fit.

        Raises:
            DefinitionError: if no column shown has that name, or a value can't be compared with its column.
        """
        begin = time.perf_counter()
        places = self._places(sort, query, descending=descending)
        fitting = len(self._frame) if places is None else len(places)
        first = min(max(offset, 0), fitting)
        last = min(first + min(max(limit, 0), _ROWS), fitting)
        rows = self._shown.iloc[first:last] if places is None else self._shown.iloc[places[first:last]]
        found = _page(rows, self._summaries(), self._frame.shape[1], total=len(self._frame), begin=begin)
        how = {"offset": first, "sort": sort, "descending": descending}
        return {**found, **how, "query": query, "fitting": fitting}

    def _places(self, sort: str | None, query: str, *, descending: bool) -> np.ndarray[Any, Any] | None:
        """Return the positions of the rows to show, in order; None for all as stored."""
        order = None if sort is None else self._order(sort, descending)
        if not query.strip():
            return order
        if self._fitting is None or self._fitting[0] != query:
            self._fitting = (query, fitting_rows(self._shown, self._names, query))
        fits = self._fitting[1]
        return fits.nonzero()[0] if order is None else order[fits[order]]

    def _summaries(self) -> list[dict[str, Any]]:
        if self._heads is None:
            self._heads = _with_dtypes(_summarised(self._shown, is_sample=False), self._value)
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


def as_frame(value: object) -> pd.DataFrame:
    """Return a frame, series or array of at least one dimension as a frame, without copying. Raises DefinitionError."""
    import pandas as pd  # noqa: PLC0415  # heavy

    if isinstance(value, pd.DataFrame):
        return value
    if foreign_frames.is_foreign(value):
        return foreign_frames.whole_as_pandas(value)
    if isinstance(value, pd.Series):
        return value.to_frame("value" if value.name is None else value.name)
    if str(type(value).__module__).partition(".")[0] == "numpy" and getattr(value, "ndim", False):
        array: Any = value
        if array.dtype.names:
            return pd.DataFrame({name: array[name].ravel() for name in array.dtype.names})
        if array.ndim == 1:
            return pd.DataFrame(array.reshape(-1, 1), columns=["value"], copy=False)
        return pd.DataFrame(array.reshape(array.shape[0], math.prod(array.shape[1:])), copy=False)
    msg = f"A {type(value).__name__} has no rows to show. Give a DataFrame, a Series or an array."
    raise DefinitionError(msg)


def _with_dtypes(heads: list[dict[str, Any]], value: object) -> list[dict[str, Any]]:
    """Return the heads with the types of a foreign frame's columns; others as they are."""
    if not foreign_frames.is_foreign(value):
        return heads
    return [{**head, "dtype": dtype} for head, dtype in zip(heads, foreign_frames.dtypes(value), strict=False)]


def _row_count(value: Any) -> int:  # noqa: ANN401  # a frame, series or array
    return value.shape[0] if getattr(value, "shape", ()) else 0


def _even(total: int) -> np.ndarray[Any, Any]:
    """Return the positions of an evenly spread sample."""
    import numpy as np  # noqa: PLC0415  # heavy

    return np.linspace(0, total - 1, _SAMPLE_ROWS).astype("int64")


def _page(
    rows: pd.DataFrame, heads: list[dict[str, Any]], columns_total: int, *, total: int, begin: float
) -> dict[str, Any]:
    columns = [column_cells(rows.iloc[:, position]) for position in range(rows.shape[1])]
    return {
        "columns": heads,
        "index": [label_text(label) for label in rows.index],
        "rows": [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(len(rows))],
        "offset": 0,
        "total": total,
        "columns_total": columns_total,
        "sort": None,
        "descending": False,
        "took_ms": round((time.perf_counter() - begin) * 1000, 1),
    }


def _summarised(frame: pd.DataFrame, *, is_sample: bool) -> list[dict[str, Any]]:
    """Return the heads of the columns; sampled one by one, as a sample of all may be as large as the frame."""
    positions = _even(len(frame)) if len(frame) > _SAMPLED_ABOVE else None
    heads = []
    for number, name in enumerate(map(label_text, frame.columns)):
        column = frame.iloc[:, number]
        head = _head(name, column if positions is None else column.iloc[positions])
        if is_sample or positions is not None:
            head["summary"] = f"{head['summary']}, sampled" if head["summary"] else "sampled"
        heads.append(head)
    return heads


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
    if missing := int(column.isna().sum()):
        return f"{missing:,} missing"
    if (numeric and column.dtype.kind != "c") or column.dtype.kind in "mM":
        low, high = cells_of([_python(column.min()), _python(column.max())], str(column.name))
        return low or "" if low == high else f"{low} … {high}"
    return _distinct(column)


def _python(scalar: Any) -> Any:  # noqa: ANN401  # what compares with its like
    """Return Python's own kind of a number that came out of a column."""
    return scalar.item() if hasattr(scalar, "dtype") and hasattr(scalar, "item") else scalar


def _distinct(column: pd.Series[Any]) -> str:
    try:
        count = int(column.nunique())
    except TypeError:
        return type(column.iloc[0]).__name__
    return f"{count:,} value{'s' if count != 1 else ''}"


def _spark(column: pd.Series[Any], *, numeric: bool) -> list[float] | None:
    import numpy as np  # noqa: PLC0415  # heavy

    sample = column.dropna()
    if not len(sample) or column.dtype.kind == "c":
        return None
    if numeric or column.dtype.kind in "mM":
        numbers = (sample.astype("int64") if column.dtype.kind in "mM" else sample).to_numpy(dtype="float64")
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return None
        heights = np.histogram(numbers, bins=_edges(numbers))[0]
    else:
        try:
            if sample.nunique() > _BUCKETS:
                return None
        except TypeError:  # cells that can't be hashed, such as arrays: pandas would compare each with all others
            return None
        heights = sample.value_counts().to_numpy()
    top = int(heights.max())
    return [round(int(height) / top, 3) for height in heights] if top else None


def _edges(numbers: np.ndarray[Any, Any]) -> int | np.ndarray[Any, Any]:
    """Return how many bars there are, or their edges: few whole numbers have one each, so that there are no gaps between them."""
    import numpy as np  # noqa: PLC0415  # heavy

    low, high = numbers.min(), numbers.max()
    if high - low < _BUCKETS and -_LARGEST < low <= high < _LARGEST and (numbers == np.floor(numbers)).all():
        return np.arange(low, high + 2) - 0.5
    return _BUCKETS


def _sorted_positions(column: pd.Series[Any], *, descending: bool) -> np.ndarray[Any, Any]:
    plain = column.reset_index(drop=True)
    try:
        ordered = plain.sort_values(ascending=not descending, kind="stable", na_position="last")
    except TypeError:
        #: Values that can't be compared with each other are sorted as they read.
        texts = plain.map(safe_text, na_action="ignore")
        ordered = texts.sort_values(ascending=not descending, kind="stable", na_position="last")
    positions: np.ndarray[Any, Any] = ordered.index.to_numpy()
    return positions
