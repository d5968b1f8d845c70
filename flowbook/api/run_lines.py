"""Recorded runs, their tasks and what they wait for, as the API shows them. Loads no value and unpickles nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.api import wire
from flowbook.deployments.outlook import shown_settings
from flowbook.flow_run.task_facts import task_facts
from flowbook.flow_run.waiting_tasks import waiting_tasks
from flowbook.report.secret_names import shown_change, shown_parameters
from flowbook.store.process_identity import effective_message_of, shown_counts, shown_seconds, shown_state
from flowbook.store.records import from_stamp

if TYPE_CHECKING:
    import datetime as dt

    from flowbook.engine.events import Decided, InputChange
    from flowbook.engine.replay import Span
    from flowbook.flow_run.task_facts import TaskFacts
    from flowbook.store import RunSummary, Store
    from flowbook.terminal.waiting_lines import WaitingTask

__all__ = ["run_details", "run_line", "span_line", "task_list"]

_NO_EVENTS = 2**62


def run_line(summary: RunSummary) -> wire.RunLine:
    """Return what a list shows of a run."""
    return wire.RunLine(**_fields(summary))


def _fields(summary: RunSummary) -> dict[str, Any]:
    same = (
        "run_id", "flow", "number", "created", "started", "ended", "due", "executor", "origin", "owner",
        "project", "deployment",
    )  # fmt: skip
    return {
        **{name: getattr(summary, name) for name in same},
        "state": shown_state(summary),
        "message": effective_message_of(summary),
        "seconds": None if (took_s := shown_seconds(summary)) is None else round(took_s, 3),
        "tasks": shown_counts(summary),
        "parameters": shown_parameters(summary.parameters),
    }


def run_details(store: Store, run_id: str) -> wire.RunDetails:
    """Return all that is known of a run besides its tasks."""
    summary, record = store.runs.summary(run_id), store.runs.get(run_id)
    is_waiting = "Paused" in summary.counts or summary.state == "Paused"
    waiting = waiting_tasks(store, run_id, task_facts(store, run_id)) if is_waiting else []
    return wire.RunDetails(
        **_fields(summary),
        epoch=summary.epoch,
        identifier=summary.identifier,
        flow_runner=None if record.flow_runner is None else shown_settings(record.flow_runner),
        flow_location=record.flow_location,
        last_seq=store.history.snapshot(run_id, since=_NO_EVENTS).last_seq,
        waiting=[_waiting(each) for each in waiting],
        decisions=[_decision(each) for each in store.history.decisions(run_id)],
    )


def _waiting(task: WaitingTask) -> wire.Waiting:
    deadline = from_stamp(task.deadline)
    return wire.Waiting(
        task=task.key,
        question=task.question,
        asks=task.asks,
        since=from_stamp(task.since),
        deadline=deadline,
        otherwise=task.otherwise,
        overdue=task.is_overdue,
        inputs=dict(task.inputs),
        earlier=[wire.Earlier(**{**each._asdict(), "at": from_stamp(each.at)}) for each in task.earlier],
    )


def _decision(decided: Decided) -> wire.Decision:
    return wire.Decision(
        seq=decided.seq,
        task=decided.key,
        at=from_stamp(decided.at),
        action=decided.action,
        by=decided.by,
        note=decided.note,
        changes=[_change(each) for each in decided.changes],
    )


def _change(change: InputChange) -> wire.Change:
    return wire.Change(**change._replace(text=shown_change(change.name, change.text))._asdict())


def task_list(store: Store, run_id: str, task: str | None, at: dt.datetime | None) -> wire.TaskList:
    """Return the tasks of a run, or one task with its children, as they are or were at a moment."""
    found = task_facts(store, run_id, task, at)
    chosen = [each for each in found if task is None or each.key == task or each.key.startswith(f"{task}[")]
    return wire.TaskList(run_id=run_id, at=at, tasks=[_task(each) for each in chosen])


def _task(facts: TaskFacts) -> wire.TaskLine:
    known = facts.as_json()
    since = None if facts.state is None else from_stamp(facts.state.at)
    return wire.TaskLine.model_validate({**known, "since": since})


def span_line(span: Span) -> wire.Span:
    """Return a period in which a task ran, or waited."""
    return wire.Span(
        task=span.key,
        state=span.state,
        start=from_stamp(span.start),
        end=from_stamp(span.end),
        seconds=None if span.end is None else round(span.end - span.start, 3),
        attempt=span.attempt,
    )
