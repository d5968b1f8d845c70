"""`/api/flows`: the flows that have runs or deployments."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter
from starlette.responses import Response

from flowbook.api import wire
from flowbook.api.answers import PROBLEMS, StoreHere, answer
from flowbook.api.run_lines import run_line

__all__ = ["router"]

router = APIRouter(prefix="/api/flows", tags=["flows"], responses=PROBLEMS)


@router.get("", response_model=wire.FlowList)
def list_flows(store: StoreHere) -> Response:
    """List the flows, each with its newest run."""
    runs = {(project, flow): count for project, flow, count in store.runs.flow_counts()}
    deployed = Counter((each.project, each.flow) for each in store.deployments.list())
    found = []
    for project, flow in sorted({*runs, *deployed}):
        newest = store.runs.list(flow=flow, project=project, limit=1)
        found.append(
            wire.FlowLine(
                flow=flow,
                project=project,
                runs=runs.get((project, flow), 0),
                deployments=deployed[project, flow],
                last=run_line(newest[0]) if newest else None,
            )
        )
    return answer(wire.FlowList(flows=found))
