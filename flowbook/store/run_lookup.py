"""Finds the row of a run, and makes the errors for runs that are unknown or claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.exceptions import RunClaimedError, UnknownRunError
from flowbook.store.queries import queries
from flowbook.store.records import from_stamp

if TYPE_CHECKING:
    from flowbook.store.database import Database

__all__ = ["RunRow", "claimed_error", "find_run", "unknown_run"]


class RunRow(NamedTuple):
    """Who has a run.

    Attributes:
        id: the run's key in the database.
        epoch: how often somebody has claimed the run.
        owner: name of the process that runs it; None if none does.
        claimed: when it was claimed or released last, seconds since the epoch.
    """

    id: int
    epoch: int
    owner: str | None
    claimed: float


def find_run(database: Database, run_id: str) -> RunRow:
    """Return the row of run `run_id`. Raises UnknownRunError."""
    rows = database.read(queries()["run_row"], (run_id,))
    if not rows:
        raise unknown_run(run_id)
    return RunRow._make(rows[0])


def unknown_run(run_id: str) -> UnknownRunError:
    """Return the error that says that the store has no such run."""
    msg = f"There is no run {run_id!r} in this store. flowbook.runs() lists those that there are."
    return UnknownRunError(msg, run_id=run_id)


def claimed_error(run_id: str, row: RunRow, by: str = "") -> RunClaimedError:
    """Return the error that says who claimed a run: its owner or, if it has none now, `by`, who made the last decision."""
    since = from_stamp(row.claimed)
    who = f"{row.owner} goes on with run {run_id}" if row.owner else f"{by or 'Somebody'} went on with run {run_id}"
    msg = (
        f"{who} since {since:%Y-%m-%d %H:%M:%S} UTC (epoch {row.epoch}). "
        f"Wait for it, or look at it with flowbook.run({run_id!r})."
    )
    return RunClaimedError(msg, run_id=run_id, owner=row.owner or by or None, since=since, epoch=row.epoch)
