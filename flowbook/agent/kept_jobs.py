"""Finds the Jobs of runs whose watcher has died, with an agent or a kernel, and watches each again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.agent.news import News
from flowbook.engine.remote_error import safe_str
from flowbook.exceptions import FlowbookError
from flowbook.flow_run.process_end import record_process_end
from flowbook.flow_runners.job_mark import JobMark, unwatched_jobs
from flowbook.flow_runners.kubernetes_flow_runner import KubernetesFlowRunner

if TYPE_CHECKING:
    from flowbook.agent.news import Report
    from flowbook.flow_runners.job_mark import WatchedJob
    from flowbook.store import Store

__all__ = ["KeptJobs"]


class KeptJobs:
    """Watches Jobs again: their output goes on to the log file, and their end is recorded. For one thread.

    Args:
        store: with the runs.
        report: told what happens, from any thread.
    """

    def __init__(self, store: Store, report: Report) -> None:
        self._store = store
        self._report = report

    def watch_again(self, now: float) -> None:
        """Watch each Job that has lost its watcher, in a thread; its run has an owner again at once."""
        del now
        for made in unwatched_jobs():
            flow_runner = KubernetesFlowRunner(**made.config)
            try:
                mark = JobMark(made)
            except BlockingIOError:
                continue  # another agent was quicker
            self._store.ownership.set_identifier(made.run_id, made.epoch, flow_runner.identifier_of(made))
            threads.spawn(self._watch, flow_runner, mark, name=f"job-{made.name}", owner=self)

    def _watch(self, flow_runner: KubernetesFlowRunner, mark: JobMark) -> None:
        made = mark.job
        self._tell("started", made, f"goes on in Job {made.name}, which is watched again")
        try:
            outcome = flow_runner.watch_again(mark)
            if outcome is not None and record_process_end(self._store, made.run_id, made.epoch, outcome):
                self._tell("crashed", made, f"is crashed: {outcome.how or outcome.exit_code}", "Crashed")
        except FlowbookError as error:
            self._tell("trouble", made, f"can't be watched again: {safe_str(error)}")

    def _tell(self, what: str, made: WatchedJob, text: str, state: str | None = None) -> None:
        sentence = f"{made.flow_name} run {made.number} {text}"
        self._report(News(what, sentence, made.run_id, made.flow_name, made.number, state))
