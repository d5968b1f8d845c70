"""What pages do with runs besides showing a panel of a cell: attach to one, list them, decide about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.exceptions import UnknownRunError
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.frontend import person
from flowbook.notebook.run_overview import overview
from flowbook.notebook.run_text import cancelled
from flowbook.report.phrases import shorten
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.flow_run.run import FlowRun
    from flowbook.notebook.notebook_flows import NotebookFlows
    from flowbook.notebook.panel_session import PanelSession

__all__ = ["LabRuns"]


class LabRuns:
    """The runs of a notebook and of its store.

    Args:
        flows: knows the notebook's own runs.
        session: returns a session, not yet started, that shows a run.
    """

    def __init__(self, flows: NotebookFlows, session: Callable[[FlowRun], PanelSession]) -> None:
        self._flows = flows
        self._session = session

    def attach(self, run: str) -> PanelSession:
        """Return a session, not yet started, for a run of this notebook or of any process.

        Args:
            run: its id, or as in `%flow show`: a flow, the beginning of an id, a number, "last".

        Raises:
            FlowbookError: if nobody knows the run.
        """
        try:
            return self._session(self._flows.run(run))
        except UnknownRunError:
            return self._session(self._flows.any_run(run))

    def overview(self) -> dict[str, Any]:
        """Return the runs for a side bar."""
        return overview(open_store())

    def act(self, run_id: str, action: str) -> str:
        """Decide about a run: "resume", "retry" or "cancel". Return a sentence on what follows.

        Raises:
            FlowbookError: if it can't be done.
        """
        run = self._flows.run(run_id)
        name = f"{run.flow_name}, run {run.number}"
        if action == "resume":
            run.resume(by=person())
            return f"{name} goes on."
        if action == "retry":
            run.retry(by=person())
            return f"{name}: what failed runs again."
        if action == "cancel":
            run.cancel(by=person())
            return cancelled(run)
        msg = f"There is no action {shorten(action, 40)!r} here. Reload the page, so that it and the kernel agree."
        raise RefusedError(msg)
