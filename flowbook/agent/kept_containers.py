"""Finds containers of runs whose keeper has died, with an agent or with the machine, and has each kept again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.agent.news import News
from flowbook.engine.remote_error import safe_str
from flowbook.exceptions import FlowbookError
from flowbook.flow_run.ports import RunToStart
from flowbook.flow_runners.kept_container import containers_of_runs, keep_again, unkept_marks

if TYPE_CHECKING:
    from flowbook.agent.news import Report
    from flowbook.flow_runners.docker_engine import FoundContainer
    from flowbook.store import Store
    from flowbook.store.records import RunSummary

__all__ = ["KeptContainers"]


class KeptContainers:
    """Has containers kept again: their output goes on to the log file, and their end is recorded. For one thread.

    Args:
        store: with the runs.
        report: told what happens, from any thread.
    """

    def __init__(self, store: Store, report: Report) -> None:
        self._store = store
        self._report = report

    def keep_again(self, now: float) -> None:
        """Start a keeper on each container that has lost its own. Raises FlowRunnerError: if no engine tells of them."""
        del now
        marks = unkept_marks()
        if not marks:
            return  # the engine is asked only where something is to be found
        known = {found.short_id: found for found in containers_of_runs()}
        for mark in marks:
            found = known.get(mark.container)
            if found is None:
                mark.remove()  # it was removed; that its run has lost its process is noticed as of any other
            else:
                threads.spawn(self._keep, found, name=f"container-{found.short_id}", owner=self)

    def _keep(self, container: FoundContainer) -> None:
        """Keep one container to its end."""
        try:
            summary = self._store.runs.summary(container.run_id)
            run = RunToStart(container.run_id, summary.flow, summary.number, container.epoch)
            keep_again(run, container, lambda identifier: self._note(run, container, identifier))
            self._tell_end(self._store.runs.summary(run.run_id), summary)
        except FlowbookError as error:
            text = f"The container {container.name} can't be kept again: {safe_str(error)}"
            self._report(News("trouble", text, container.run_id))

    def _note(self, run: RunToStart, container: FoundContainer, identifier: str) -> None:
        self._store.ownership.set_identifier(run.run_id, run.epoch, identifier)
        if not container.is_over:
            text = f"{run.flow_name} run {run.number} goes on in container {container.name}, which is watched again"
            self._report(News("started", text, run.run_id, run.flow_name, run.number))

    def _tell_end(self, now: RunSummary, before: RunSummary) -> None:
        if now.state == "Crashed" != before.state:
            why = (now.message or "").partition("\n")[0]
            text = f"{now.flow} run {now.number} is crashed: {why}"
            self._report(News("crashed", text, now.run_id, now.flow, now.number, now.state))
