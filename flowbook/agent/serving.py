"""`flowbook.serve`: runs a flow on a schedule for as long as this process lives, without an agent or a terminal.

The schedule is this process's own: the store knows the deployment without it, so that nobody goes on with it afterwards.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import platform
import threading
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.agent.agent import Agent, AgentSettings
from flowbook.agent.chores import OverdueTasks
from flowbook.deployments.changes import cancel_waiting
from flowbook.deployments.creation import create_deployments
from flowbook.deployments.deployment_spec import DeploymentSpec
from flowbook.deployments.due_runs import make_runs
from flowbook.deployments.outlook import due_text
from flowbook.deployments.schedule_settings import read_schedule
from flowbook.deployments.schedule_text import schedule_of
from flowbook.exceptions import FlowbookError, ScheduleError
from flowbook.notices.sender import send_pending
from flowbook.store import open_store

if TYPE_CHECKING:
    from flowbook.agent.news import News
    from flowbook.core.flow import Flow
    from flowbook.deployments.schedule import CatchUp, Schedule
    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["Served", "serve"]

_LIMIT = 4
_LOOK_S = 0.5
#: How many of the runs that it made may still wait, more than enough.
_REMEMBERED = 1000
#: How often it looks, and how long before its time a run is made: what is made is left over if this process is killed.
_POLL_S, _AHEAD = 1.0, dt.timedelta(seconds=2)
_log = logging.getLogger("flowbook.agent")
#: What this process serves, by the deployment's id: a cell that is run again replaces what it served.
_served: dict[str, Served] = {}


class Served:
    """A flow that this process serves. From any thread.

    Attributes:
        deployment: of which the runs are.
        schedule: when they are due.
    """

    def __init__(self, store: Store, deployment: DeploymentRecord, schedule: Schedule, limit: int) -> None:
        self.deployment = deployment
        self.schedule = schedule
        self._store = store
        self._mark = store.now()
        name = f"{platform.node()}:{os.getpid()}"
        settings = AgentSettings(name, limit, _AHEAD.total_seconds(), _POLL_S, deployment.id)
        overdue = OverdueTasks(store, _tell).answer
        chores = (self._make_due, overdue, lambda now: send_pending(store, now))
        self._agent = Agent(store, settings, _tell, chores=chores)
        self._is_over = threading.Event()
        #: The runs that it made. Used by its own thread only.
        self._made: list[str] = []
        threads.spawn(self._work, name=f"serve-{deployment.id[:8]}", owner=self)

    def next(self) -> dt.datetime | None:
        """Return when the next run is due, aware UTC; None if there is none, or this was stopped."""
        return None if self._agent.is_draining else self.schedule.next(self._store.now())

    def stop(self) -> None:
        """Make and start no more runs; return at once. The second time, end the processes of those that run."""
        self._agent.stop()

    def wait(self) -> None:
        """Wait until this was stopped and its runs have ended. Ctrl-C stops it, a second one ends its runs."""
        while not self._is_over.is_set():
            try:
                # Not `Thread.join`: interrupted, it takes the thread for ended (Python 3.11).
                self._is_over.wait(_LOOK_S)
            except KeyboardInterrupt:
                self.stop()

    def _work(self) -> None:
        try:
            self._agent.run()
            with contextlib.suppress(FlowbookError):  # the store is gone, and they with it
                waiting = self._store.deployments.waiting_runs(self.deployment.id)
                mine = [run_id for run_id in self._made if run_id in waiting]
                cancel_waiting(self._store, mine, "It is served no more.")
        finally:
            self._is_over.set()

    def _make_due(self, now: float) -> None:
        span = dt.datetime.fromtimestamp(now, dt.UTC), _AHEAD
        made, self._mark = make_runs(self._store, self.deployment, self.schedule, self._mark, span)
        self._made = [*self._made[-_REMEMBERED:], *made]

    def __repr__(self) -> str:
        now = self._store.now()
        if self._agent.is_draining:
            return f"{self.deployment.title} was served until it was stopped."
        due = self.schedule.next(now)
        then = "it is over" if due is None else f"next: {due_text(due, now, self.schedule.timezone)}"
        return f"{self.deployment.title} runs {self.schedule.describe()}; {then}. It ends with this process, or with stop()."


def serve(  # noqa: PLR0913  # the names promised to users
    flow: Flow,
    schedule: object,
    *,
    timezone: str = "UTC",
    catch_up: CatchUp = "one",
    name: str = "served",
    parameters: dict[str, object] | None = None,
    flow_runner: object = None,
    limit: int = _LIMIT,
    **fields: object,
) -> Served:
    """Run a flow on a schedule for as long as this process lives: `flowbook.serve(delays, "0 6 * * *")`.

    Each run has a process of its own, and outlives this one. A script calls `.wait()`; a notebook goes on at once. Serving a
    flow under the same name again, as a cell does that is run again, replaces the earlier schedule.

    Args:
        flow: kept by value, as it is now.
        schedule: a text ("0 6 * * *", "every 2 hours", "FREQ=WEEKLY;BYDAY=MO"), a timedelta, or a schedule.
        timezone: whose clock a text means.
        catch_up: what becomes of times that this machine slept over: "one" run for all of them, or "all".
        name: of the deployment that the runs are of.
        parameters: values by name for each run.
        flow_runner: where the process of a run lives; default: a process of this machine.
        limit: how many of its runs may go on at once.
        fields: further ones of `DeploymentSpec`: `tags`, `notify`.

    Raises:
        DefinitionError: if an argument isn't what it should be, or the flow can't be kept by value.
        StoreError: if the store can't be written to.
    """
    wanted = schedule_of(schedule, timezone, catch_up) if isinstance(schedule, str) else read_schedule(schedule)
    if wanted is None:
        msg = "There is no schedule. Give e.g. flowbook.serve(flow, '0 6 * * *'), or call flow.run() to run it once."
        raise ScheduleError(msg, schedule=None)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        msg = f"limit={limit!r} isn't a number of runs. Give 1 or more."
        raise ScheduleError(msg, limit=repr(limit))
    spec = DeploymentSpec(name, flow, parameters=parameters, flow_runner=flow_runner, **fields)  # type: ignore[arg-type]  # checked there
    store = open_store()
    (made,) = create_deployments(store, [spec])
    if (earlier := _served.pop(made.id, None)) is not None:
        earlier.stop()
    _served[made.id] = Served(store, made, wanted, limit)
    return _served[made.id]


def _tell(news: News) -> None:
    _log.info("%s", news.text)
