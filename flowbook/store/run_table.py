"""Runs as columns, so that a table of very many costs little more than reading them: no object is made for a run."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from flowbook.store.process_identity import counts_after_death, effective_state
from flowbook.store.queries import queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from flowbook.store.database import Database

__all__ = ["RunTable", "run_table"]


class RunTable(NamedTuple):
    """Columns of a table of runs, all in the same order.

    Attributes:
        state: name of the flow's state; Crashed if the run's process died before the run came to rest, Pending before it has
            one.
        started: seconds since the epoch.
        ended: seconds since the epoch.
        counts: number of tasks by the name of their last state, as JSON.
        parameters: as JSON.
    """

    run_id: Sequence[str]
    flow: Sequence[str]
    number: Sequence[int]
    state: Sequence[str | None]
    message: Sequence[str | None]
    started: Sequence[float | None]
    ended: Sequence[float | None]
    counts: Sequence[str]
    parameters: Sequence[str]
    executor: Sequence[str]
    origin: Sequence[str]

    def only(self, indexes: Sequence[int]) -> RunTable:
        """Return the runs at these indexes."""
        return RunTable._make([column[index] for index in indexes] for column in self)


def run_table(database: Database, query: str, given: Mapping[str, object]) -> RunTable:
    """Return the runs that `query`, made from `run_rows`, selects; oldest first."""
    rows = database.read(query, given)
    rows.reverse()
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return RunTable(*([] for _ in RunTable._fields))
    *shown, processes, beats, numbers = columns
    found, now = RunTable(*shown), time.time()
    states = [
        effective_state(state, process, beat, now) or "Pending"
        for state, process, beat in zip(found.state, processes, beats, strict=True)
    ]
    counts = [
        _counted(database, number) if noted is None else noted
        for noted, number in zip(found.counts, numbers, strict=True)
    ]
    counts = [
        json.dumps(counts_after_death(json.loads(each))) if state == "Crashed" else each
        for state, each in zip(states, counts, strict=True)
    ]
    return found._replace(state=states, counts=counts)


def _counted(database: Database, number: int) -> str:
    """Return the counts of a run that isn't at rest."""
    return json.dumps(dict(database.read(queries()["count_states"], {"run": number})))
