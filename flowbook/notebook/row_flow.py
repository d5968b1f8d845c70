"""What becomes of rows from task to task: how many an output has, how many it kept, and whether more were lost than ever.

From values in memory and stored previews; loads no value. Used by the panel's worker thread only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.flow_run.row_counts import Table, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.state import State

__all__ = ["NO_ROWS", "RowFacts", "RowFlow"]

#: A loss counts as larger than before if it is so by this part of the rows.
_NOTABLE = 0.001
_MOST_COLUMNS = 24


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What is said about one output: its rows, and where it came from.

    Attributes:
        rows: of the frame or series; None if the output is another value.
        note: what became of the rows of its input, e.g. "109,079 of 111,279"; "" if nothing did.
        lost: a sentence where more rows were lost than in any earlier run; else "".
        maker: number of the run that made a cached output; "" if this run did, or it isn't known.
    """

    rows: int | None = None
    note: str = ""
    lost: str = ""
    maker: str = ""


NO_ROWS = RowFacts()


class RowFlow:
    """Compares the rows of one run's outputs with those of their inputs.

    Args:
        graph: the run's graph.
        states: returns the newest state of a task.
        before: returns the rows of a task's output in earlier runs, by the run's id.
    """

    def __init__(
        self,
        graph: Graph,
        states: Callable[[str], State | None],
        before: Callable[[str], Mapping[str, int]] = lambda _: {},
    ) -> None:
        self.graph = graph
        self._states = states
        self._before = before
        #: By key: the state that was looked at, and its table.
        self._tables: dict[str, tuple[State, Table | None]] = {}

    def facts(self, key: str) -> RowFacts:
        """Return what is said about the rows of a task's output."""
        spec = self.graph.specs[key]
        table = self._table(key)
        if table is None or spec.is_mapped:
            return NO_ROWS
        source = self._source(spec)
        if source is None:
            return RowFacts(table.rows)
        above, given = source
        if not _keeps_columns(given, table):
            return RowFacts(table.rows, f"{given.rows:,} rows to {table.rows:,}")
        if table.rows == given.rows:
            return RowFacts(table.rows)
        if table.rows > given.rows:
            return RowFacts(table.rows, f"{table.rows:,} from {given.rows:,}")
        return RowFacts(table.rows, f"{table.rows:,} of {given.rows:,}", self._lost(key, above, given.rows, table.rows))

    def _table(self, key: str) -> Table | None:
        state = self._states(key)
        if state is None or not state.is_successful() or state.is_skipped() or state.is_mapped():
            return None
        known = self._tables.get(key)
        if known is None or known[0] is not state:
            known = self._tables[key] = (state, table_of(state))
        return known[1]

    def _source(self, spec: TaskSpec) -> tuple[str, Table] | None:
        """Return the largest table among the inputs, with the key of the task that it comes from."""
        ups = dict.fromkeys(b.upstream for b in spec.bindings if b.argument is not None and not b.mapped)
        found = [(up, table) for up in ups if (table := self._table(up)) is not None]
        return max(found, key=lambda each: each[1].rows, default=None)

    def _lost(self, key: str, above: str, given: int, kept: int) -> str:
        outputs, inputs = self._before(key), self._before(above)
        shares = [1 - outputs[run] / inputs[run] for run in outputs if inputs.get(run)]
        share = 1 - kept / given
        most = max(shares, default=None)
        if most is None or share <= most + _NOTABLE:
            return ""
        runs = f"{len(shares)} earlier {'run' if len(shares) == 1 else 'runs'}"
        compared = f"at most {most:.1%} in {runs}" if most > 0 else f"none in {runs}"
        return f"Lost {given - kept:,} of {given:,} rows, {share:.1%}; {compared}"


def _keeps_columns(given: Table, table: Table) -> bool:
    """Return whether all columns of the input are in the output too: then its rows are some of the input's."""
    if not given.columns or not table.columns:
        return given.columns == table.columns
    if len(given.columns) >= _MOST_COLUMNS or len(table.columns) >= _MOST_COLUMNS:
        # A preview names the first columns only.
        return given.columns[:_MOST_COLUMNS] == table.columns[:_MOST_COLUMNS]
    return set(given.columns) <= set(table.columns)
