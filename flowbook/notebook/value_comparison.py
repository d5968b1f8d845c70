"""Two versions of a value, compared on behalf of a view: the command `compare-values`, answered by DIFF of docs/wire.md.

Used by one worker thread. The last comparison is remembered, so that its pages are turned at once.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.exceptions import PickledValueError
from flowbook.notebook.command_worker import RefusedError
from flowbook.report.phrases import shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.core.value_diff import Difference
    from flowbook.notebook.command_worker import Command
    from flowbook.results.row_matching import Matched
    from flowbook.results.table_diff import TableDiff

__all__ = ["Comparisons", "Source"]

#: Names a version: an entry of the cache, or a task in a run.
Source = dict[str, Any]

#: Of a longer table, rows that are the same in both aren't shown at first.
_ALL_BELOW = 100
_MOST_ROWS = 100
_MOST_KEYS = 24
_ONLY_KEPT = (
    "Only what is kept of these values to show them is compared: they are stored in a form that runs code when it is read, and "
    "this server runs none. Compare them in a notebook for the rest."
)


class _Compared(NamedTuple):
    asked: str
    table: TableDiff
    kind: str
    told: str
    took_s: float
    #: Whether the rows were matched here, so that the same match serves both ways.
    is_matched_here: bool


class Comparisons:
    """Compares versions for the views of one panel or browser.

    Args:
        load: returns the value of a version; raises RefusedError where there is none.
        kept: where a process must not load pickles: returns what is kept of such a version in its preview, as plain data.
    """

    def __init__(self, load: Callable[[Source], object], kept: Callable[[Source], object] | None = None) -> None:
        self._load = load
        self._kept = kept
        self._last: _Compared | None = None

    def answer(self, command: Command) -> dict[str, Any]:
        """Return DIFF, which answers the command.

        Raises:
            RefusedError: if it names no versions.
            DefinitionError: if the key identifies no rows.
        """
        first, second = _source(command.get("first")), _source(command.get("second"))
        found = self._compared(first, second, _key(command.get("key")))
        kinds = _kinds(command.get("kinds"), found.table)
        offset, limit = command.get("offset", 0), command.get("limit", _MOST_ROWS)
        if not isinstance(offset, int) or not isinstance(limit, int):
            msg = f"A page needs whole numbers, not offset={offset!r}, limit={limit!r}."
            raise RefusedError(msg)
        page = found.table.page(offset, min(_MOST_ROWS, max(1, limit)), kinds)
        asked = {"first": first, "second": second, "kinds": list(kinds), "keys": _possible_keys(found.table)}
        told = {"kind": found.kind, "told": found.told, "compared_ms": round(1000 * found.took_s)}
        return {"type": "diff", "id": command["id"], **asked, **told, **page}

    def difference(self, command: Command) -> Difference:
        """Return the difference that a command names, for a variable. Raises as `answer`."""
        from flowbook.core.value_diff import of_table  # noqa: PLC0415  # loads pandas

        first, second = _source(command.get("first")), _source(command.get("second"))
        return of_table(self._compared(first, second, _key(command.get("key"))).table)

    def _compared(self, first: Source, second: Source, key: list[str] | None) -> _Compared:
        asked = json.dumps([first, second, key])
        last = self._last
        if last is None or last.asked != asked:
            is_swapped = last is not None and last.is_matched_here and last.asked == json.dumps([second, first, key])
            known = last.table.matched if last is not None and is_swapped else None
            self._last = last = None  # not three at once in memory
            before, after, told = self._values(first, second)
            found = _compare(asked, before, after, key, known)
            self._last = last = found._replace(told=" ".join(filter(None, (told, found.told))))
        return last

    def _values(self, first: Source, second: Source) -> tuple[object, object, str]:
        """Return both values, or what is kept of both, and a sentence on what is left out."""
        try:
            return self._load(first), self._load(second), ""
        except PickledValueError:
            if self._kept is None:
                raise
            return self._kept(first), self._kept(second), _ONLY_KEPT


def _compare(asked: str, first: object, second: object, key: list[str] | None, known: Matched | None) -> _Compared:
    """Compare two values; `known` says which rows belong together the other way round."""
    from flowbook.results.cells import label_text  # noqa: PLC0415  # these load pandas
    from flowbook.results.comparable import comparable  # noqa: PLC0415
    from flowbook.results.row_matching import by_index  # noqa: PLC0415
    from flowbook.results.table_diff import TableDiff, match  # noqa: PLC0415

    begin = time.perf_counter()
    found = comparable(first, second)
    matched = found.matched
    if matched is None and known is not None:
        matched = known._replace(before_of=known.after_of, after_of=known.before_of)
    if matched is None:
        labels = {label_text(name): name for name in found.after.columns}
        columns = [labels.get(name, name) for name in key or ()]
        is_index = key is not None and not columns
        matched = by_index(found.before, found.after) if is_index else match(found.before, found.after, columns or None)
    table = TableDiff(found.before, found.after, matched)
    return _Compared(asked, table, found.kind, found.told, time.perf_counter() - begin, found.matched is None)


def _possible_keys(table: TableDiff) -> list[list[str]]:
    """Return what a person may choose as a key: the index (empty), what was found, and each column that both have."""
    from flowbook.results.cells import label_text  # noqa: PLC0415  # as above

    found = [label_text(name) for name in table.matched.key]
    common = [label_text(name) for name in table.after.columns if name in table.before.columns]
    keys = [[], *([found] if found else []), *([name] for name in common[:_MOST_KEYS])]
    return [key for place, key in enumerate(keys) if key not in keys[:place]]


def _kinds(asked: object, table: TableDiff) -> tuple[str, ...]:
    from flowbook.results.table_diff import KINDS  # noqa: PLC0415  # as above

    if isinstance(asked, list):
        return tuple(kind for kind in KINDS if kind in asked)
    is_short = max(len(table.before), len(table.after)) < _ALL_BELOW
    return KINDS if is_short or not table else tuple(kind for kind in KINDS if kind != "same")


def _key(asked: object) -> list[str] | None:
    if asked is None or (isinstance(asked, list) and all(isinstance(name, str) for name in asked)):
        return asked
    msg = f"Rows are matched by names of columns, not by {shorten(repr(asked), 80)}."
    raise RefusedError(msg)


def _source(asked: object) -> Source:
    if isinstance(asked, dict) and all(isinstance(value, str) for value in asked.values()):
        return asked
    msg = f"Two versions are compared, not {shorten(repr(asked), 80)}."
    raise RefusedError(msg)
