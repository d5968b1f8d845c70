"""Loads a run that was recorded, by this process or another, as a FlowRun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.executors import LocalExecutor
from flowbook.flow_run.run import FlowRun
from flowbook.flow_run.run_control import RunControl
from flowbook.flow_run.run_description import RunDescription, RunLabel

if TYPE_CHECKING:
    from flowbook.executors.base import Executor
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.recording import Recording

__all__ = ["load_run"]


def load_run(recording: Recording, flow: RunnableFlow | None = None, executor: Executor | None = None) -> FlowRun:
    """Return a recorded run: at rest, or followed if another process has it.

    Args:
        recording: the run in the store.
        flow: the flow to resume it with; default: the stored one.
        executor: the executor to resume it with; default: the run's own, else the flow's, else `LocalExecutor`.

    Raises:
        ResultGoneError: if the flow wasn't stored and `flow` is None, or the run's inputs were dropped.
    """
    used = flow if flow is not None else recording.flow()
    inputs = recording.inputs()
    own_executor = executor or inputs.executor()
    description = RunDescription(
        RunLabel(recording.run_id, recording.number, used.name),
        used,
        used.compile(),
        own_executor or used.executor or LocalExecutor(),
        recording.began(),
    )
    control = RunControl(description, inputs)
    control.own_executor = own_executor
    control.has_new_inputs = executor is not None
    if flow is not None:
        control.changes = recording.changes(flow, description.graph) or None
    control.follow(recording)
    return FlowRun(control)
