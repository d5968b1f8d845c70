"""Frames of polars, tables and arrays of Arrow, read as pandas frames: by rows, and whole only when somebody turns their pages.

Loads neither library: a frame's library is loaded where there is a frame. Changes nothing of the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook._utils.loaded import LoadedClasses

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["dtypes", "is_foreign", "rows_as_pandas", "shape_and_size", "whole_as_pandas"]

_POLARS = LoadedClasses("polars", "DataFrame", "Series")
_ARROW = LoadedClasses("pyarrow", "Table", "RecordBatch", "Array", "ChunkedArray")


def is_foreign(value: object) -> bool:
    """Return whether `value` is a frame or series of polars, or a table, record batch or array of Arrow."""
    return _is_polars(value) or _is_arrow(value)


def shape_and_size(value: Any) -> tuple[tuple[int, ...], int | None]:  # noqa: ANN401  # as `is_foreign` says
    """Return the shape, and the bytes that it takes in memory."""
    size = value.estimated_size() if _is_polars(value) else value.nbytes
    return tuple(getattr(value, "shape", (len(value),))), int(size)


def dtypes(value: Any) -> list[str]:  # noqa: ANN401  # as above
    """Return the type of each column, as its library calls it."""
    if _is_polars(value):
        found = value.dtypes if hasattr(value, "dtypes") else [value.dtype]
        return [_short(str(each)) for each in found]
    return [str(field.type) for field in value.schema] if hasattr(value, "schema") else [str(value.type)]


def rows_as_pandas(value: Any, rows: Sequence[int] | slice) -> pd.DataFrame:  # noqa: ANN401  # as above
    """Return some rows, by position."""
    if isinstance(rows, slice):
        start, stop = rows.start or 0, rows.stop
        return _as_pandas(value.slice(start, stop - start))
    if _is_polars(value):
        return _as_pandas(value[list(rows)] if hasattr(value, "columns") else value.gather(list(rows)))
    return _as_pandas(value.take(list(rows)))


def whole_as_pandas(value: object) -> pd.DataFrame:
    """Return all rows. Takes the memory that pandas takes."""
    return _as_pandas(value)


def _as_pandas(value: Any) -> pd.DataFrame:  # noqa: ANN401  # as above
    import pandas as pd  # noqa: PLC0415  # heavy

    if not _is_polars(value):
        found = value.to_pandas()
        return found if isinstance(found, pd.DataFrame) else pd.DataFrame({"value": found}, copy=False)
    columns = value.get_columns() if hasattr(value, "get_columns") else [value.alias(value.name or "value")]
    return pd.DataFrame({column.name: _plain(column) for column in columns}, copy=False)


def _plain(column: Any) -> Any:  # noqa: ANN401  # a series of polars; an array or a list
    """Return a column's values: numbers and times without a copy, all else as Python's objects."""
    if column.dtype.is_numeric() or column.dtype.is_temporal():
        return column.to_numpy()
    return column.to_list()


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:39]}…"  # noqa: PLR2004  # a struct's type is as long as its fields


def _is_polars(value: object) -> bool:
    return isinstance(value, _POLARS.now())


def _is_arrow(value: object) -> bool:
    return isinstance(value, _ARROW.now())
