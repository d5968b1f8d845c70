"""Pauses, resumes and deletes deployments, and cancels runs of their schedules that haven't begun. Loads no flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Cancelled
from flowbook.exceptions import RunClaimedError
from flowbook.flow_run.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["cancel_waiting", "delete_deployment", "pause_deployment", "resume_deployment"]


def delete_deployment(store: Store, deployment: DeploymentRecord) -> list[str]:
    """Delete a deployment; return the ids of the runs that its schedule made and that are cancelled now.

    Raises:
        UnknownDeploymentError: if it is gone already.
        StoreError: if it can't be written.
    """
    store.deployments.delete(deployment.id)
    return cancel_waiting(store, store.deployments.waiting_runs(deployment.id), "Its deployment was deleted.")


def pause_deployment(store: Store, deployment: DeploymentRecord) -> DeploymentRecord:
    """Pause a deployment's schedule, and cancel the runs that it made ahead of their time. Raises as above."""
    paused = store.deployments.pause(deployment.id)
    now = store.now()
    ahead = [run_id for run_id, due in store.deployments.waiting_runs(deployment.id).items() if due > now]
    cancel_waiting(store, ahead, "The schedule was paused.")
    return paused


def resume_deployment(store: Store, deployment: DeploymentRecord) -> DeploymentRecord:
    """Let a deployment's schedule go on from now. Raises as above."""
    return store.deployments.pause(deployment.id, paused=False)


def cancel_waiting(store: Store, run_ids: Iterable[str], why: str) -> list[str]:
    """Cancel runs that wait for their time; leave alone what somebody has begun to start. Return the ids of the cancelled."""
    return [run_id for run_id in run_ids if _cancel(Recording.of(store, run_id), why)]


def _cancel(recording: Recording, why: str) -> bool:
    snapshot = recording.snapshot()
    if snapshot.is_owned or snapshot.state != "Scheduled":
        return False
    recording.mark_read(snapshot)
    try:
        recording.claim("")
    except RunClaimedError:
        return False
    state = Cancelled(why)
    recording.emit(StateChanged(snapshot.last_seq + 1, FLOW, state))
    recording.finish(state)
    return True
