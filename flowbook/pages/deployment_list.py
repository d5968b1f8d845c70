"""The deployments as a page shows them, and what a person decides about one: pause, go on, run now. Loads no flow."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook.deployments.changes import pause_deployment, resume_deployment
from flowbook.deployments.due_runs import create_run, settings_of_runs
from flowbook.deployments.outlook import runs_in
from flowbook.deployments.schedule_settings import read_schedule
from flowbook.exceptions import FlowbookError, RunClaimedError
from flowbook.flow_run.flow_runner_of import flow_runner_of
from flowbook.flow_run.submission import Submission, claim_for_process
from flowbook.notebook.command_worker import RefusedError
from flowbook.report.parameter_text import parameter_text
from flowbook.report.phrases import shorten
from flowbook.report.secret_names import shown_parameters
from flowbook.store.process_identity import shown_state

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["act_on_deployment", "deployment_rows"]

_MOST_TIMES, _LAST_RUNS = 5, 1


def deployment_rows(store: Store, now: dt.datetime | None = None) -> dict[str, Any]:
    """Return all deployments with their next times and their last run, as on the wire."""
    moment = now or dt.datetime.now(dt.UTC)
    rows = [_row(store, each, moment) for each in store.deployments.list()]
    return {"now": moment.timestamp(), "deployments": rows}


def act_on_deployment(store: Store, deployment_id: str, action: str) -> tuple[str, str | None]:
    """Carry out "pause", "go-on" or "run"; return a sentence, and the id of the run that was made.

    Raises:
        FlowbookError: if it can't be done.
    """
    found = store.deployments.get(deployment_id)
    if action == "pause":
        pause_deployment(store, found)
        return f"{found.title} is paused: its schedule makes no runs.", None
    if action == "go-on":
        resume_deployment(store, found)
        return f"{found.title} goes on with its schedule.", None
    if action == "run":
        return _run_now(store, found)
    msg = f"There is no action {shorten(action, 40)!r} here. Reload the page, so that it and the server agree."
    raise RefusedError(msg)


def _run_now(store: Store, found: DeploymentRecord) -> tuple[str, str]:
    """Make a run, and start its process here, unless an agent is quicker."""
    settings = settings_of_runs(found)
    kind = "subprocess" if settings["type"] == "universal" else settings["type"]
    runner = flow_runner_of({"type": kind, "config": {**settings["config"], "stream_output": False}})
    made = create_run(store, found)
    try:
        recording = claim_for_process(store, made.run_id)
    except RunClaimedError:
        return f"{found.title}: an agent starts run {made.number}.", made.run_id
    Submission(recording, runner).start()
    return f"{found.title}: run {made.number} is started.", made.run_id


def _row(store: Store, found: DeploymentRecord, now: dt.datetime) -> dict[str, Any]:
    runs = store.runs.of_deployment(found.id, _LAST_RUNS)
    last = runs[-1] if runs else None
    return {
        "id": found.id,
        "flow": found.flow,
        "name": found.name,
        "when": _when(found),
        "paused": found.is_paused,
        "scheduled": found.schedule is not None,
        "next": _next_times(found, now),
        "where": runs_in(found.flow_runner),
        "tags": list(found.tags),
        "parameters": {name: parameter_text(value) for name, value in shown_parameters(found.parameters).items()},
        "last": None if last is None else {"id": last.run_id, "number": last.number, "state": shown_state(last)},
    }


def _when(found: DeploymentRecord) -> str:
    try:
        schedule = read_schedule(found.schedule)
    except FlowbookError as error:
        return str(error)
    return "when somebody runs it" if schedule is None else schedule.describe()


def _next_times(found: DeploymentRecord, now: dt.datetime) -> list[float]:
    """Return the next times, in seconds since the epoch; none of a schedule that is paused or over."""
    try:
        schedule = read_schedule(found.schedule)
        times: list[float] = []
        moment = now
        while schedule is not None and not found.is_paused and len(times) < _MOST_TIMES:
            due = schedule.next(moment)
            if due is None:
                break
            times.append(due.timestamp())
            moment = due
    except FlowbookError:
        return []
    return times
