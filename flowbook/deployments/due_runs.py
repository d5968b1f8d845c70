"""Makes the runs of deployments: those that schedules ask for, and those that a person asks for. Loads no flow, runs nothing.

A run is made at rest, in state Scheduled; an agent starts it at its time. However many processes look at the same moment,
a time of a schedule gets one run.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowbook.core.flow_files import flow_in, split_location
from flowbook.core.typed_parameters import read_as_defaults
from flowbook.deployments.changes import cancel_waiting
from flowbook.deployments.due_times import due_times
from flowbook.deployments.schedule_settings import read_schedule
from flowbook.deployments.time_zones import in_reach
from flowbook.engine.state import Scheduled
from flowbook.exceptions import DeploymentError, ParameterError
from flowbook.flow_run.new_record import shown_value
from flowbook.store.deployments import SCHEDULE_ORIGIN
from flowbook.store.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.core.flow import Flow
    from flowbook.deployments.schedule import Schedule
    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["create_run", "flow_of", "make_runs", "schedule_due_runs", "settings_of_runs"]

#: How long before its time a run is made, so that it can be seen and be started in time.
AHEAD = dt.timedelta(seconds=10)
_WAITS = "Waits for its time."
#: How old a mark may be. What lies between it and the present is looked at again each time.
_MARK_AGE = dt.timedelta(hours=1)


def schedule_due_runs(
    store: Store, now: dt.datetime | None = None, ahead: dt.timedelta = AHEAD, deployment: str | None = None
) -> list[RunRecord]:
    """Make the runs that schedules ask for by now, and those that are due within `ahead`; return those made by this call.

    Any number of processes may call it at once and as often as they like.

    Args:
        store: has the deployments.
        now: aware; default: the present.
        ahead: how long before its time a run is made.
        deployment: id of the only one to look at; default: all.

    Raises:
        ScheduleError: if a schedule can't be read here, such as one in a time zone that this machine doesn't know.
        StoreError: if they can't be written.
    """
    now = store.now() if now is None else now.astimezone(dt.UTC)
    made: list[RunRecord] = []
    for each in store.deployments.scheduled():
        if deployment in {None, each.id}:
            made += _make_due(store, each, now, ahead)
    return made


def _is_one_late(store: Store, deployment: DeploymentRecord, schedule: Schedule, now: dt.datetime) -> bool:
    """Return whether a run of the schedule is late and waits to begin; of several, cancel all but the newest if one is enough."""
    late = [run_id for run_id, due in store.deployments.waiting_runs(deployment.id).items() if due <= now]
    if schedule.catch_up == "one":
        cancel_waiting(
            store, late[:-1], "A later run stands for it: it was late, and its schedule catches up with one."
        )
    return bool(late)


def make_runs(
    store: Store,
    deployment: DeploymentRecord,
    schedule: Schedule,
    mark: dt.datetime,
    span: tuple[dt.datetime, dt.timedelta],
) -> tuple[list[str], dt.datetime]:
    """Make the runs that a schedule asks for that isn't the deployment's own; return their ids, and its new mark.

    Args:
        store: has the deployment.
        deployment: whose runs they are.
        schedule: when they are due.
        mark: up to when earlier calls dealt with it.
        span: the present, and how long before its time a run is made.

    Raises:
        StoreError: if they can't be written.
    """
    now, ahead = span
    is_one_late = _is_one_late(store, deployment, schedule, now)
    found = due_times(schedule, mark, now, ahead, is_one_late=is_one_late)
    runs = [_run(deployment, due, now, SCHEDULE_ORIGIN) for due in found.times]
    made = [run for run in runs if store.runs.create_to_come(run, Scheduled(_WAITS, start_time=run.due)) is not None]
    return [run.run_id for run in made], found.mark


def _make_due(store: Store, deployment: DeploymentRecord, now: dt.datetime, ahead: dt.timedelta) -> list[RunRecord]:
    schedule = read_schedule(deployment.schedule)
    if schedule is None or (deployment.mark >= now + ahead and deployment.mark - now < dt.timedelta(days=1)):
        return []
    is_one_late = _is_one_late(store, deployment, schedule, now)
    found = due_times(schedule, deployment.mark, now, ahead, is_one_late=is_one_late)
    runs = [_run(deployment, due, now, SCHEDULE_ORIGIN) for due in found.times]
    if not runs and not is_one_late and abs(found.mark - deployment.mark) < _MARK_AGE:
        return []  # nothing happened: that isn't written down each time
    return store.deployments.make_due(
        deployment, found.mark, [(run, Scheduled(_WAITS, start_time=run.due)) for run in runs]
    )


def create_run(
    store: Store,
    deployment: DeploymentRecord,
    parameters: Mapping[str, object] | None = None,
    due: dt.datetime | None = None,
    run_id: str | None = None,
) -> RunRecord:
    """Make a run of a deployment; an agent starts it at its time.

    Args:
        store: has the deployment.
        deployment: whose flow runs, and where.
        parameters: values that this run has instead of the deployment's.
        due: aware; default: now.
        run_id: of the run; default: a new one.

    Raises:
        ParameterError: if the flow doesn't have or accept one of the parameters.
        DeploymentError: if its schedule has a run at that time already, or `due` has no time zone.
        StoreError: if it can't be written.
    """
    now = store.now()
    if due is not None and due.tzinfo is None:
        msg = f"due={due} has no time zone. Give an aware datetime, e.g. datetime.now(timezone.utc)."
        raise DeploymentError(msg, deployment=deployment.name, field="due")
    moment = now if due is None else in_reach(due)
    if moment is None:
        msg = f"due={due} is out of reach of the clock. Give a time between the years 2 and 9998."
        raise DeploymentError(msg, deployment=deployment.name, field="due")
    run = _run(deployment, moment, now, deployment.title)
    run = run if run_id is None else replace(run, run_id=run_id)
    if parameters:
        run = _with_parameters(store, deployment, run, parameters)
    found = store.runs.create_to_come(run, Scheduled(_WAITS, start_time=run.due))
    while found is None and due is None and run.due is not None:  # another run was asked for in the same microsecond
        run = replace(run, due=run.due + dt.timedelta(microseconds=1))
        found = store.runs.create_to_come(run, Scheduled(_WAITS, start_time=run.due))
    if found is None:
        msg = (
            f"Deployment {deployment.title!r} has a run at {run.due:%Y-%m-%d %H:%M:%S} UTC already. Give another time."
        )
        raise DeploymentError(msg, deployment=deployment.name, field="due")
    return found


def _run(deployment: DeploymentRecord, due: dt.datetime, now: dt.datetime, origin: str) -> RunRecord:
    return RunRecord(
        run_id=uuid.uuid4().hex,
        flow=deployment.flow,
        project=deployment.project,
        graph={**deployment.graph, "made_by": dict(deployment.made_by)},
        created=now,
        parameters=deployment.parameters,
        parameters_ref=deployment.parameters_ref,
        flow_ref=deployment.flow_ref,
        flow_unkept=deployment.flow_unkept,
        further=deployment.further,
        receivers=deployment.receivers,
        executor=deployment.executor,
        origin=origin,
        flow_runner=deployment.flow_runner,
        due=due,
        deployment=deployment.id,
        flow_location=deployment.flow_location,
    )


def _with_parameters(
    store: Store, deployment: DeploymentRecord, run: RunRecord, parameters: Mapping[str, object]
) -> RunRecord:
    """Return the run with these parameters, checked by its flow."""
    flow = flow_of(deployment)
    known = {each.name: each for each in flow.parameters()}
    given = read_as_defaults(known.values(), parameters)
    for name, value in given.items():
        if name not in known:
            msg = f"Flow {deployment.flow!r} has no parameter {name!r}. Its parameters: {', '.join(known) or 'none'}."
            raise ParameterError(msg, names=[name])
        known[name].accept(value)
    values = {**deployment.parameters_ref.load(), **given}
    shown = {**deployment.parameters, **{name: shown_value(value) for name, value in given.items()}}
    return replace(run, parameters=shown, parameters_ref=store.values.put(values))


def settings_of_runs(deployment: DeploymentRecord) -> dict[str, Any]:
    """Return the settings of the flow runner of a deployment's runs: they belong to its project, wherever they are started."""
    config = dict(deployment.flow_runner["config"])
    env = {"FLOWBOOK_PROJECT": deployment.project, **(config.get("env") or {})}
    return {"type": deployment.flow_runner["type"], "config": {**config, "env": env}}


def flow_of(deployment: DeploymentRecord) -> Flow:
    """Return the flow of a deployment, read from its file as that is now, or from the store.

    Raises:
        DefinitionError: if the file can't be run, or doesn't make it any more.
        ResultGoneError, UnpicklableError: if it can't be read from the store.
    """
    if deployment.flow_location is not None:
        return flow_in(*split_location(deployment.flow_location))
    assert deployment.flow_ref is not None  # noqa: S101  # a deployment has one or the other
    found: Flow = deployment.flow_ref.load()
    return found
