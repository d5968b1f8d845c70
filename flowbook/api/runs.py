"""`/api/runs`: the recorded runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from flowbook.api.answers import StoreHere, answer
from flowbook.api.wire import RunLine, RunPage
from flowbook.flow_run.run_names import find_run_id
from flowbook.store.process_identity import effective_state_of

if TYPE_CHECKING:
    from flowbook.store import RunSummary

__all__ = ["line", "router"]

router = APIRouter(prefix="/api/runs", tags=["runs"])

_LISTED, _MOST = 50, 1000
Name = Annotated[str, Query(min_length=1, max_length=500)]


@router.get("", response_model=RunPage)
def list_runs(
    store: StoreHere,
    flow: Name | None = None,
    state: Name | None = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _LISTED,
) -> Response:
    """List the runs, the newest first."""
    found = store.runs.list(flow=flow, state=state, limit=limit)
    return answer(RunPage(runs=[line(each) for each in reversed(found)], next=None))


@router.get("/{run_id}", response_model=RunLine)
def get_run(store: StoreHere, run_id: str) -> Response:
    """Return one run."""
    return answer(line(store.runs.summary(find_run_id(store, run_id))))


def line(summary: RunSummary) -> RunLine:
    """Return what a list shows of a run."""
    return RunLine(
        run_id=summary.run_id,
        flow=summary.flow,
        number=summary.number,
        state=effective_state_of(summary) or "Pending",
        message=summary.message,
        created=summary.created,
        started=summary.started,
        ended=summary.ended,
        due=summary.due,
        seconds=None if summary.took_s is None else round(summary.took_s, 3),
        tasks=dict(summary.counts),
        parameters=dict(summary.parameters),
        executor=summary.executor,
        origin=summary.origin,
        owner=summary.owner,
        project=summary.project,
        deployment=summary.deployment,
    )
