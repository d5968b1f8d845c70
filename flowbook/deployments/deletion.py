"""Deletes a deployment; its runs stay, but those that its schedule made ahead, and that haven't begun, are cancelled."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from flowbook.exceptions import FlowbookError
from flowbook.flow_run.recorded_run import load_run
from flowbook.flow_run.recording import Recording
from flowbook.store.deployments import SCHEDULE_ORIGIN

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["cancel_made_ahead", "delete_deployment"]


def delete_deployment(store: Store, deployment: DeploymentRecord, by: str = "") -> list[str]:
    """Delete a deployment; return the ids of the runs that were cancelled. Raises UnknownDeploymentError, StoreError."""
    store.deployments.delete(deployment.id)
    return cancel_made_ahead(store, deployment, by, "Its deployment was deleted.")


def cancel_made_ahead(store: Store, deployment: DeploymentRecord, by: str, note: str) -> list[str]:
    """Cancel the runs that a deployment's schedule made and that haven't begun; return their ids. Raises StoreError."""
    cancelled = []
    for run in store.runs.of_deployment(deployment.id, None):
        if run.state == "Scheduled" and run.origin == SCHEDULE_ORIGIN:
            with contextlib.suppress(FlowbookError):  # an agent was quicker
                load_run(Recording.of(store, run.run_id)).cancel(by=by, note=note)
                cancelled.append(run.run_id)
    return cancelled
