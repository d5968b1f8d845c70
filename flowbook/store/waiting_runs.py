"""Claims runs that wait for their time, many in one transaction: each is Submitted from then on, and has its claimer for owner.

Claiming them one by one reads each, claims it, and records its new state: five trips to a store behind an API.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.events import FLOW
from flowbook.engine.state import Submitted
from flowbook.exceptions import FlowbookError
from flowbook.store.event_rows import STATE
from flowbook.store.queries import queries
from flowbook.store.records import ClaimsToBegin, ClaimToBegin
from flowbook.store.state_codec import decode, encode, state_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from flowbook.engine.state import State
    from flowbook.store.database import Database
    from flowbook.store.records import RunRecord, RunToBegin
    from flowbook.store.values import Values

__all__ = ["Claimer", "WaitingRuns", "submitted"]


class Claimer(NamedTuple):
    """Who claims runs.

    Attributes:
        owner: in words.
        process: its identity, see `process_identity`.
    """

    owner: str
    process: str


class WaitingRuns:
    """Claims runs that wait for their time. From any thread.

    Args:
        database: of the store.
        values: of the store.
        record_of: returns the record of a run. Raises FlowbookError: if it can't be read.
    """

    def __init__(self, database: Database, values: Values, record_of: Callable[[str], RunRecord]) -> None:
        self._database = database
        self._values = values
        self._record_of = record_of
        self._sql = queries()

    def claim(self, wanted: Sequence[RunToBegin], most: int, by: Claimer) -> ClaimsToBegin:
        """Claim the first `most` of `wanted` that still wait as they were seen; leave the others alone. Raises StoreError."""
        records: dict[str, RunRecord] = {}
        refused: dict[str, str] = {}
        for run in wanted:
            if len(records) >= most:
                break
            if self._database.read(self._sql["waiting_run"], {"run_id": run.run_id, "epoch": run.epoch}):
                try:
                    records[run.run_id] = self._record_of(run.run_id)
                except FlowbookError as error:
                    refused[run.run_id] = str(error)
        if not records:
            return ClaimsToBegin([], refused)
        epochs = {run.run_id: run.epoch for run in wanted}
        numbers = self._database.write(
            lambda connection: {
                run_id: number
                for run_id in records
                if (number := self._claim_one(connection, run_id, epochs[run_id], by)) is not None
            }
        )
        claimed = [ClaimToBegin(records[run_id], epochs[run_id] + 1, number) for run_id, number in numbers.items()]
        return ClaimsToBegin(claimed, refused)

    def _claim_one(self, connection: sqlite3.Connection, run_id: str, epoch: int, by: Claimer) -> int | None:
        """Claim a run within a transaction; return the number of the event that says so. None: somebody was quicker."""
        values = {"run_id": run_id, "epoch": epoch, "owner": by.owner, "process": by.process, "now": time.time()}
        found = connection.execute(self._sql["claim_waiting_run"], values).fetchone()
        if found is None:
            return None
        (row,) = found
        last = connection.execute(self._sql["last_flow_state"], (row,)).fetchone()
        state = submitted(None if last is None else decode(last[0], last[1], last[2], None, self._values))
        number = int(connection.execute(self._sql["last_seq"], (row,)).fetchone()[0]) + 1
        event = (row, number, STATE, FLOW, state.at, state_name(state), encode(state, None), None, None)
        connection.execute(self._sql["add_event"], event)
        shown = {"run": row, "state": state_name(state), "message": state.message}
        connection.execute(self._sql["flow_changed"], {**shown, "started": None, "ended": None, "answer_due": None})
        return number

    def claimed_before(self, wanted: Sequence[RunToBegin], by: Claimer) -> ClaimsToBegin:
        """Return which of `wanted` the same claimer has claimed since they were seen, and that have gone no further."""
        claimed = []
        for run in wanted:
            values = {"run_id": run.run_id, "epoch": run.epoch + 1, "owner": by.owner, "process": by.process}
            for (number,) in self._database.read(self._sql["claimed_waiting_run"], values):
                claimed.append(ClaimToBegin(self._record_of(run.run_id), run.epoch + 1, number))
        return ClaimsToBegin(claimed, {})


def submitted(before: State | None) -> Submitted:
    """Return the state of a run that is claimed for a process that is being started; `before` is the one it had."""
    return Submitted("Its process is being started.", state=before.state if isinstance(before, Submitted) else before)
