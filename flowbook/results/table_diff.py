"""What differs between two tables, row by row and cell by cell, and pages of it as plain JSON data (docs/wire.md, DIFF).

Two tables of a million rows take about a second, and a page of their difference a few milliseconds. Cells are strings made
here, as in `frame_pager`. Changes nothing of the tables.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from flowbook.exceptions import DefinitionError
from flowbook.results.cell_diff import by_how_much, differs, is_number
from flowbook.results.cells import cells_of, label_text
from flowbook.results.row_matching import by_index, by_key, possible_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    import pandas as pd

    from flowbook.results.row_matching import Matched

    Mask = np.ndarray[Any, np.dtype[np.bool_]]
    Positions = np.ndarray[Any, np.dtype[np.integer[Any]]]

__all__ = ["KINDS", "ColumnDiff", "Counts", "TableDiff", "match"]

#: What a row may be, and the sign that it has in a page.
KINDS = ("same", "changed", "added", "removed")
_SIGNS = ("=", "~", "+", "-")
_SAME, _CHANGED, _ADDED, _REMOVED = range(4)
_COLUMNS = 24
_ROWS = 100
#: If the index finds all but this part of the cells unchanged, nobody looks for a better key.
_FEW = 0.05
#: A key must leave this much less to differ than the index.
_BETTER = 0.8
_SCORED_ROWS = 20_000
#: Of fewer rows nobody can tell a key from an accident.
_LEAST_ROWS = 2


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """One column of either table.

    Attributes:
        label: the column's.
        change: "key", "same", "changed" (its cells), "added" or "removed".
        before: its type in the first table; None where it has none.
        after: likewise in the second.
        cells: how many cells differ.
    """

    label: Hashable
    change: Literal["key", "same", "changed", "added", "removed"]
    before: str | None
    after: str | None
    cells: int = 0


class Counts(NamedTuple):
    """How many rows are what, by the names in `KINDS`."""

    same: int
    changed: int
    added: int
    removed: int


def match(before: pd.DataFrame, after: pd.DataFrame, key: Sequence[Hashable] | None = None) -> Matched:
    """Return which rows of two tables belong together.

    Args:
        before: the first table.
        after: the second.
        key: columns that identify a row; default: the index, unless other columns do so and far less differs by them.

    Raises:
        DefinitionError: if a column is missing or occurs several times, or the key doesn't identify each row.
    """
    for table in (before, after):
        if not table.columns.is_unique:
            twice = list(table.columns[table.columns.duplicated()])
            msg = f"The table has several columns {twice[0]!r}. Give each a name of its own, then compare."
            raise DefinitionError(msg, columns=twice)
    if key is not None:
        return by_key(before, after, key)
    indexed = by_index(before, after)
    differ = _score(before, after, indexed)
    few = _FEW * max(len(before), len(after)) * len(_common(before, after))
    if differ <= few or min(len(before), len(after)) < _LEAST_ROWS:
        return indexed
    scores = [(_score(before, after, each), each) for each in possible_keys(before, after)]
    least, best = min(scores, key=lambda each: each[0], default=(differ, indexed))
    return best if least < _BETTER * differ else indexed


def _score(before: pd.DataFrame, after: pd.DataFrame, matched: Matched) -> float:
    """Return about how many cells differ, those of added and removed rows too; changed ones are counted in a sample."""
    new = (matched.before_of >= 0).nonzero()[0]
    step = max(1, len(new) // _SCORED_ROWS)
    sampled = new[::step]
    common, changed = _common(before, after), 0
    for column in common:
        old = before[column].take(matched.before_of[sampled])
        changed += int(differs(old, after[column].take(sampled)).sum())
    return float((matched.added + matched.removed) * len(common) + changed * step)


class TableDiff:
    """The differences between two tables.

    Args:
        before: the first table.
        after: the second.
        matched: which rows belong together.
    """

    def __init__(self, before: pd.DataFrame, after: pd.DataFrame, matched: Matched) -> None:
        begin = time.perf_counter()
        self.before = before
        self.after = after
        self.matched = matched
        new = (matched.before_of >= 0).nonzero()[0]
        #: The rows that both have: their positions in each.
        self.pairs: tuple[Positions, Positions] = (matched.before_of[new], new)
        #: For each column with cells that differ: in which pairs.
        self.changed_in = {name: mask for name in _common(before, after) if (mask := self._mask(name)).any()}
        self.columns = self._columns()
        self._visible: tuple[frozenset[str], Positions] | None = None
        self._begin = begin

    @cached_property
    def changed(self) -> Mask:
        """For each pair, whether any of its cells differ."""
        found = np.zeros(len(self.pairs[1]), dtype=bool)
        for mask in self.changed_in.values():
            found |= mask
        return found

    @cached_property
    def counts(self) -> Counts:
        """How many rows are what."""
        changed = int(self.changed.sum())
        return Counts(len(self.changed) - changed, changed, self.matched.added, self.matched.removed)

    @property
    def schema(self) -> list[ColumnDiff]:
        """The columns that were added, removed, or are of another type."""
        return [each for each in self.columns if each.before != each.after]

    def __bool__(self) -> bool:
        return bool(self.changed_in or self.matched.added or self.matched.removed or self.schema)

    def old(self, column: Hashable) -> pd.Series[Any]:
        """Return a column of the first table, the rows that both have."""
        found: pd.Series[Any] = self.before[column]
        return found if self._is_straight else found.take(self.pairs[0])

    def new(self, column: Hashable) -> pd.Series[Any]:
        """Return a column of the second table, the rows that both have."""
        found: pd.Series[Any] = self.after[column]
        return found if self._is_straight else found.take(self.pairs[1])

    @cached_property
    def most(self) -> float | None:
        """The largest change of a number, as a part of what it was; None if no number changed."""
        largest: float | None = None
        for name, mask in self.changed_in.items():
            if not all(is_number(table[name]) for table in (self.before, self.after)):
                continue
            old, new = (_floats(column[mask]) for column in (self.old(name), self.new(name)))
            with np.errstate(all="ignore"):
                parts = np.abs((new - old) / old)
            finite = parts[np.isfinite(parts)]
            if len(finite):
                largest = max(largest or 0.0, float(finite.max()))
        return largest

    # Pages

    def page(self, offset: int = 0, limit: int = _ROWS, kinds: Collection[str] = KINDS) -> dict[str, Any]:
        """Return a page of rows of these kinds, in the second table's order, removed ones where they stood, with all counts."""
        begin = time.perf_counter()
        rows = self._rows_of(frozenset(kinds))
        first = min(max(offset, 0), len(rows))
        shown = rows[first : first + min(max(limit, 0), _ROWS)]
        counts, columns = self.counts, self._shown_columns()
        return {
            "key": [label_text(name) for name in self.matched.key],
            "counts": counts._asdict(),
            "cells": {
                "changed": sum(each.cells for each in self.columns),
                "total": self._cells_total(),
                "most": self.most,
            },
            "columns": [self._head(each) for each in columns],
            "columns_total": len(self.columns),
            "schema": [_schema_line(each) for each in self.schema],
            "rows": self._page_rows(shown, columns),
            "offset": first,
            "total": len(rows),
            "rows_before": len(self.before),
            "rows_after": len(self.after),
            "next": self._next(rows, first + len(shown)),
            "took_ms": round((time.perf_counter() - begin) * 1000, 1),
        }

    @cached_property
    def _is_straight(self) -> bool:
        """Whether both tables have the same rows in the same order."""
        old, new = self.pairs
        return len(old) == len(self.before) == len(self.after) and bool((old == new).all())

    def _mask(self, column: Hashable) -> Mask:
        return differs(self.old(column), self.new(column))

    def _columns(self) -> list[ColumnDiff]:
        found = []
        for name in self.after.columns:
            kind = str(self.after[name].dtype)
            if name not in self.before.columns:
                found.append(ColumnDiff(name, "added", None, kind))
                continue
            cells = int(self.changed_in[name].sum()) if name in self.changed_in else 0
            change: Any = "key" if name in self.matched.key else "changed" if cells else "same"
            found.append(ColumnDiff(name, change, str(self.before[name].dtype), kind, cells))
        gone = [name for name in self.before.columns if name not in self.after.columns]
        return found + [ColumnDiff(name, "removed", str(self.before[name].dtype), None) for name in gone]

    def _shown_columns(self) -> list[ColumnDiff]:
        """Return at most so many columns as fit a page: the key, then those that differ; in their order."""
        rank = {"key": 0, "changed": 1, "added": 1, "removed": 1, "same": 2}
        chosen = sorted(self.columns, key=lambda each: rank[each.change])[:_COLUMNS]
        keys = [each for each in self.columns if each in chosen and each.change == "key"]
        return keys + [each for each in self.columns if each in chosen and each.change != "key"]

    @cached_property
    def _union(self) -> tuple[Positions, Positions, Positions]:
        """For each row of the whole: its position in the first table and in the second, -1 for none, and what it is."""
        before_of, after_of = self.matched.before_of, self.matched.after_of
        kinds = np.full(len(before_of), _ADDED, dtype=np.int8)
        kinds[self.pairs[1]] = np.where(self.changed, _CHANGED, _SAME)
        removed = (after_of < 0).nonzero()[0]
        after = np.arange(len(before_of))
        if not len(removed):
            return before_of, after, kinds
        last = np.maximum.accumulate(np.where(after_of >= 0, np.arange(len(after_of)), -1))[removed]
        place = np.where(last >= 0, after_of[last], -1) + 0.5
        order = np.concatenate([after, place]).argsort(kind="stable")
        all_kinds = np.concatenate([kinds, np.full(len(removed), _REMOVED, dtype=np.int8)])
        old, new = np.concatenate([before_of, removed]), np.concatenate([after, np.full(len(removed), -1)])
        return old[order], new[order], all_kinds[order]

    def _rows_of(self, kinds: frozenset[str]) -> Positions:
        if self._visible is None or self._visible[0] != kinds:
            wanted = [place for place, name in enumerate(KINDS) if name in kinds]
            self._visible = (kinds, np.isin(self._union[2], wanted).nonzero()[0])
        return self._visible[1]

    def _next(self, rows: Positions, offset: int) -> int | None:
        """Return the offset of the next row that isn't the same in both, or None."""
        if self._visible is not None and "same" not in self._visible[0]:
            return offset if offset < len(rows) else None
        later = (self._union[2][rows[offset:]] != _SAME).nonzero()[0]
        return offset + int(later[0]) if len(later) else None

    def _cells_total(self) -> int:
        common = [each for each in self.columns if each.change in {"same", "changed"}]
        return len(common) * len(self.pairs[1])

    def _head(self, column: ColumnDiff) -> dict[str, Any]:
        table = self.after if column.after is not None else self.before
        return {
            "name": label_text(column.label),
            "dtype": column.after or column.before,
            "was": column.before if column.before != column.after and column.after else None,
            "numeric": is_number(table[column.label]),
            "change": column.change,
            "cells": column.cells,
        }

    def _page_rows(self, shown: Positions, columns: Sequence[ColumnDiff]) -> list[dict[str, Any]]:
        old, new, kinds = (part[shown] for part in self._union)
        cells = [self._cells(column, old, new, kinds) for column in columns]
        labels = [
            label_text(self.after.index[at] if at >= 0 else self.before.index[was])
            for was, at in zip(old.tolist(), new.tolist(), strict=True)
        ]
        return [
            {"sign": _SIGNS[kind], "index": labels[row], "cells": [each[row] for each in cells]}
            for row, kind in enumerate(kinds.tolist())
        ]

    def _cells(self, column: ColumnDiff, old: Positions, new: Positions, kinds: Positions) -> list[Any]:
        """Return the cells of a column: a text, None where it is missing, or of one that differs [was, is, by how much]."""
        was = _values(self.before, column.label, old) if column.before is not None else [None] * len(old)
        now = _values(self.after, column.label, new) if column.after is not None else [None] * len(new)
        texts = cells_of([*was, *now])
        was_texts, now_texts = texts[: len(was)], texts[len(was) :]
        is_changed = self._changed_at(column.label, new, kinds)
        found: list[Any] = []
        for row, kind in enumerate(kinds.tolist()):
            if is_changed[row]:
                found.append([was_texts[row], now_texts[row], by_how_much(was[row], now[row])])
            else:
                found.append(was_texts[row] if kind == _REMOVED or column.after is None else now_texts[row])
        return found

    def _changed_at(self, column: Hashable, new: Positions, kinds: Positions) -> list[bool]:
        mask = self.changed_in.get(column)
        if mask is None:
            return [False] * len(new)
        pair_of = np.searchsorted(self.pairs[1], np.maximum(new, 0))
        return [
            kind == _CHANGED and bool(mask[pair]) for kind, pair in zip(kinds.tolist(), pair_of.tolist(), strict=True)
        ]


def _common(before: pd.DataFrame, after: pd.DataFrame) -> list[Hashable]:
    return [name for name in before.columns if name in after.columns]


def _schema_line(column: ColumnDiff) -> dict[str, Any]:
    return {"name": label_text(column.label), "before": column.before, "after": column.after}


def _values(table: pd.DataFrame, column: Hashable, places: Positions) -> list[Any]:
    """Return the cells at these positions; None at -1."""
    is_there = places >= 0
    if is_there.all():
        found: list[Any] = table[column].take(places).tolist()
        return found
    values = iter(table[column].take(places[is_there]).tolist())
    return [next(values) if there else None for there in is_there.tolist()]


def _floats(column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return column.to_numpy(dtype="float64", na_value=np.nan)
