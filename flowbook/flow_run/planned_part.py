"""What a plan says of the tasks that a run of a part of its flow doesn't run. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowbook.engine.mapped_states import children_of
from flowbook.flow_run.plan import PlannedTask
from flowbook.report.kept_notes import kept_briefly

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.flow_run.run_part import RunPart

__all__ = ["left_alone", "with_kept_children"]


def left_alone(key: str, part: RunPart) -> PlannedTask:
    """Return what becomes of a task that doesn't run: it keeps its result, or is left out."""
    state = part.states.get(key)
    if state is None or part.is_left_out(key):
        return PlannedTask(key, "out", "it isn't asked for")
    message = (state.message or "").rstrip(".")
    return PlannedTask(key, "keep", kept_briefly(state) or message[:1].lower() + message[1:])


def with_kept_children(tasks: Iterable[PlannedTask], part: RunPart) -> list[PlannedTask]:
    """Return the tasks with the number of children that keep their results, where only others of a mapped task run."""
    return [_with_kept_children(task, part) for task in tasks]


def _with_kept_children(task: PlannedTask, part: RunPart) -> PlannedTask:
    children = children_of(task.key, part.states) if task.outcome == "run" else []
    if not children:
        return task
    return replace(task, width=len(children), keeps=sum(child in part.states for child in children))
