"""One attempt at a task: from its state and the states above it to the state that the attempt ends in.

The steps follow engine.md, section 4; those that only decide are in `steps`. User code is called in `task_call` and
`state_handlers`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flowbook._context import current_layer
from flowbook._utils.costs import sum_of
from flowbook._utils.fresh import fresh_values
from flowbook._utils.handed_on import IMMUTABLE, handed_on
from flowbook.engine import steps
from flowbook.engine.cache_validators import HashedInputs
from flowbook.engine.output_cache import cached_state, hash_inputs, store_output
from flowbook.engine.remote_error import error_line
from flowbook.engine.state import Looped, Mapped, Paused, Pending, Retrying, Running, Scheduled, Skipped, State, Success
from flowbook.engine.state_handlers import change_state, in_layer, task_layer
from flowbook.engine.target_files import found_state, written_state
from flowbook.engine.task_call import call_task
from flowbook.engine.task_context import TaskLayer
from flowbook.engine.templates import fill
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.engine.job import Job, RunPort

__all__ = ["begin_task", "begun_state", "finish_attempt", "run_task", "settle_task"]

#: As in `logging`, which is not loaded for this.
_WARNING = 30


def run_task(job: Job, run: RunPort) -> State:
    """Run `job`, send its states to `run`, and return the last one (also sent)."""
    ended = begin_task(job, run)
    return ended if ended is not None else _attempt(job, run, job.inputs or {})


def begin_task(job: Job, run: RunPort, inputs_of: Callable[[Job], dict[str, object]] | None = None) -> State | None:
    """Steps 1 to 9: return a state if the task run ends there; otherwise set `job.inputs` and return None: the call follows."""
    usual = _is_usual(job.upstream if job.judged is None else job.judged[1])
    held = _held_back(job, usual=usual)
    if held is not None:
        return held if held is job.state else change_state(job, run, job.state, held)
    try:
        inputs = job.inputs = (inputs_of or _inputs)(job)
    except BaseException as error:  # noqa: BLE001  # loading a value runs user code: unpickling
        return change_state(job, run, job.state, steps.state_of_error(error))
    if job.spec.cache is not None and run.cache is not None:
        job.hashed = HashedInputs(inputs)
    if not job.is_start:
        early = _before_running(job, run, inputs, usual=usual)
        if early is not None:
            return change_state(job, run, job.state, early)
    if job.hashed is not None:
        hash_inputs(job.spec, job.hashed)
    return None


def _is_usual(upstream: Sequence[State]) -> bool:
    """Return whether every upstream state is a plain success: then no check can hold the task back."""
    for state in upstream:  # noqa: SIM110  # the inner loop of every run: any() costs three times as much
        if not state._successful or state._skipped or type(state) is Mapped:  # noqa: SLF001
            return False
    return True


def _held_back(job: Job, *, usual: bool) -> State | None:
    """Steps 1 to 5: a state if the run ends before anything is done."""
    if type(job.state) is not Pending:
        job.state = steps.unwrap(job.state)
        job.loop_count, job.loop_result = steps.loop_start(job.state)
        if not job.is_start and steps.rests(job.state, time.time()):
            return job.state
    return None if usual or job.is_start else _unusual_upstream(job)


def _unusual_upstream(job: Job) -> State | None:
    if not all(up._finished for up in job.upstream):  # noqa: SLF001
        return job.state
    culprit = steps.skipped_by(*(job.judged or (job.spec, job.upstream)))
    if culprit is not None:
        return Skipped(f"{culprit} was skipped.")
    return None


def _inputs(job: Job) -> dict[str, object]:
    """Step 6: one value per keyed edge, then constants; inputs kept on the state win."""
    inputs = job.inputs
    if inputs is None:
        spec = job.spec
        kept = job.state.cached_inputs or ()
        inputs = fresh_values(spec.constants) if spec.constants else {}
        for binding, up in zip(spec.bindings, job.upstream, strict=True):
            if binding.argument is not None and binding.argument not in kept:
                value = up.result
                inputs[binding.argument] = value if type(value) in IMMUTABLE else handed_on(value)
    if job.state.cached_inputs:
        for name, value in job.state.cached_inputs.items():
            inputs[name] = value.load() if is_reference(value) else value
    return inputs


def _before_running(job: Job, run: RunPort, inputs: dict[str, object], *, usual: bool) -> State | None:
    """Steps 8 and 9: the trigger, then target and cache: an output is not used when the trigger fails."""
    spec = job.spec
    if (spec.trigger is not None or not usual) and not job.is_resumed:
        with in_layer(task_layer(job, run) if spec.trigger is not None else None):
            judged = job.judged or (spec, job.upstream)
            state = steps.trigger_state(*judged, steps.attempt_number(job.state), time.time())
        if state is not None:
            if isinstance(state, (Paused, Retrying)):
                state.cached_inputs = inputs
            if spec.approval is not None and isinstance(state, Paused):
                spec.approval.note_in(state)
            return state
    if spec.files is not None:
        found = found_state(spec.files, inputs, task_layer(job, run))
        if found is not None:
            return found
    if job.hashed is not None and run.cache is not None:
        return cached_state(spec, run.cache, run, job.hashed)
    return None


def _attempt(job: Job, run: RunPort, inputs: dict[str, object]) -> State:
    """Steps 10 to 14."""
    before = job.state
    attempt = steps.attempt_number(before)
    layer = TaskLayer(run, job, attempt)
    running = change_state(job, run, before, begun_state(job, run, inputs, layer))
    if type(running) is not Running:
        return running
    checks = run.input_checks
    readings = checks.begin(job, inputs) if checks is not None else ()
    ended = finish_attempt(job, run, running, call_task(job, run, inputs, layer, attempt), layer)
    if checks is not None and readings:
        for text in checks.end(readings):
            run.logged(job.key, _WARNING, text)
    return ended


def finish_attempt(job: Job, run: RunPort, running: State, state: State, layer: TaskLayer) -> State:
    """Steps 11 to 14: from the state of the first call, which isn't emitted yet, to the task's last state."""
    inputs, attempt = job.inputs or {}, layer.attempt
    while state.is_looped():
        if isinstance(state, Looped):
            state.loop_count = job.loop_count
        job.loop_count += 1
        job.loop_result = state.result
        told = change_state(job, run, running, state)
        if not told.is_looped():
            state = told
            break
        before, state = state.cost, call_task(job, run, inputs, layer, attempt)
        state.cost = sum_of(before, state.cost)
    if job.spec.files is not None and type(state) is Success:
        cost, state = state.cost, written_state(job.spec.files, inputs, layer, state)
        state.cost = cost
    return settle_task(job, run, running, state, inputs, attempt)


def begun_state(job: Job, run: RunPort, inputs: dict[str, object], layer: TaskLayer) -> State:
    """Return Running, with the task run's name if it has one."""
    begun = Running()
    if job.spec.run_name is not None:
        layer.run_name = _run_name(job, run, inputs, layer)
        begun.context = {"task_run_name": layer.run_name}
    return begun


def _run_name(job: Job, run: RunPort, inputs: dict[str, object], layer: TaskLayer) -> str:
    """Return what this run is called; a name that can't be made is a log line, not a failure: the work goes on."""
    layer.parent = run.layer if run.layer is not None else current_layer()
    try:
        return fill(job.spec.run_name or job.key, inputs, layer)
    except BaseException as error:  # noqa: BLE001  # a function of the user's
        run.logged(job.key, _WARNING, f"task_run_name: {error_line(error)}")
        return job.key


def settle_task(  # noqa: PLR0913  # the steps share all of these
    job: Job, run: RunPort, running: State, state: State, inputs: dict[str, object], attempt: int
) -> State:
    """Steps 11 to 13: from the state after the call to the task's last state."""
    spec = job.spec
    if isinstance(state, Scheduled):
        state.cached_inputs = inputs
        return change_state(job, run, running, state)
    told = change_state(job, run, running, state)
    if type(told) is Success and spec.cache is None:
        return told
    if type(told) is Success and run.cache is not None and job.hashed is not None:
        stored = store_output(spec, run.cache, run, job.hashed, told)
        stored.cost = told.cost
        return change_state(job, run, told, stored)
    again = steps.retry_state(told, spec.retry, attempt, time.time(), inputs)
    return told if again is None else change_state(job, run, told, again)
