"""What pages do with runs besides showing a panel of a cell: attach to one, list them, decide about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.exceptions import UnknownRunError
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.frontend import person
from flowbook.notebook.panel_actions import Decided
from flowbook.notebook.run_overview import overview
from flowbook.notebook.run_text import cancelled
from flowbook.report.phrases import shorten
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.flow_run.run import FlowRun
    from flowbook.notebook.loop import Loop
    from flowbook.notebook.notebook_flows import NotebookFlows
    from flowbook.notebook.panel_session import PanelSession

__all__ = ["LabRuns"]

_ANSWERS = frozenset({"resume", "skip", "reject"})


class LabRuns:
    """The runs of a notebook and of its store.

    Args:
        flows: knows the notebook's own runs.
        loop: goes on with runs by the definitions of the moment.
        session: returns a session, not yet started, that shows a run.
    """

    def __init__(self, flows: NotebookFlows, loop: Loop, session: Callable[[FlowRun], PanelSession]) -> None:
        self._flows = flows
        self._loop = loop
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

    def act(self, run_id: str, action: str, note: str = "") -> str:
        """Decide about a run: "resume", "skip", "reject", "retry", "cancel" or "cancel-now". Return a sentence on what follows.

        A run of this notebook goes on with the definitions of the moment, any other as it was recorded.

        Raises:
            FlowbookError: if it can't be done.
        """
        run, as_recorded = self._flows.run(run_id), not self._flows.has_run(run_id)
        if action == "retry":
            return self._loop.retry(run, note, as_recorded=as_recorded).text
        if action in {"cancel", "cancel-now"}:
            now = action == "cancel-now"
            run.cancel(by=person(), note=note, now=now)
            return cancelled(run, now=now)
        if action == "reject" and not note:
            msg = "Write a note first: it becomes the message of the failure."
            raise RefusedError(msg)
        if action in _ANSWERS:
            return self._loop.answer(run, Decided(action, note=note), as_recorded=as_recorded).text  # type: ignore[arg-type]  # one of the three
        msg = f"There is no action {shorten(action, 40)!r} here. Reload the page, so that it and the kernel agree."
        raise RefusedError(msg)
