"""`/api/runs/{run}/cancel|resume|skip|reject|retry`: what people decide about a run, wherever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from flowbook.api import wire
from flowbook.api.answers import PROBLEMS, StoreHere, answer
from flowbook.api.run_lines import run_line
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.recorded_decision import decide_recorded, inputs_of_json
from flowbook.flow_run.run_names import find_run_id

if TYPE_CHECKING:
    from flowbook.store import Store

__all__ = ["router"]

router = APIRouter(prefix="/api/runs/{run_id}", tags=["decisions"], responses=PROBLEMS)


@router.post("/cancel", response_model=wire.RunLine)
def cancel(store: StoreHere, run_id: str, given: wire.Cancel) -> Response:
    """Start no more tasks of a run; with `now`, stop those that run, too. A run that is over stays as it is."""
    return _decide(store, run_id, Decision("cancel_now" if given.now else "cancel", by=given.by, note=given.note))


@router.post("/resume", response_model=wire.RunLine)
def resume(store: StoreHere, run_id: str, given: wire.Resume) -> Response:
    """Let tasks that wait go on, or a run that was cancelled or crashed; maybe with changed inputs of one task."""
    inputs = inputs_of_json(store, find_run_id(store, run_id), given.tasks, given.inputs)
    return _decide(store, run_id, Decision("resume", tuple(given.tasks), given.by, given.note, inputs))


@router.post("/skip", response_model=wire.RunLine)
def skip(store: StoreHere, run_id: str, given: wire.Decided) -> Response:
    """Skip tasks that wait: they end without running, and so do those below."""
    return _decide(store, run_id, Decision("skip", tuple(given.tasks), given.by, given.note))


@router.post("/reject", response_model=wire.RunLine)
def reject(store: StoreHere, run_id: str, given: wire.Decided) -> Response:
    """Reject tasks that wait: they fail, and those below don't run unless they handle failures."""
    return _decide(store, run_id, Decision("reject", tuple(given.tasks), given.by, given.note))


@router.post("/retry", response_model=wire.RunLine)
def retry(store: StoreHere, run_id: str, given: wire.Retry) -> Response:
    """Run the failed tasks again, or of them these; those that were rejected ask again."""
    return _decide(store, run_id, Decision("retry", tuple(given.tasks), given.by, given.note))


def _decide(store: Store, name: str, decision: Decision) -> Response:
    run_id = find_run_id(store, name)
    decide_recorded(store, run_id, decision)
    return answer(run_line(store.runs.summary(run_id)))
