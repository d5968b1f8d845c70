"""`flowbook run delete`: deletes a recorded run that is at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.flow_run.run_deletion import delete_run
from flowbook.flow_run.run_names import find_run_id
from flowbook.store import open_store
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from flowbook.cli.output import Output

__all__ = ["delete"]


def delete(args: Namespace, out: Output) -> int:
    """Delete a run with its events and logs, unless a process has it. What it cached stays."""
    store = open_store()
    run_id = find_run_id(store, args.run)
    deleted = delete_run(store, run_id)
    sentence = f"{deleted.flow} run {deleted.number} is deleted."
    out.done(printable(sentence), run_id=run_id, flow=deleted.flow, number=deleted.number)
    return 0
