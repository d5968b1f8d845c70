"""`/api/runs`: the recorded runs, made, listed, shown and deleted."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from flowbook.api import wire
from flowbook.api.answers import PROBLEMS, StoreHere, answer
from flowbook.api.run_events import event_json, level_name
from flowbook.api.run_lines import run_details, run_line, span_line, task_list
from flowbook.deployments.deployment_names import find_deployment
from flowbook.deployments.plain_runs import create_plain_run
from flowbook.engine.replay import spans
from flowbook.engine.state import Crashed
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import UnknownTaskError
from flowbook.flow_run.recorded_decision import MOST_NAMED
from flowbook.flow_run.run_deletion import delete_run
from flowbook.flow_run.run_names import find_run_id
from flowbook.flow_run.run_pages import RunFilter, run_page, run_state
from flowbook.report.phrases import listed
from flowbook.store import Store
from flowbook.store.process_identity import shown_state
from flowbook.store.records import from_stamp

__all__ = ["router"]

router = APIRouter(prefix="/api/runs", tags=["runs"], responses=PROBLEMS)

_LISTED, _MOST = 50, 1000
_EVENTS, _MOST_EVENTS = 1000, 10_000
Text = Annotated[str, Query(min_length=1, max_length=1000)]
_SHOWN = tuple(wire.GraphTask.model_fields)
Since = Annotated[int, Query(ge=0, le=2**62)]


@router.get("", response_model=wire.RunPage)
def list_runs(  # noqa: PLR0913  # what runs are selected by
    store: StoreHere,
    flow: Text | None = None,
    state: Text | None = None,
    project: Text | None = None,
    deployment: Text | None = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _LISTED,
    before: Text | None = None,
) -> Response:
    """List runs, the newest first."""
    wanted = None if state is None else run_state(state)
    made_by = None if deployment is None else find_deployment(store, deployment).id
    which = RunFilter(flow, wanted, project, made_by)
    found, has_more = run_page(store, which, limit, before)
    return answer(wire.RunPage(runs=[run_line(each) for each in found], next=found[-1].run_id if has_more else None))


@router.post("", response_model=wire.RunLine, status_code=HTTPStatus.CREATED)
def make_run(store: StoreHere, new: wire.NewRun) -> Response:
    """Make a run of a deployment; an agent starts it at its time."""
    made = create_plain_run(store, find_deployment(store, new.deployment), new.parameters, new.due, new.run_id)
    return answer(run_line(store.runs.summary(made.run_id)), HTTPStatus.CREATED)


@router.get("/{run_id}", response_model=wire.RunDetails)
def get_run(store: StoreHere, run_id: str) -> Response:
    """Show a run: by its id or the beginning of it, its number, or the name of its flow."""
    return answer(run_details(store, find_run_id(store, run_id)))


@router.delete("/{run_id}", response_model=wire.RunLine)
def remove_run(store: StoreHere, run_id: str) -> Response:
    """Delete a run that no process has, with its events and logs; what it cached stays."""
    return answer(run_line(delete_run(store, find_run_id(store, run_id))))


@router.get("/{run_id}/states", response_model=wire.TaskList)
def list_states(store: StoreHere, run_id: str, task: Text | None = None, at: AwareDatetime | None = None) -> Response:
    """List the tasks of a run with their states, as they are or were at a moment; with `task`, one and its children."""
    found = _run_with(store, run_id, task)
    return answer(task_list(store, found, task, at))


def _run_with(store: Store, name: str, task: str | None) -> str:
    """Return the id of a run. Raises UnknownTaskError: if it doesn't have that task, nor a mapped one of that child."""
    run_id = find_run_id(store, name)
    if task is not None:
        record = store.runs.get(run_id)
        known = [each["key"] for each in record.graph.get("tasks", ()) if each["key"]]
        if task not in known and parent_key(task) not in known:
            msg = (
                f"Run {record.number} of {record.flow!r} has no task {task!r}. Its tasks: {listed(known, MOST_NAMED)}."
            )
            raise UnknownTaskError(msg, key=task, field="task")
    return run_id


@router.get("/{run_id}/events", response_model=wire.EventPage)
def list_events(
    store: StoreHere, run_id: str, since: Since = 0, limit: Annotated[int, Query(ge=1, le=_MOST_EVENTS)] = _EVENTS
) -> Response:
    """List the events of a run after number `since`, in order."""
    rows = store.history.page(find_run_id(store, run_id), since, limit + 1)
    events = [wire.RunEvent.model_validate(event_json(row)) for row in rows[:limit]]
    last = events[-1].seq if events else since
    return answer(wire.EventPage(events=events, next=last, more=len(rows) > limit), leaves_out_none=True)


@router.get("/{run_id}/logs", response_model=wire.LogPage)
def list_logs(
    store: StoreHere,
    run_id: str,
    task: Text | None = None,
    since: Since = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_EVENTS)] = _EVENTS,
) -> Response:
    """List what the tasks of a run logged and printed after event number `since`, in order."""
    found = store.history.log_page(_run_with(store, run_id, task), since, limit + 1, task)
    lines = [
        wire.LogLine(seq=row.seq, task=row.key, at=from_stamp(row.at), level=level_name(row), text=row.body or "")
        for row in found[:limit]
    ]
    return answer(wire.LogPage(lines=lines, next=lines[-1].seq if lines else since, more=len(found) > limit))


@router.get("/{run_id}/timeline", response_model=wire.Timeline)
def get_timeline(store: StoreHere, run_id: str) -> Response:
    """Show when each task ran and waited."""
    found = find_run_id(store, run_id)
    has_died = shown_state(store.runs.summary(found)) == Crashed.__name__
    told = spans(store.history.events(found), has_died=has_died)
    return answer(wire.Timeline(run_id=found, spans=[span_line(each) for each in told]))


@router.get("/{run_id}/graph", response_model=wire.Graph)
def get_graph(store: StoreHere, run_id: str) -> Response:
    """Show the flow of a run, as it was when the run began."""
    record = store.runs.get(find_run_id(store, run_id))
    tasks = [
        wire.GraphTask.model_validate({"question": "", **{name: task[name] for name in _SHOWN if name in task}})
        for task in record.graph.get("tasks", ())
        if task["key"]
    ]
    return answer(wire.Graph(run_id=record.run_id, flow=record.flow, tasks=tasks))
