"""How many rows a state's value has, from its stored preview; loads no value and describes none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from flowbook.engine.state import State

__all__ = ["rows_of"]

_TABLES = frozenset({"frame", "series"})


def rows_of(state: State) -> int | None:
    """Return the number of rows of the frame or series that `state` holds; None if it holds another value."""
    raw = state.raw_result
    if not is_reference(raw):
        return _length(raw)
    try:
        preview = raw.store.preview(raw) if raw.store is not None else None
    except Exception:  # noqa: BLE001  # the store is gone or damaged; then nothing is said of rows
        return None
    if preview is None or preview.get("kind") not in _TABLES:
        return None
    shape = preview.get("shape")
    return int(shape[0]) if shape else None


def _length(value: object) -> int | None:
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        return len(value)
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(value, (polars.DataFrame, polars.Series)):
        return len(value)
    return None
