"""What an agent does at each poll besides starting runs: schedules, overdue tasks, containers, notices."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.agent.kept_containers import KeptContainers
from flowbook.agent.kept_jobs import KeptJobs
from flowbook.agent.news import News
from flowbook.deployments.due_runs import schedule_due_runs
from flowbook.engine.remote_error import error_line, safe_str
from flowbook.exceptions import FlowbookError, StoreError
from flowbook.flow_run.overdue import answer_overdue
from flowbook.flow_run.recorded_run import load_run
from flowbook.flow_run.recording import Recording
from flowbook.flow_runners import UniversalFlowRunner
from flowbook.notices.sender import send_pending
from flowbook.report.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.agent.news import Report
    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["OverdueTasks", "Schedules", "chores_of"]


def chores_of(store: Store, report: Report, ahead_s: float = 20.0) -> Sequence[Callable[[float], object]]:
    """Return the chores of an agent, each called with the time in seconds since the epoch.

    Args:
        store: with the runs.
        report: told what happens, from any thread.
        ahead_s: how long before their time the runs of schedules are made.
    """
    return (
        Schedules(store, report, ahead_s).make_due_runs,
        OverdueTasks(store, report).answer,
        KeptContainers(store, report).keep_again,
        KeptJobs(store, report).watch_again,
        lambda now: send_pending(store, now),
    )


#: How long after a run's overdue tasks couldn't be answered they are tried again.
_AGAIN_S = 60.0


class Schedules:
    """Makes the runs that schedules ask for.

    Args:
        store: with the deployments.
        report: told what happens.
        ahead_s: how long before its time a run is made.
    """

    def __init__(self, store: Store, report: Report, ahead_s: float) -> None:
        self._store = store
        self._report = report
        self._ahead = dt.timedelta(seconds=ahead_s)
        #: What went wrong with a deployment, by id, so that it is told once.
        self._told: dict[str, str] = {}

    def make_due_runs(self, now: float) -> None:
        """Make the runs that are due by `now`, in seconds since the epoch. Raises StoreError."""
        moment = dt.datetime.fromtimestamp(now, dt.UTC)
        try:
            schedule_due_runs(self._store, moment, self._ahead)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # one deployment can't be scheduled: that must not hold up the others
            for each in self._store.deployments.scheduled():
                self._make_due_runs_of(each, moment)

    def _make_due_runs_of(self, deployment: DeploymentRecord, moment: dt.datetime) -> None:
        try:
            schedule_due_runs(self._store, moment, self._ahead, deployment.id)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            if self._told.get(deployment.id) != safe_str(error):
                self._told[deployment.id] = safe_str(error)
                text = f"Deployment {deployment.title!r} can't be scheduled: {safe_str(error)}"
                self._report(News("trouble", text, flow=deployment.flow))


class OverdueTasks:
    """Answers tasks of runs at rest whose deadline has passed; each run goes on in a process of its own.

    Args:
        store: with the runs.
        report: told what happens, from any thread.
    """

    def __init__(self, store: Store, report: Report) -> None:
        self._store = store
        self._report = report
        #: Runs that are being answered. Changed by the agent's thread and by those of these runs, each for its own.
        self._under_way: set[str] = set()
        #: What went wrong with a run, so that it is told once, and when it is tried again (`time.monotonic`).
        self._told: dict[str, str] = {}
        self._next_try: dict[str, float] = {}

    def answer(self, now: float) -> None:
        """Begin to answer what is overdue at `now`, in seconds since the epoch. Raises StoreError."""
        answer_overdue(self._store, now, lambda run_id: self._begin(run_id, now))

    def _begin(self, run_id: str, now: float) -> None:
        if run_id not in self._under_way and time.monotonic() >= self._next_try.get(run_id, 0.0):
            self._under_way.add(run_id)
            threads.spawn(self._answer, run_id, now, name=f"overdue-{run_id[:8]}", owner=self)

    def _answer(self, run_id: str, now: float) -> None:
        try:
            recording = Recording.of(self._store, run_id)
            run = load_run(recording, flow_runner=UniversalFlowRunner())
            keys = run.answer_overdue(now)
        except FlowbookError as error:
            self._tell_trouble(run_id, str(error))
        except Exception as error:  # noqa: BLE001  # the flow is the user's, and the agent goes on
            self._tell_trouble(run_id, error_line(error))
        else:
            self._told.pop(run_id, None)
            if keys:
                text = f"{run.flow_name} run {run.number} goes on: nobody answered {listed(keys)} in time"
                self._report(News("answered", text, run_id, run.flow_name, run.number))
        finally:
            self._under_way.discard(run_id)

    def _tell_trouble(self, run_id: str, text: str) -> None:
        self._next_try[run_id] = time.monotonic() + _AGAIN_S
        if self._told.get(run_id) != text:
            self._told[run_id] = text
            self._report(News("trouble", f"Overdue tasks of run {run_id} can't be answered: {text}", run_id))
