"""The tasks of a recorded run that wait for a person, with all that helps to answer; no value is loaded, nothing unpickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.state import Paused
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_keys import parent_key
from flowbook.terminal.run_history import earlier_decisions
from flowbook.terminal.waiting_lines import WaitingTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.flow_run.task_facts import TaskFacts
    from flowbook.store import Store

__all__ = ["as_json", "waiting_tasks"]


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
            instead=task.instead,
            earlier=earlier_decisions(store, record.flow, record.project, task.key, besides=run_id),
        )
        for task in tasks
        if isinstance(task.state, Paused) and waits_for_person(task.state)
    ]


def as_json(task: WaitingTask) -> dict[str, Any]:
    """Return all that is known of a waiting task, as plain data."""
    return {
        "task": task.key,
        "question": task.question,
        "asks": task.asks,
        "since": task.since,
        "deadline": task.deadline,
        "otherwise": task.otherwise,
        "overdue": task.is_overdue,
        "inputs": dict(task.inputs),
        "instead": task.instead,
        "earlier": [each._asdict() for each in task.earlier],
    }
