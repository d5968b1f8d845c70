"""Plans how a run at rest goes on after a person's decision: with which inputs, and from which states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowbook.engine.run_inputs import RunInputs
from flowbook.engine.start_point import StartPoint
from flowbook.engine.state import Crashed
from flowbook.flow_run.answers import answer_of
from flowbook.flow_run.decision import ANSWERS
from flowbook.flow_run.new_inputs import NewInputs, merge_inputs, refuse_incomplete, warn_of_executor, with_parameters
from flowbook.flow_run.resume_plan import plan_next, plan_resume, tasks_concerned

if TYPE_CHECKING:
    from flowbook.engine.answer import Answer
    from flowbook.executors.base import Executor
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.flow_changes import FlowChanges
    from flowbook.flow_run.location import AtRest
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.flow_run.run_log import RunLog
    from flowbook.flow_run.stored_inputs import StoredInputs

__all__ = ["LOOK_S", "Control", "inputs_to_resume", "plan", "plan_rest"]

#: How often a decision looks whether a run that another process is to take over has arrived there.
LOOK_S = 0.05


class Control(Protocol):
    """The part of `RunControl` that a plan needs."""

    run: RunDescription
    inputs: RunInputs | StoredInputs
    log: RunLog
    #: The executor passed for this run; None if the flow's own or the default is used.
    own_executor: Executor | None
    #: How the flow differs from the recorded one; None if it doesn't.
    changes: FlowChanges | None
    #: Whether it has inputs that aren't stored yet; set here.
    has_new_inputs: bool


def plan(
    control: Control, rest: AtRest, decision: Decision, new: NewInputs, *, force: bool
) -> tuple[RunInputs, StartPoint, Answer | None]:
    """Return the inputs and the start point with which a run at rest goes on, and the answer that a person gave.

    Raises:
        StartTaskError, RunClaimedError, RunIncompleteError, MissingSecretError: as documented at `FlowRun.resume`.
    """
    run, at = control.run, StartPoint(rest.states, rest.state, first_seq=rest.next_seq)
    waiting = tasks_concerned(run.label, rest.state, rest.states, control.log, decision)
    inputs = inputs_to_resume(control, rest, new, force=force)
    if new.parameters:
        at = at._replace(states=with_parameters(at.states, run.graph, new.parameters))
    answer = answer_of(run.graph, at.states, waiting, decision) if decision.action in ANSWERS else None
    is_changed = control.changes is not None
    return inputs, plan_next(run.graph, at, waiting, inputs, answer, is_changed=is_changed), answer


def plan_rest(control: Control, rest: AtRest) -> tuple[RunInputs, StartPoint]:
    """Return the inputs and the start point with which a run goes on that another process has left off."""
    inputs = inputs_to_resume(control, rest, NewInputs(), force=False)
    at = StartPoint(rest.states, Crashed(), first_seq=rest.next_seq)
    start = plan_resume(control.run.graph, at, (), inputs, is_changed=False)
    return inputs, start._replace(state=rest.state)


def inputs_to_resume(control: Control, rest: AtRest, new: NewInputs, *, force: bool) -> RunInputs:
    """Return the inputs to resume with: the run's latest ones, merged with `new`.

    Raises:
        RunIncompleteError, MissingSecretError: if an input is missing, unless `force`.
    """
    label, recording = control.run.label, rest.recording
    newer = None if recording is None else recording.newer_inputs()
    known = control.inputs if newer is None else newer
    inputs = merge_inputs(known if isinstance(known, RunInputs) else known.load(), new, label)
    if not force:
        refuse_incomplete(inputs, label)
    control.has_new_inputs = control.has_new_inputs or bool(new)
    if not isinstance(known, RunInputs):
        inputs = inputs._replace(executor=control.own_executor)
        if control.own_executor is None and known.has_executor:
            warn_of_executor(control.run)
    return inputs
