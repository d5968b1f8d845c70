"""Any two values as two tables, so that they can be compared row by row: trees by path, texts and lists by their content.

Runs no code of a user's object but its `==` and `str`, and changes nothing of the values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from flowbook.results import foreign_frames
from flowbook.results.row_matching import Matched, by_content, by_index, by_key

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Comparable", "comparable"]

Kind = Literal["table", "tree", "lines", "value"]

#: A tree is followed to this depth, and shown with at most so many leaves.
_DEPTH, _LEAVES = 8, 50_000
_VALUE = "value"


class Comparable(NamedTuple):
    """Two values as tables.

    Attributes:
        kind: "table"; "tree" (dicts, lists and objects, a row for each leaf); "lines" (of a text, or items of a list); "value".
        before: the first.
        after: the second.
        matched: which rows belong together; None for tables: there a key may be chosen.
        told: a sentence about what isn't compared; "" if nothing is left out.
    """

    kind: Kind
    before: pd.DataFrame
    after: pd.DataFrame
    matched: Matched | None = None
    told: str = ""


def comparable(first: object, second: object) -> Comparable:
    """Return two values as tables."""
    tables = _table(first), _table(second)
    if tables[0] is not None and tables[1] is not None:
        return Comparable("table", tables[0], tables[1])
    if isinstance(first, str) and isinstance(second, str):
        return _as_lines(first.splitlines(), second.splitlines(), "text")
    if _is_plain_list(first) and _is_plain_list(second):
        return _as_lines(list(first), list(second), _VALUE)  # type: ignore[call-overload]  # two lists
    if _branches(first) is not None and _branches(second) is not None:
        return _as_trees(first, second)
    before, after = _one_cell(first), _one_cell(second)
    told = "" if type(first) is type(second) else f"A {type(first).__name__} became a {type(second).__name__}."
    return Comparable("value", before, after, by_index(before, after), told)


def _table(value: object) -> pd.DataFrame | None:
    if isinstance(value, pd.DataFrame):
        return value
    if foreign_frames.is_foreign(value):
        return foreign_frames.whole_as_pandas(value)
    if isinstance(value, pd.Series):
        return value.to_frame(_VALUE if value.name is None else value.name)
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.names is None:
        return pd.DataFrame(value if value.ndim <= 2 else value.reshape(value.shape[0], -1))  # noqa: PLR2004
    return None


def _as_lines(before: list[Any], after: list[Any], name: str) -> Comparable:
    old, new = (
        pd.DataFrame({name: pd.Series(items, dtype=object).to_numpy()}, index=pd.RangeIndex(1, len(items) + 1))
        for items in (before, after)
    )
    return Comparable("lines", old, new, by_content(before, after))


def _is_plain_list(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str | int | float | None) for each in value)


def _as_trees(first: object, second: object) -> Comparable:
    (before, is_cut), (after, is_cut_too) = _tree(first), _tree(second)
    told = f"Only the first {_LEAVES:,} leaves are compared." if is_cut or is_cut_too else ""
    return Comparable("tree", before, after, by_key(before, after, ["path"]), told)


def _tree(value: object) -> tuple[pd.DataFrame, bool]:
    paths: dict[str, object] = {}
    for path, leaf in _leaves(value, "", 0, frozenset()):
        if len(paths) == _LEAVES:
            return _table_of(paths), True
        paths[path] = leaf
    return _table_of(paths), False


def _table_of(paths: dict[str, object]) -> pd.DataFrame:
    leaves = np.empty(len(paths), dtype=object)
    for place, leaf in enumerate(paths.values()):
        leaves[place] = leaf
    return pd.DataFrame({"path": list(paths), _VALUE: leaves})


def _leaves(value: object, path: str, depth: int, above: frozenset[int]) -> Iterator[tuple[str, object]]:
    """Yield each leaf with the path to it, as one would write it: `settings.limits[2]`."""
    branches = _branches(value) if depth < _DEPTH and id(value) not in above else None
    if not branches:
        yield path or _VALUE, value
        return
    for step, below in branches:
        joined = step.removeprefix(".") if not path else f"{path}{step}"
        yield from _leaves(below, joined, depth + 1, above | {id(value)})


def _branches(value: object) -> list[tuple[str, object]] | None:
    """Return the parts of a value, each with the step to it; None if it has none."""
    if isinstance(value, Mapping):
        return [(_step(key), below) for key, below in dict(value).items()]
    if isinstance(value, list | tuple):
        names = getattr(type(value), "_fields", None)
        steps = [f".{name}" for name in names] if names else [f"[{place}]" for place in range(len(value))]
        return list(zip(steps, value, strict=False))
    if isinstance(value, set | frozenset):
        return [(f"{{{each!r}}}", each) for each in sorted(value, key=repr)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f".{each.name}", getattr(value, each.name, None)) for each in dataclasses.fields(value)]
    return _attributes(value)


def _attributes(value: object) -> list[tuple[str, object]] | None:
    """Return what an object of a user's, or of a library's, holds under names; None of functions, classes and the like."""
    if isinstance(value, type | BaseException) or callable(value) or type(value).__module__ == "builtins":
        return None
    held = getattr(value, "__dict__", None)
    if type(value).__eq__ is not object.__eq__ and not held:
        return None
    return [(f".{name}", below) for name, below in held.items()] if isinstance(held, dict) and held else None


def _step(key: object) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"


def _one_cell(value: object) -> pd.DataFrame:
    cell = np.empty(1, dtype=object)
    cell[0] = value
    return pd.DataFrame({_VALUE: cell})
