"""`/api/deployments`: created, listed, shown, paused, resumed, run and deleted. No flow is loaded here."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from flowbook.api import wire
from flowbook.api.answers import PROBLEMS, StoreHere, answer
from flowbook.api.deployment_process import create_in_process
from flowbook.api.run_lines import run_line
from flowbook.deployments.changes import delete_deployment, pause_deployment, resume_deployment
from flowbook.deployments.deployment_names import find_deployment
from flowbook.deployments.outlook import next_due, runs_in, shown_settings
from flowbook.deployments.plain_runs import create_plain_run
from flowbook.deployments.schedule_settings import read_schedule
from flowbook.exceptions import DefinitionError
from flowbook.report.secret_names import shown_parameters

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["router"]

router = APIRouter(prefix="/api/deployments", tags=["deployments"], responses=PROBLEMS)

_LAST_RUNS = 5


@router.get("", response_model=wire.DeploymentList)
def list_deployments(
    store: StoreHere, flow: Annotated[str | None, Query(min_length=1, max_length=1000)] = None
) -> Response:
    """List the deployments, and when each runs next."""
    now = dt.datetime.now(dt.UTC)
    found = [wire.DeploymentLine(**_fields(each, now)) for each in store.deployments.list(flow)]
    return answer(wire.DeploymentList(deployments=found))


@router.post("", response_model=wire.DeploymentLine, status_code=HTTPStatus.CREATED)
def create(store: StoreHere, given: wire.DeploymentSpecification) -> Response:
    """Create a deployment of a flow in a Python file on the server's machine, or change the one of that name.

    The file runs in a process of its own, not in the server.
    """
    made = create_in_process(store, given.model_dump(exclude_none=True, exclude_defaults=True))
    return answer(_line(find_deployment(store, made)), HTTPStatus.CREATED)


@router.get("/{deployment}", response_model=wire.DeploymentRuns)
def get(store: StoreHere, deployment: str) -> Response:
    """Show a deployment with its last runs: by its id or the beginning of it, or by its name."""
    found = find_deployment(store, deployment)
    runs = [run_line(each) for each in reversed(store.runs.of_deployment(found.id, _LAST_RUNS))]
    return answer(wire.DeploymentRuns(**_fields(found, dt.datetime.now(dt.UTC)), runs=runs))


@router.delete("/{deployment}", response_model=wire.Deleted)
def delete(store: StoreHere, deployment: str) -> Response:
    """Delete a deployment; its runs stay, and those that its schedule made ahead of their time are cancelled."""
    found = find_deployment(store, deployment)
    return answer(wire.Deleted(id=found.id, cancelled=delete_deployment(store, found)))


@router.post("/{deployment}/run", response_model=wire.RunLine, status_code=HTTPStatus.CREATED)
def run(store: StoreHere, deployment: str, new: wire.NewRunOfDeployment) -> Response:
    """Make a run of a deployment; an agent starts it at its time."""
    made = create_plain_run(store, find_deployment(store, deployment), new.parameters, new.due, new.run_id)
    return answer(run_line(store.runs.summary(made.run_id)), HTTPStatus.CREATED)


@router.post("/{deployment}/pause", response_model=wire.DeploymentLine)
def pause(store: StoreHere, deployment: str) -> Response:
    """Pause a deployment's schedule, and cancel the runs that it made ahead of their time."""
    return answer(_line(pause_deployment(store, _scheduled(store, deployment))))


@router.post("/{deployment}/resume", response_model=wire.DeploymentLine)
def resume(store: StoreHere, deployment: str) -> Response:
    """Let a deployment's schedule go on from now; what has passed is left out."""
    return answer(_line(resume_deployment(store, _scheduled(store, deployment))))


def _scheduled(store: Store, name: str) -> DeploymentRecord:
    found = find_deployment(store, name)
    if found.schedule is None:
        msg = f"{found.title} has no schedule to pause or resume. It runs when somebody runs it."
        raise DefinitionError(msg, deployment=found.title, field="deployment")
    return found


def _line(found: DeploymentRecord) -> wire.DeploymentLine:
    return wire.DeploymentLine(**_fields(found, dt.datetime.now(dt.UTC)))


def _fields(found: DeploymentRecord, now: dt.datetime) -> dict[str, Any]:
    schedule = read_schedule(found.schedule)
    same = ("id", "name", "flow", "title", "flow_location", "schedule", "created", "updated")
    return {
        **{name: getattr(found, name) for name in same},
        "when": "" if schedule is None else schedule.describe(),
        "next": next_due(found, now),
        "paused": found.is_paused,
        "runs_in": runs_in(found.flow_runner),
        "parameters": shown_parameters(found.parameters),
        "tags": list(found.tags),
        "flow_runner": shown_settings(found.flow_runner),
        "made_by": dict(found.made_by),
    }
