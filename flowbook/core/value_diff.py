"""The differences between two values; of tables, by row, cell and column. Pure. Imports pandas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from flowbook.results.comparable import comparable
from flowbook.results.diff_html import diff_html
from flowbook.results.table_diff import TableDiff, match

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ["Difference", "compare"]

_SCHEMA = ["column", "change", "before", "after"]


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """The differences between two tables; false if there are none. Of dicts, lists and texts, a row is a leaf, an item, a line.

    Attributes:
        added: the rows that only the second has, with its columns.
        removed: the rows that only the first has, with its columns.
        changed: one row for each cell that differs, among the rows and columns that both have. The index is the row's key or
            index, the columns are `column, before, after`.
        schema: one row for each column that was added, removed or changed its type; columns `column, change, before, after`.
        key: the columns by which rows were matched, given or found; none: the index.
    """

    added: pd.DataFrame
    removed: pd.DataFrame
    changed: pd.DataFrame
    schema: pd.DataFrame
    key: tuple[Hashable, ...]
    _table: TableDiff = field(repr=False)

    def __bool__(self) -> bool:
        return bool(self._table)

    def __repr__(self) -> str:
        if not self:
            return "<Difference: none>"
        counts = self._table.counts
        parts = [
            f"{counts.added:,} rows added",
            f"{counts.removed:,} removed",
            f"{len(self.changed):,} cells changed in {counts.changed:,} rows",
            f"{len(self.schema):,} columns differ",
        ]
        by = f"; matched by {', '.join(map(str, self.key))}" if self.key else ""
        return f"<Difference: {', '.join(parts)}{by}>"

    def _repr_html_(self) -> str:
        """Return a table of the first rows that differ, with what was and what is; it needs no script."""
        return diff_html(self._table)


def compare(first: object, second: object, key: str | Sequence[str] | None = None) -> Difference:
    """Return the differences between two values.

    Args:
        first: a table (DataFrame, Series, array, frame of another library), or any other value.
        second: likewise.
        key: the column or columns that identify a row; default: the index, unless other columns do so and far less differs by
            them. If a label occurs several times in the index, its n-th row is compared with the n-th row of the other table.

    Raises:
        DefinitionError: if a key column is missing, or the key doesn't identify each row.
    """
    return of_table(table_diff(first, second, key))


def table_diff(first: object, second: object, key: str | Sequence[str] | None = None) -> TableDiff:
    """Return the same to be turned page by page. Raises as `compare`."""
    found = comparable(first, second)
    columns = [key] if isinstance(key, str) else key
    matched = found.matched
    if matched is None or columns is not None:
        matched = match(found.before, found.after, columns)
    return TableDiff(found.before, found.after, matched)


def of_table(found: TableDiff) -> Difference:
    """Return the difference as tables of its own."""
    matched = found.matched
    return Difference(
        added=found.after[matched.before_of < 0],
        removed=found.before[matched.after_of < 0],
        changed=_changed(found),
        schema=_schema(found),
        key=matched.key,
        _table=found,
    )


def _changed(found: TableDiff) -> pd.DataFrame:
    parts = [_changed_cells(found, column, mask) for column, mask in found.changed_in.items()]
    if not parts:
        labels = _labels(found)[:0]
        return pd.DataFrame({"column": [], "before": [], "after": []}, index=labels, dtype=object)
    return pd.concat(parts)


def _changed_cells(found: TableDiff, column: Hashable, mask: Any) -> pd.DataFrame:  # noqa: ANN401  # an array of bools
    old, new = (part[mask].astype(object) for part in (found.old(column), found.new(column)))
    return pd.DataFrame(
        {"column": column, "before": old.to_numpy(), "after": new.to_numpy()}, index=_labels(found)[mask]
    )


def _labels(found: TableDiff) -> pd.Index[Any]:
    """Return what the rows are called that both have: by the key, or by the index."""
    if not found.matched.key:
        labels: pd.Index[Any] = found.after.index.take(found.pairs[1].tolist())
        return labels
    if len(found.matched.key) == 1:
        single: pd.Index[Any] = pd.Index(found.new(found.matched.key[0]))
        return single
    return pd.MultiIndex.from_frame(pd.DataFrame({name: found.new(name) for name in found.matched.key}))


def _schema(found: TableDiff) -> pd.DataFrame:
    change = {(True, False): "removed", (False, True): "added", (True, True): "type"}
    lines = sorted(found.schema, key=lambda each: ("removed", "added", "type").index(change[_has(each)]))
    rows = [(each.label, change[_has(each)], each.before, each.after) for each in lines]
    return pd.DataFrame(rows, columns=_SCHEMA, dtype=object)


def _has(column: Any) -> tuple[bool, bool]:  # noqa: ANN401  # a ColumnDiff
    return column.before is not None, column.after is not None
