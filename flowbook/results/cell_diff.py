"""Whether cells of two columns differ, and by how much. Pure; columns of a million cells take milliseconds.

Two missing cells are alike. Cells may be anything: what their own `==` raises is a difference.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowbook.results.cells import cells_of

if TYPE_CHECKING:
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

__all__ = ["by_how_much", "differs", "is_number"]

_MINUS = "\u2212"


def is_number(column: pd.Series[Any]) -> bool:
    """Return whether a column holds numbers that can be subtracted."""
    return column.dtype.kind in "iuf"


def by_how_much(was: object, now: object) -> str | None:
    """Return the difference of two numbers, or of two times, with its sign; None of anything else."""
    try:
        if isinstance(was, int | float) and isinstance(now, int | float) and not isinstance(was, bool):
            return _number_difference(float(was), float(now), now - was)
        if isinstance(was, dt.datetime | dt.date) and isinstance(now, dt.datetime | dt.date):
            return _time_difference(now - was)
    except (TypeError, ValueError, OverflowError):
        return None
    return None


def _time_difference(by: dt.timedelta) -> str:
    length = dt.timedelta(seconds=abs(by.total_seconds()))
    return f"{'+' if by > dt.timedelta(0) else _MINUS}{str(length).removesuffix(', 0:00:00')}"


def _number_difference(was: float, now: float, by: float) -> str | None:
    if not (math.isfinite(was) and math.isfinite(now)):
        return None
    by = float(f"{by:.6g}") if isinstance(by, float) else by
    text = cells_of([by])[0] or ""
    part = f", {100 * (now - was) / abs(was):+.1f} %".replace("-", _MINUS) if was else ""
    return f"{'+' if by > 0 else ''}{text}{part}"


def differs(old: pd.Series[Any], new: pd.Series[Any]) -> Mask:
    """Return for each pair of cells whether they differ; two that are missing don't."""
    old, new = _decoded(old, new)
    is_alike = old.dtype == new.dtype or (is_number(old) and is_number(new))
    if is_alike and _is_plain(old) and _is_plain(new):
        a, b = old.to_numpy(), new.to_numpy()
        found: Mask = a != b
        return found & ~((a != a) & (b != b)) if {old.dtype.kind, new.dtype.kind} & set("fcmM") else found  # noqa: PLR0124
    quick = _differ_as_texts(old, new) if not is_alike or old.dtype == object else _differ_as_arrays(old, new)
    return quick if quick is not None else _differ_one_by_one(old, new)


def _decoded(old: pd.Series[Any], new: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Return columns of categories as their numbers, or as what they stand for."""
    kinds = [isinstance(column.dtype, pd.CategoricalDtype) for column in (old, new)]
    if all(kinds) and old.cat.categories.equals(new.cat.categories):
        return old.cat.codes, new.cat.codes
    decoded = (
        column.astype(column.cat.categories.dtype) if is_category else column
        for column, is_category in zip((old, new), kinds, strict=True)
    )
    return next(decoded), next(decoded)


def _is_plain(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype != object


def _differ_as_arrays(old: pd.Series[Any], new: pd.Series[Any]) -> Mask | None:
    """Compare two columns of one of pandas' own types as a whole; None if they can't be."""
    gone, gone_too = old.isna().to_numpy(), new.isna().to_numpy()
    try:
        unequal = pd.Series(old.array != new.array).to_numpy(dtype=bool, na_value=False)
    except (TypeError, ValueError):
        return None
    found: Mask = (unequal & ~gone & ~gone_too) | (gone != gone_too)
    return found


def _differ_as_texts(old: pd.Series[Any], new: pd.Series[Any]) -> Mask | None:
    """Compare two columns of texts as a whole; None if they hold something else."""
    if not (_is_text(old) and _is_text(new)):
        return None
    a, b = (column.astype(object).where(column.notna(), None).to_numpy() for column in (old, new))
    found: Mask = np.asarray(a != b, dtype=bool)
    return found


def _is_text(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, pd.StringDtype) or (
        column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in {"string", "empty"}
    )


def _differ_one_by_one(old: pd.Series[Any], new: pd.Series[Any]) -> Mask:
    both_missing = (old.isna().to_numpy() & new.isna().to_numpy()).tolist()
    pairs = zip(old.astype(object), new.astype(object), both_missing, strict=True)
    return np.fromiter((not missing and not _is_same(a, b) for a, b, missing in pairs), dtype=bool, count=len(old))


def _is_same(first: object, second: object) -> bool:
    """Return whether two cells are equal; cells may be anything, arrays too."""
    if first is second:
        return True
    try:
        if isinstance(first, pd.DataFrame | pd.Series):
            return type(first) is type(second) and first.equals(second)  # type: ignore[arg-type]  # of one type
        if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
            return type(first) is type(second) and np.array_equal(first, second)  # type: ignore[arg-type]  # two arrays
        return bool(first == second)
    except Exception:  # noqa: BLE001  # a user's __eq__ may raise, and NA has no truth
        return False
