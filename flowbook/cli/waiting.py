"""The tasks of a recorded run that wait for a person, with all that helps to answer; no value is loaded, nothing unpickled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flowbook.engine.state import Paused
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_keys import parent_key
from flowbook.report.phrases import changed_inputs
from flowbook.terminal.waiting_lines import Earlier, WaitingTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.cli.task_facts import TaskFacts
    from flowbook.store import Store

__all__ = ["as_json", "waiting_tasks"]

#: How many earlier decisions about a task are shown.
_EARLIER = 3


def waiting_tasks(store: Store, run_id: str, tasks: Sequence[TaskFacts]) -> list[WaitingTask]:
    """Return those of the tasks of a run that wait for a person, in their order."""
    record = store.runs.get(run_id)
    questions = {task["key"]: task.get("question", "") for task in record.graph.get("tasks", ())}
    return [
        WaitingTask(
            key=task.key,
            question=questions.get(parent_key(task.key)) or task.state.message or "",
            asks=task.state.asks,
            since=task.state.at,
            deadline=None if task.state.deadline is None else task.state.deadline.timestamp(),
            otherwise=task.state.otherwise,
            inputs=task.inputs,
            earlier=_earlier(store, run_id, record.flow, record.project, task.key),
        )
        for task in tasks
        if isinstance(task.state, Paused) and waits_for_person(task.state)
    ]


def _earlier(store: Store, run_id: str, flow: str, project: str, key: str) -> tuple[Earlier, ...]:
    """Return the last decisions about a task in other runs of the flow, the newest first."""
    found = store.history.decisions_of_flow(flow, key, project=project, besides=run_id, limit=_EARLIER)
    decisions = ((each.number, each.decided) for each in found)
    return tuple(
        Earlier(number, each.at, each.action, each.by, each.note, changed_inputs(each.changes))
        for number, each in decisions
    )


def as_json(task: WaitingTask) -> dict[str, Any]:
    """Return all that is known of a waiting task, as plain data."""
    return {
        "task": task.key,
        "question": task.question,
        "asks": task.asks,
        "since": task.since,
        "deadline": task.deadline,
        "otherwise": task.otherwise,
        "overdue": task.deadline is not None and task.deadline <= time.time(),
        "inputs": dict(task.inputs),
        "earlier": [each._asdict() for each in task.earlier],
    }
