"""Deletes a recorded run that no process has. What it cached stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import RunClaimedError
from flowbook.store.process_output import remove_output

if TYPE_CHECKING:
    from flowbook.store import RunSummary, Store

__all__ = ["delete_run"]


def delete_run(store: Store, run_id: str) -> RunSummary:
    """Delete a run with its events, its logs and the output of its process; return what it was.

    Raises:
        UnknownRunError: if there is no such run.
        RunClaimedError: if a process has it, or somebody has gone on with it at this moment.
        StoreError: if it can't be written.
    """
    summary = store.runs.summary(run_id)
    claim = store.ownership.owner(run_id)
    if store.ownership.is_owned(run_id):
        who = claim.owner or "Another process"
        title = f"{summary.flow} run {summary.number}"
        msg = f"{who} has {title}, so it isn't deleted. Cancel it first: flowbook run cancel {run_id[:8]}"
        raise RunClaimedError(msg, run_id=run_id, owner=claim.owner)
    store.ownership.delete(run_id, claim.epoch)
    remove_output(run_id)
    return summary
