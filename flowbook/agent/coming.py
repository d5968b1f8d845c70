"""What is due next: runs that wait for their time, and the next times of schedules whose runs aren't made yet."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flowbook.deployments.outlook import next_due
from flowbook.exceptions import FlowbookError

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["coming"]


def coming(store: Store, now: float, limit: int) -> list[tuple[str, float]]:
    """Return what is due next and when, in seconds since the epoch, soonest first.

    Raises:
        StoreError: if the store can't be read.
    """
    runs = store.runs.coming(now, limit)
    found = [(f"{flow}  run {number}", due) for _, flow, number, due in runs]
    latest = max((due for *_, due in runs), default=now)
    for deployment in store.deployments.scheduled():
        due = _next_due(deployment, max(now, min(latest, deployment.mark.timestamp())))
        if due is not None:
            found.append((deployment.title, due))
    return sorted(found, key=lambda each: (each[1], each[0]))[:limit]


def _next_due(deployment: DeploymentRecord, after: float) -> float | None:
    try:
        due = next_due(deployment, dt.datetime.fromtimestamp(after, dt.UTC))
    except FlowbookError:
        return None  # the agent says what is wrong with it
    return None if due is None else due.timestamp()
