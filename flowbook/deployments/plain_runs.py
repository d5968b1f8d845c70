"""Makes a run of a deployment with other parameters, without loading the flow or unpickling a value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowbook.deployments.due_runs import create_run
from flowbook.exceptions import DeploymentError, ParameterError, RunClaimedError, StoreError, UnknownRunError
from flowbook.flow_run.new_record import shown_value
from flowbook.flow_run.plain_values import plain_value

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord
    from flowbook.store.records import RunRecord

__all__ = ["create_plain_run"]


def create_plain_run(
    store: Store,
    deployment: DeploymentRecord,
    parameters: Mapping[str, object],
    due: dt.datetime | None = None,
    run_id: str | None = None,
) -> RunRecord:
    """Make a run of a deployment; an agent starts it at its time.

    The names of parameters are checked here, against the flow as it was deployed; their values by the flow, when it runs.

    Args:
        store: has the deployment.
        deployment: whose flow runs, and where.
        parameters: plain data that this run has instead of the deployment's.
        due: aware; default: now.
        run_id: of the run; if the deployment has a run of that id already, that is returned, and none is made.

    Raises:
        ParameterError: if the flow doesn't have one of the parameters.
        DeploymentError: if its schedule has a run at that time already, or its other parameters aren't plain data.
        RunClaimedError: if there is another run of that id.
        StoreError: if it can't be written.
    """
    if run_id is not None and (made := _made(store, deployment, run_id)) is not None:
        return made
    changed = _with_parameters(store, deployment, parameters) if parameters else deployment
    try:
        return create_run(store, changed, None, due, run_id)
    except StoreError:  # maybe because somebody else made it at this moment
        if run_id is None or (made := _made(store, deployment, run_id)) is None:
            raise
        return made


def _made(store: Store, deployment: DeploymentRecord, run_id: str) -> RunRecord | None:
    """Return the run of that id; None if there is none."""
    try:
        found = store.runs.get(run_id)
    except UnknownRunError:
        return None
    if found.deployment == deployment.id:
        return found
    msg = f"There is another run {run_id!r}: one of flow {found.flow!r}. Give each run an id of its own."
    raise RunClaimedError(msg, run_id=run_id, field="run_id")


def _with_parameters(store: Store, deployment: DeploymentRecord, parameters: Mapping[str, object]) -> DeploymentRecord:
    """Return the deployment with these parameters. Raises as above."""
    known = [task["key"] for task in deployment.graph.get("tasks", ()) if task.get("parameter")]
    if unknown := [name for name in parameters if name not in known]:
        names = ", ".join(known) or "none"
        msg = f"Flow {deployment.flow!r} has no parameter {unknown[0]!r}. Its parameters: {names}."
        raise ParameterError(msg, names=unknown, field=f"parameters.{unknown[0]}")
    return replace(
        deployment,
        parameters={**deployment.parameters, **{name: shown_value(value) for name, value in parameters.items()}},
        parameters_ref=store.values.put({**_own(deployment), **parameters}),
    )


def _own(deployment: DeploymentRecord) -> dict[str, object]:
    """Return the deployment's parameters. Raises DeploymentError: if they are a pickle, which may run code."""
    found = plain_value(deployment.parameters_ref)
    if isinstance(found, dict):
        return found
    msg = (
        f"{deployment.title} has parameters that aren't plain data, which this server doesn't load. "
        f"Make the run on the deployment's machine: flowbook deployment run {deployment.title} --param NAME=VALUE"
    )
    raise DeploymentError(msg, deployment=deployment.name, field="parameters")
