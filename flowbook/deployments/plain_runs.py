"""Makes a run of a deployment with other parameters, without loading the flow or unpickling a value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowbook.deployments.due_runs import create_run
from flowbook.exceptions import DeploymentError, ParameterError
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
    store: Store, deployment: DeploymentRecord, parameters: Mapping[str, object], due: dt.datetime | None = None
) -> RunRecord:
    """Make a run of a deployment; an agent starts it at its time.

    The names of parameters are checked here, against the flow as it was deployed; their values by the flow, when it runs.

    Args:
        store: has the deployment.
        deployment: whose flow runs, and where.
        parameters: plain data that this run has instead of the deployment's.
        due: aware; default: now.

    Raises:
        ParameterError: if the flow doesn't have one of the parameters.
        DeploymentError: if its schedule has a run at that time already, or its other parameters aren't plain data.
        StoreError: if it can't be written.
    """
    if not parameters:
        return create_run(store, deployment, None, due)
    known = [task["key"] for task in deployment.graph.get("tasks", ()) if task.get("parameter")]
    if unknown := [name for name in parameters if name not in known]:
        names = ", ".join(known) or "none"
        msg = f"Flow {deployment.flow!r} has no parameter {unknown[0]!r}. Its parameters: {names}."
        raise ParameterError(msg, names=unknown, field=f"parameters.{unknown[0]}")
    changed = replace(
        deployment,
        parameters={**deployment.parameters, **{name: shown_value(value) for name, value in parameters.items()}},
        parameters_ref=store.values.put({**_own(deployment), **parameters}),
    )
    return create_run(store, changed, None, due)


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
