"""The differences between two values; of tables, by row, cell and column. Pure. Imports pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Difference", "compare"]

_COUNTED = "(count)"
_SCHEMA = ["column", "change", "before", "after"]


@dataclass(frozen=True, eq=False)
class Difference:
    """The differences between two versions of a value.

    Attributes:
        added: the rows that only the second has, with its columns.
        removed: the rows that only the first has, with its columns.
        changed: one row for each cell that differs, among the rows and columns that both have. The index is the row's key or
            index, the columns are `column, before, after`.
        schema: one row for each column that was added, removed or changed its type; columns `column, change, before, after`.
    """

    added: pd.DataFrame
    removed: pd.DataFrame
    changed: pd.DataFrame
    schema: pd.DataFrame

    def __bool__(self) -> bool:
        return any(len(part) for part in (self.added, self.removed, self.changed, self.schema))

    def __repr__(self) -> str:
        if not self:
            return "<Difference: none>"
        rows = self.changed.index.nunique()
        parts = [
            f"{len(self.added):,} rows added",
            f"{len(self.removed):,} removed",
            f"{len(self.changed):,} cells changed in {rows:,} rows",
            f"{len(self.schema):,} columns differ",
        ]
        return f"<Difference: {', '.join(parts)}>"


def compare(first: object, second: object, key: str | Sequence[str] | None = None) -> Difference:
    """Return the differences between two values.

    Args:
        first: a DataFrame, Series or array; any other value is compared as a whole, as a table of one cell.
        second: likewise.
        key: the column or columns that identify a row; default: the index. If a label occurs several times in the index,
            its n-th row is compared with the n-th row of the other table.

    Raises:
        DefinitionError: if a key column is missing, or the key doesn't identify each row.
    """
    tables = (_table(first), _table(second))
    is_counted = key is None and not all(table.index.is_unique for table in tables)
    before, after = (_keyed(table, key, is_counted=is_counted) for table in tables)
    if before.index.nlevels != after.index.nlevels:
        # No label of one can be a label of the other.
        return Difference(
            _restored(after, key), _restored(before, key), _changed(before[:0], before[:0]), _schema(*tables)
        )
    common = before.index.intersection(after.index, sort=False)
    return Difference(
        added=_restored(after[~after.index.isin(before.index)], key),
        removed=_restored(before[~before.index.isin(after.index)], key),
        changed=_changed(before.loc[common], after.loc[common]),
        schema=_schema(*tables),
    )


def _table(value: object) -> pd.DataFrame:
    if isinstance(value, pd.DataFrame):
        return value
    if isinstance(value, pd.Series):
        return value.to_frame("value" if value.name is None else value.name)
    if isinstance(value, np.ndarray) and value.ndim in {1, 2} and value.dtype.names is None:
        return pd.DataFrame(value)
    cell = np.empty(1, dtype=object)
    cell[0] = value
    return pd.DataFrame({"value": cell})


def _keyed(table: pd.DataFrame, key: str | Sequence[str] | None, *, is_counted: bool) -> pd.DataFrame:
    """Return `table` with an index that identifies each row; if `is_counted`, the n-th row of a label gets the number n too."""
    if not table.columns.is_unique:
        twice = list(table.columns[table.columns.duplicated()])
        msg = f"The table has several columns {twice[0]!r}. Give each a name of its own, then compare."
        raise DefinitionError(msg, columns=twice)
    if key is None:
        if not is_counted:
            return table
        count = table.groupby(level=list(range(table.index.nlevels)), dropna=False, sort=False).cumcount()
        return table.set_index(pd.Index(count, name=_COUNTED), append=True)
    columns = [key] if isinstance(key, str) else list(key)
    if missing := [column for column in columns if column not in table.columns]:
        msg = f"There is no column {missing[0]!r} to identify rows by. The columns are: {', '.join(map(str, table.columns))}."
        raise DefinitionError(msg, key=missing)
    keyed = table.set_index(columns)
    if not keyed.index.is_unique:
        label = keyed.index[keyed.index.duplicated()][0]
        msg = f"Key {columns} doesn't identify each row: {label!r} occurs several times. Add a column to the key."
        raise DefinitionError(msg, key=columns)
    return keyed


def _restored(rows: pd.DataFrame, key: str | Sequence[str] | None) -> pd.DataFrame:
    if key is not None:
        return rows.reset_index()
    return rows.droplevel(_COUNTED) if _COUNTED in rows.index.names else rows


def _changed(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    found = []
    for column in before.columns.intersection(after.columns, sort=False):
        old, new = before[column], after[column]
        differs = _differs(old, new)
        if differs.any():
            cells = {"column": column, "before": old[differs].astype(object), "after": new[differs].astype(object)}
            found.append(pd.DataFrame(cells, index=old.index[differs]))
    if not found:
        return pd.DataFrame({"column": [], "before": [], "after": []}, index=before.index[:0], dtype=object)
    return pd.concat(found)


def _differs(old: pd.Series[Any], new: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    both_missing = (old.isna() & new.isna()).to_numpy()
    if old.dtype == new.dtype and isinstance(old.dtype, np.dtype) and old.dtype != object:
        found: np.ndarray[Any, np.dtype[np.bool_]] = (old.to_numpy() != new.to_numpy()) & ~both_missing
        return found
    pairs = zip(old.astype(object), new.astype(object), both_missing, strict=True)
    return np.fromiter((not missing and not _is_same(a, b) for a, b, missing in pairs), dtype=bool, count=len(old))


def _is_same(first: object, second: object) -> bool:
    """Return whether two cells are equal; cells may be anything, arrays too."""
    try:
        if isinstance(first, pd.DataFrame | pd.Series):
            return type(first) is type(second) and first.equals(second)  # type: ignore[arg-type]  # of one type
        if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
            return type(first) is type(second) and np.array_equal(first, second)  # type: ignore[arg-type]  # two arrays
        return bool(first == second)
    except Exception:  # noqa: BLE001  # a user's __eq__ may raise, and NA has no truth
        return first is second


def _schema(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    old, new = ({column: str(table[column].dtype) for column in table.columns} for table in (before, after))
    rows: list[tuple[object, str, str | None, str | None]] = []
    rows += [(column, "removed", kind, None) for column, kind in old.items() if column not in new]
    rows += [(column, "added", None, kind) for column, kind in new.items() if column not in old]
    rows += [(column, "type", kind, new[column]) for column, kind in old.items() if new.get(column, kind) != kind]
    return pd.DataFrame(rows, columns=_SCHEMA, dtype=object)
