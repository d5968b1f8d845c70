"""Which rows of two tables are the same row: by key columns, by the index, or by how little differs then. Pure.

Columns of both tables are numbered together (equal cells, equal numbers), so that a million rows are matched by looking up
integers. Changes nothing of the tables.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    Codes = np.ndarray[Any, np.dtype[np.integer[Any]]]

__all__ = ["Matched", "by_content", "by_index", "by_key", "by_order", "possible_keys"]

#: A column is looked at as a key if it is among the first so many that may be one.
_MOST_COLUMNS = 8
_MOST_KEYS = 4
_MOST_TOGETHER = 3
_SAMPLE_ROWS = 5000
#: A key must find at least this part of the smaller table's rows again.
_LEAST_FOUND = 0.5
#: Beyond this many pairs of items, a sequence is compared item by item.
_MOST_PAIRS = 25_000_000


class Matched(NamedTuple):
    """Which row of one table is which row of the other.

    Attributes:
        key: the columns by which they were matched; none: by the index.
        before_of: for each row of the second table its row in the first, or -1.
        after_of: for each row of the first table its row in the second, or -1.
    """

    key: tuple[Hashable, ...]
    before_of: Codes
    after_of: Codes

    @property
    def removed(self) -> int:
        """How many rows only the first table has."""
        return int((self.after_of < 0).sum())

    @property
    def added(self) -> int:
        """How many rows only the second table has."""
        return int((self.before_of < 0).sum())


def by_key(before: pd.DataFrame, after: pd.DataFrame, key: Sequence[Hashable]) -> Matched:
    """Match rows by columns that identify them.

    Raises:
        DefinitionError: if a column is missing, or the key doesn't identify each row.
    """
    for table in (before, after):
        if missing := [column for column in key if column not in table.columns]:
            known = ", ".join(map(str, table.columns))
            msg = f"There is no column {missing[0]!r} to identify rows by. The columns are: {known}."
            raise DefinitionError(msg, key=missing)
    old, new = _numbered([(before[column], after[column]) for column in key])
    for table, codes in ((before, old), (after, new)):
        if (twice := _first_repeated(codes)) is not None:
            label = tuple(table[column].iloc[[twice]].tolist()[0] for column in key)
            shown = label[0] if len(label) == 1 else label
            msg = f"Key {list(key)} doesn't identify each row: {shown!r} occurs several times. Add a column to the key."
            raise DefinitionError(msg, key=list(key))
    return _looked_up(tuple(key), old, new)


def by_index(before: pd.DataFrame, after: pd.DataFrame) -> Matched:
    """Match rows by the tables' indexes. The n-th row of a label is matched with the n-th row of the same label."""
    if before.index.nlevels != after.index.nlevels:  # no label of one can be a label of the other
        return Matched((), np.full(len(after), -1), np.full(len(before), -1))
    if _is_numbering(before.index) and _is_numbering(after.index):
        return by_order(len(before), len(after))
    levels = range(before.index.nlevels)
    old, new = _numbered([(_level(before, level), _level(after, level)) for level in levels])
    if _first_repeated(old) is not None or _first_repeated(new) is not None:
        counts = [pd.Series(codes).groupby(codes).cumcount().to_numpy() for codes in (old, new)]
        old, new = _combined([(old, new), (counts[0], counts[1])])
    return _looked_up((), old, new)


def by_order(before: int, after: int) -> Matched:
    """Match the n-th row of one table with the n-th row of the other."""
    common = min(before, after)
    return Matched((), *(np.where(np.arange(rows) < common, np.arange(rows), -1) for rows in (after, before)))


def by_content(before: Sequence[Hashable], after: Sequence[Hashable]) -> Matched:
    """Match the items of two sequences so that equal ones stay together, as `diff` does with lines."""
    from difflib import SequenceMatcher  # noqa: PLC0415  # only for texts and lists

    first = _equal_from_start(before, after)
    last = _equal_from_start(before[first:][::-1], after[first:][::-1])
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    before_of, after_of = np.full(len(after), -1), np.full(len(before), -1)
    pairs = [(n, n) for n in range(first)]
    pairs += [(len(before) - n, len(after) - n) for n in range(last, 0, -1)]
    if len(old) * len(new) <= _MOST_PAIRS:
        for tag, start, end, start_new, end_new in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag in {"equal", "replace"}:
                pairs += [
                    (first + start + n, first + start_new + n) for n in range(min(end - start, end_new - start_new))
                ]
    else:
        pairs += [(first + n, first + n) for n in range(min(len(old), len(new)))]
    for row, row_new in pairs:
        after_of[row], before_of[row_new] = row_new, row
    return Matched((), before_of, after_of)


def possible_keys(before: pd.DataFrame, after: pd.DataFrame) -> list[Matched]:
    """Return what matches rows by columns that identify each of them, the columns that come first first."""
    columns = [name for name in before.columns if name in after.columns and _may_be_key(before[name], after[name])]
    found: list[Matched] = []
    for key in _combinations(columns[:_MOST_COLUMNS]):
        if any(set(known.key) <= set(key) for known in found):
            continue
        if not (_may_identify(before, key) and _may_identify(after, key)):
            continue
        try:
            matched = by_key(before, after, key)
        except DefinitionError:
            continue
        common = len(after) - matched.added
        if common >= _LEAST_FOUND * max(1, min(len(before), len(after))):
            found.append(matched)
        if len(found) == _MOST_KEYS:
            break
    return found


def _combinations(columns: Sequence[Hashable]) -> Iterator[tuple[Hashable, ...]]:
    for count in range(1, _MOST_TOGETHER + 1):
        yield from itertools.combinations(columns, count)


def _may_be_key(before: pd.Series[Any], after: pd.Series[Any]) -> bool:
    """Return whether a column may identify rows: measures and flags don't, nor does what can't be hashed."""
    return all(column.dtype.kind not in "fcb" and _is_hashable(column) for column in (before, after))


def _is_hashable(column: pd.Series[Any]) -> bool:
    try:
        hash(tuple(column.iloc[:3]))
    except TypeError:
        return False
    return True


def _may_identify(table: pd.DataFrame, key: tuple[Hashable, ...]) -> bool:
    """Return whether no two of the first rows are alike in these columns; costs little, and rules out most columns."""
    head = table[list(key)].iloc[:_SAMPLE_ROWS]
    try:
        return not bool(head.duplicated().any())
    except TypeError:
        return False


def _is_numbering(index: pd.Index[Any]) -> bool:
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def _level(table: pd.DataFrame, level: int) -> pd.Series[Any]:
    return pd.Series(table.index.get_level_values(level))


def _numbered(columns: Sequence[tuple[pd.Series[Any], pd.Series[Any]]]) -> tuple[Codes, Codes]:
    """Return a number for each row of both tables: equal rows have equal numbers, from 0 on without gaps."""
    return _combined([_codes(before, after) for before, after in columns])


def _codes(before: pd.Series[Any], after: pd.Series[Any]) -> tuple[Codes, Codes]:
    both = pd.concat([before, after], ignore_index=True)
    try:
        codes = pd.factorize(both, use_na_sentinel=False)[0]
    except TypeError as error:
        msg = f"Column {before.name!r} holds what can't be compared as a key ({error}). Take another column."
        raise DefinitionError(msg, key=[before.name]) from error
    return codes[: len(before)], codes[len(before) :]


def _combined(parts: Sequence[tuple[Codes, Codes]]) -> tuple[Codes, Codes]:
    old, new = parts[0]
    for further, further_new in parts[1:]:
        size = int(max(further.max(initial=0), further_new.max(initial=0))) + 1
        both = np.concatenate([old * size + further, new * size + further_new])
        codes = pd.factorize(both)[0]
        old, new = codes[: len(old)], codes[len(old) :]
    return old, new


def _first_repeated(codes: Codes) -> int | None:
    """Return a row whose number another row has, too."""
    if not len(codes) or int(np.bincount(codes).max()) == 1:
        return None
    return int(pd.Series(codes).duplicated().to_numpy().argmax())


def _looked_up(key: tuple[Hashable, ...], old: Codes, new: Codes) -> Matched:
    size = int(max(old.max(initial=-1), new.max(initial=-1))) + 1
    where_old, where_new = np.full(size, -1), np.full(size, -1)
    where_old[old] = np.arange(len(old))
    where_new[new] = np.arange(len(new))
    return Matched(key, where_old[new], where_new[old])


def _equal_from_start(before: Sequence[Hashable], after: Sequence[Hashable]) -> int:
    count = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            break
        count += 1
    return count
