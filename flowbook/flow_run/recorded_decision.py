"""Carries out a person's decision about a recorded run without loading its flow or any pickled value.

Whoever has the run is asked; for a run at rest, its flow runner starts a process that carries out the decision. So no code of
the run's flow runs in the process that decides, which may be a server.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Crashed, Pending, Scheduled, Submitted
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import ArgumentError, ParameterError, RunClaimedError, StartTaskError, UnknownTaskError
from flowbook.flow_run.ask_owner import ask_owner
from flowbook.flow_run.decision import Decision, TypedText
from flowbook.flow_run.flow_runner_of import flow_runner_of
from flowbook.flow_run.kind_by_preview import like_of, typed_if_like
from flowbook.flow_run.plain_values import plain_value
from flowbook.flow_run.recorded_cancel import cleanups_due, record_cancelled
from flowbook.flow_run.recording import Recording
from flowbook.flow_run.resume_plan import broken_off, tasks_concerned
from flowbook.flow_run.resume_plan import waiting as that_wait
from flowbook.flow_run.run_to_come import lacking_secrets, refuse_what_stays
from flowbook.flow_run.stored_inputs import StoredInputs
from flowbook.flow_run.submission import Submission, emit_submitted
from flowbook.flow_run.typed_text import read_like
from flowbook.report.phrases import listed
from flowbook.report.secret_names import sounds_secret
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.run_inputs import MissingInput
    from flowbook.engine.state import State
    from flowbook.flow_run.ports import FlowRunner
    from flowbook.results.reference import Preview
    from flowbook.store import Store
    from flowbook.store.run_snapshot import RunSnapshot

__all__ = ["MOST_NAMED", "RecordedState", "cancel_recorded", "decide_recorded", "inputs_of_json", "recorded_state"]

#: How many tasks are named where one is asked for that there isn't.
MOST_NAMED = 20
_LOOK_S = 0.05
#: How long a process that is being started may take to claim its run.
_STARTS_S = 60.0
#: For runs that have no flow runner: a process of this machine.
_USUAL = {"type": "universal", "config": {}}


class RecordedState(NamedTuple):
    """How a recorded run stands, as far as its record says.

    Attributes:
        run_id: of the run.
        number: of the run.
        flow_name: of its flow.
        state: of the flow; Crashed if its process died in the middle.
        states: of the tasks that have one, by key, children of mapped tasks too.
        is_owned: whether a process has it, so that more may come.
    """

    run_id: str
    number: int | None
    flow_name: str
    state: State
    states: Mapping[str, State]
    is_owned: bool


def recorded_state(store: Store, run_id: str) -> RecordedState:
    """Return how a run stands now. Raises UnknownRunError."""
    recording = Recording.of(store, run_id)
    snapshot = recording.snapshot()
    states = snapshot.states()
    state = states.pop(FLOW, Pending())
    if not snapshot.is_owned:
        state, states = _state_of_flow(state, snapshot), broken_off(states)
    return RecordedState(run_id, recording.number, recording.record.flow, state, states, snapshot.is_owned)


def cancel_recorded(store: Store, run_id: str, *, by: str, note: str, now: bool) -> RecordedState:
    """Cancel a run, wherever it is; with `now`, stop what runs, too. Return how it stands then; raises as `decide_recorded`."""
    decide_recorded(store, run_id, Decision("cancel_now" if now else "cancel", by=by, note=note))
    return recorded_state(store, run_id)


def decide_recorded(store: Store, run_id: str, decision: Decision, *, waiting: tuple[str, int] | None = None) -> None:
    """Carry out a decision about a run, wherever it is; return once it is taken, not once the run is at rest.

    Args:
        store: has the run.
        run_id: of the run.
        decision: cancel, retry, or an answer to tasks that wait.
        waiting: the task that is answered and the number of the event with which it began to wait: it must still be that one.

    Raises:
        UnknownRunError, UnknownTaskError: if there is no such run or task.
        StartTaskError: if nothing waits, or nothing failed.
        RunClaimedError: if a task that it names doesn't wait, somebody else was quicker, or the run's process doesn't answer.
        ArgumentError: if it changes inputs of several tasks, or one that the task doesn't have.
        ParameterError: if a text that was typed for an input is no value of its kind.
        RunIncompleteError: if an input of the run couldn't be stored.
        FlowRunnerError: if no process can be started.
    """
    recording = Recording.of(store, run_id)
    _check_tasks(recording, decision)
    pause, waited_s = threading.Event(), 0.0
    while True:
        snapshot = recording.snapshot()
        if waiting is not None:
            _refuse_unless_waiting(snapshot, *waiting)
        if snapshot.is_owned and snapshot.state != Submitted.__name__:
            if ask_owner(recording, decision):
                return
        elif snapshot.is_owned:
            if waited_s > _STARTS_S:
                raise _is_starting(recording)
            waited_s += _LOOK_S
        else:
            recording.mark_read(snapshot)
            _decide_at_rest(recording, snapshot, decision)
            return
        pause.wait(_LOOK_S)


def inputs_of_json(store: Store, run_id: str, keys: Sequence[str], given: Mapping[str, object]) -> dict[str, object]:
    """Return changed inputs that came as JSON, for `decide_recorded`: dates, enums and tuples come as texts and lists.

    Args:
        store: has the run.
        run_id: of the run.
        keys: of the one task that gets them; for a mapped task, its one child that waits.
        given: by argument.
    """
    states = store.history.states(run_id) if len(keys) == 1 and given else {}
    found = that_wait(states, keys)
    waits_with = states[found[0]].cached_inputs if len(found) == 1 else {}
    return {name: typed_if_like(value, _preview(waits_with.get(name))) for name, value in given.items()}


def _refuse_unless_waiting(snapshot: RunSnapshot, key: str, seq: int) -> None:
    """Raise RunClaimedError unless a task still waits since event `seq`."""
    changed = [each for each in snapshot.events if isinstance(each, StateChanged) and each.key == key]
    if not changed or changed[-1].seq != seq:
        now = type(changed[-1].state).__name__ if changed else "gone"
        msg = f"{key} does not wait any more: it is {now}."
        raise RunClaimedError(msg, key=key)


def _check_tasks(recording: Recording, decision: Decision) -> None:
    """Refuse tasks that the run doesn't have, and changed inputs unless they are for one task that has them."""
    known = {task["key"]: task for task in recording.record.graph.get("tasks", ()) if task["key"]}
    for key in decision.keys:
        if key not in known and parent_key(key) not in known:
            msg = f"{recording.label.title} has no task {key!r}. Its tasks: {listed(list(known), MOST_NAMED)}."
            raise UnknownTaskError(msg, key=key, field="tasks")
    if not decision.inputs:
        return
    if len(decision.keys) != 1:
        count = f"{len(decision.keys)} are" if decision.keys else "none is"
        msg = f"Changed inputs are for one task, and {count} named. Name the one that gets them."
        raise ArgumentError(msg, keys=decision.keys, field="inputs")
    _check_inputs(recording, decision)


def _check_inputs(recording: Recording, decision: Decision) -> None:
    (key,) = decision.keys
    task = next(each for each in recording.record.graph["tasks"] if each["key"] in {key, parent_key(key)})
    states = recording.store.history.states(recording.run_id)
    found = that_wait(states, decision.keys)
    if len(found) > 1:
        they = listed(found, MOST_NAMED)
        msg = f"Changed inputs are for one task, and {len(found):,} wait: {they}. Name the one that gets them."
        raise ArgumentError(msg, keys=found, field="inputs")
    state = states.get(found[0] if found else key)
    names = {*task.get("inputs", {}), *({} if state is None else state.cached_inputs)}
    if unknown := [name for name in decision.inputs if name not in names]:
        there = ", ".join(sorted(names)) or "none"
        msg = f"Task {key!r} has no input {unknown[0]!r} that a person can change. Its inputs: {there}."
        raise ArgumentError(msg, key=key, argument=unknown[0], field=f"inputs.{unknown[0]}")
    _check_typed(task, {} if state is None else state.cached_inputs, decision.inputs)


def _check_typed(task: Mapping[str, Any], waits_with: Mapping[str, object], inputs: Mapping[str, object]) -> None:
    """Refuse texts that were typed for inputs of another kind, before a process is started to read them."""
    for name, text in inputs.items():
        if not isinstance(text, TypedText):
            continue
        is_secret = sounds_secret(str(task.get("inputs", {}).get(name, "")))
        try:
            read_like(name, str(text), like_of(_preview(waits_with.get(name))), is_secret=is_secret)
        except ParameterError as error:
            raise ParameterError(str(error), **{**error.details, "field": f"inputs.{name}"}) from None


def _preview(value: object) -> Preview | None:
    return value.store.preview(value) if is_reference(value) and value.store is not None else None


def _is_starting(recording: Recording) -> RunClaimedError:
    msg = f"The process of {recording.label} has been starting for {_STARTS_S:.0f} s. Try again, or see that an agent works."
    return RunClaimedError(msg, run_id=recording.run_id)


def _decide_at_rest(recording: Recording, snapshot: RunSnapshot, decision: Decision) -> None:
    states = broken_off(snapshot.states())
    state = _state_of_flow(states.pop(FLOW, Pending()), snapshot)
    has_begun = snapshot.claim.started is not None
    if decision.action in {"cancel", "cancel_now"}:
        if not isinstance(state, Scheduled | Crashed):
            return  # it is over
        due = cleanups_due(recording, states) if has_begun else ()
        unkept = _flow_unkept(recording)
        if not due or unkept is not None:
            why = "the flow of the run couldn't be stored"
            record_cancelled(recording, snapshot, decision, due, why)
            return
    else:
        if not has_begun:
            msg = f"{recording.label} hasn't begun: it is {type(state).__name__}. An agent starts it at its time."
            raise StartTaskError(msg, run=recording.run_id)
        every = {key: Pending() for task in recording.record.graph.get("tasks", ()) if (key := task["key"])}
        tasks_concerned(recording.label, state, {**every, **states}, snapshot.events, decision)
    _start(recording, snapshot, decision, state)


def _state_of_flow(state: State, snapshot: RunSnapshot) -> State:
    """Return the flow's state; Crashed if its process has died in the middle."""
    if isinstance(state, Submitted):
        state = state.state or Pending()
    is_open = snapshot.state in {"Running", "Pending", "Cancelling", Submitted.__name__, None}
    return Crashed("Its process ended in the middle.") if is_open else state


def _start(recording: Recording, snapshot: RunSnapshot, decision: Decision, state: State) -> None:
    """Claim the run for a process, leave it the decision as a request, and start it."""
    flow_runner = flow_runner_of(recording.record.flow_runner or _USUAL)
    flow_runner.stream_output = False
    flow_runner.env = {"FLOWBOOK_PROJECT": recording.record.project, **flow_runner.env}
    _refuse_what_is_missing(recording, flow_runner)
    flow_runner.check()
    with recording.claimed(""):
        recording.send_request(decision)
        emit_submitted(recording, snapshot.last_seq + 1, state)
    Submission(recording, flow_runner).start()


def _refuse_what_is_missing(recording: Recording, flow_runner: FlowRunner) -> None:
    """Raise RunIncompleteError if the flow or an input of the run couldn't be stored, or a secret isn't in the environment."""
    ref = recording.store.runs.inputs(recording.run_id)
    content = None if ref is None else plain_value(ref)
    missing: list[MissingInput] = []
    if content is not None:
        stored = StoredInputs(content, recording.store.values)
        missing = [each for each in stored.missing if each.option != "executor"]
        missing += lacking_secrets(stored.secrets, flow_runner)
    refuse_what_stays(recording.label, missing, _flow_unkept(recording))


def _flow_unkept(recording: Recording) -> str | None:
    """Return why the run's flow couldn't be stored; None if it is stored, or in a file."""
    record = recording.record
    return None if record.flow_ref is not None or record.flow_location is not None else record.flow_unkept
