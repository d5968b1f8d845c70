"""`flowbook run delete`: deletes a recorded run that is at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import RunClaimedError
from flowbook.flow_run.run_names import find_run_id
from flowbook.store import open_store
from flowbook.store.process_output import remove_output
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from flowbook.cli.output import Output

__all__ = ["delete"]


def delete(args: Namespace, out: Output) -> int:
    """Delete a run with its events and logs, unless a process has it. What it cached stays."""
    store = open_store()
    run_id = find_run_id(store, args.run)
    summary = store.runs.summary(run_id)
    title = f"{summary.flow} run {summary.number}"
    claim = store.ownership.owner(run_id)
    if store.ownership.is_owned(run_id):
        who = claim.owner or "Another process"
        msg = f"{who} has {title}, so it isn't deleted. Cancel it first: flowbook run cancel {run_id[:8]}"
        raise RunClaimedError(msg, run_id=run_id, owner=claim.owner)
    store.ownership.delete(run_id, claim.epoch)
    remove_output(run_id)
    out.done(printable(f"{title} is deleted."), run_id=run_id, flow=summary.flow, number=summary.number)
    return 0
