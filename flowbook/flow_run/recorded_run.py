"""Loads a run that was recorded, by this process or another, as a FlowRun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW
from flowbook.executors import LocalExecutor
from flowbook.flow_run.location import AtRest
from flowbook.flow_run.ports import FlowRunnerSettings
from flowbook.flow_run.remote_run import recorded_states
from flowbook.flow_run.resume_plan import broken_off
from flowbook.flow_run.run import FlowRun
from flowbook.flow_run.run_control import RunControl
from flowbook.flow_run.run_description import RunDescription, RunLabel

if TYPE_CHECKING:
    from flowbook.engine.state import State
    from flowbook.executors.base import Executor
    from flowbook.flow_run.ports import FlowRunner, RunnableFlow
    from flowbook.flow_run.recording import Recording
    from flowbook.store.run_snapshot import RunSnapshot

__all__ = ["load_control", "load_run"]


def load_run(
    recording: Recording,
    flow: RunnableFlow | None = None,
    executor: Executor | None = None,
    flow_runner: FlowRunner | None = None,
) -> FlowRun:
    """Return a recorded run: at rest, or followed if another process has it.

    Args:
        recording: the run in the store.
        flow: the flow to resume it with; default: the stored one.
        executor: the executor to resume it with; default: the run's own, else the flow's, else `LocalExecutor`.
        flow_runner: starts a process for it when it goes on, if it has no flow runner of its own; None: it goes on here.

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
    control.own_process.use(flow_runner)
    if flow is None and executor is None and recording.record.flow_runner is not None:
        settings = recording.record.flow_runner
        control.own_process.use(FlowRunnerSettings(settings["type"], settings["config"]))
    control.follow(recording)
    return FlowRun(control)


def load_control(recording: Recording, flow: RunnableFlow, snapshot: RunSnapshot, state: State) -> RunControl:
    """Return the control of a run that goes on in this process, in the thread that calls `work`.

    Args:
        recording: the run in the store.
        flow: its flow.
        snapshot: the run as it was read.
        state: the flow's state, if it isn't the one of the snapshot.
    """
    inputs = recording.inputs()
    executor = inputs.executor()
    description = RunDescription(
        recording.label,
        flow,
        flow.compile(),
        executor or flow.executor or LocalExecutor(),
        recording.began(),
        recording.record.origin,
    )
    control = RunControl(description, inputs)
    control.own_executor = executor
    control.works_in_caller = True
    states = recorded_states(description.graph, inputs, snapshot)
    states.pop(FLOW, None)
    control.log.replace(snapshot.events)
    control.started = None if snapshot.claim.started is None else snapshot.claim.started.timestamp()
    recording.mark_read(snapshot)
    control.location = AtRest(state, broken_off(states), snapshot.last_seq + 1, recording)
    return control
