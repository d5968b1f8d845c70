"""Runs one task: from its state and its upstream's states to the state it comes to rest in.

Here is the one border around user code: whatever a task raises becomes a state, and nothing else leaves. The order of
the steps is that of engine.md, section 4; what only decides is in `steps`.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import sys
import time
from collections.abc import Mapping
from types import CoroutineType
from typing import TYPE_CHECKING

from flowbook._context import current_layer, enter_layer, leave_layer
from flowbook._utils import threads
from flowbook.engine import steps
from flowbook.engine.cache_validators import HashedInputs
from flowbook.engine.deadline import DeadlinePassed, call_within
from flowbook.engine.forks import end_copy, is_copy
from flowbook.engine.job import Job, RunFacts
from flowbook.engine.masks import Masks
from flowbook.engine.output_cache import cached_state, hash_inputs, store_output
from flowbook.engine.prints import capture_prints
from flowbook.engine.remote_error import safe_repr, safe_str
from flowbook.engine.signals import Signal
from flowbook.engine.state import (
    Cancelled,
    Failed,
    Looped,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Success,
    TimedOut,
)
from flowbook.engine.target_files import found_state, written_state
from flowbook.engine.task_context import TaskLayer
from flowbook.engine.task_log import OVER
from flowbook.engine.templates import fill
from flowbook.exceptions import DefinitionError, HandlerError
from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from flowbook._context import ContextLayer
    from flowbook.engine.ports import OutputCache

__all__ = [
    "TaskRunner",
    "ask_handlers",
    "begin_task",
    "begun_state",
    "call_handlers",
    "call_task",
    "change_state",
    "in_layer",
    "is_in_user_code",
    "run_task",
    "settle_task",
]

#: As in `logging`, which is not loaded for this.
_WARNING = 30


def run_task(job: Job, run: RunFacts) -> State:
    """Run `job`, tell `run` the states on the way, return the one it comes to rest in (told as well)."""
    ended = begin_task(job, run)
    return ended if ended is not None else _attempt(job, run, job.inputs or {})


def begin_task(job: Job, run: RunFacts, inputs_of: Callable[[Job], dict[str, object]] | None = None) -> State | None:
    """Steps 1 to 9: return the state in which the run ends there, or None with `job.inputs` set: it is to be called."""
    usual = _is_usual(job.upstream)
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
    if job.is_start:
        return None
    if type(job.state) is not Pending:
        job.state = steps.unwrap(job.state)
        if steps.rests(job.state, time.time()):
            return job.state
    return None if usual else _unusual_upstream(job)


def _unusual_upstream(job: Job) -> State | None:
    if not all(up._finished for up in job.upstream):  # noqa: SLF001
        return job.state
    culprit = steps.skipped_by(job.spec, job.upstream)
    if culprit is not None:
        return Skipped(f"{culprit} was skipped.")
    return None


def _inputs(job: Job) -> dict[str, object]:
    """Step 6: one value per keyed edge, then constants; inputs kept on the state win."""
    inputs = job.inputs
    if inputs is None:
        spec = job.spec
        kept = job.state.cached_inputs or ()
        inputs = dict(spec.constants) if spec.constants else {}
        for binding, up in zip(spec.bindings, job.upstream, strict=True):
            if binding.argument is not None and binding.argument not in kept:
                inputs[binding.argument] = up.result
    if job.state.cached_inputs:
        for name, value in job.state.cached_inputs.items():
            inputs[name] = value.load() if isinstance(value, ResultRef) else value
    return inputs


def _before_running(job: Job, run: RunFacts, inputs: dict[str, object], *, usual: bool) -> State | None:
    """Steps 8 and 9: the trigger, then target and cache: an output is not used when the trigger fails."""
    spec = job.spec
    if spec.trigger is not None or not usual:
        with in_layer(_layer_of(job, run) if spec.trigger is not None else None):
            state = steps.trigger_state(spec, job.upstream, steps.attempt_number(job.state), time.time())
        if state is not None:
            if isinstance(state, (Paused, Retrying)):
                state.cached_inputs = inputs
            return state
    if spec.files is not None:
        found = found_state(spec.files, inputs, _layer_of(job, run))
        if found is not None:
            return found
    if job.hashed is not None and run.cache is not None:
        return cached_state(spec, run.cache, run, job.hashed)
    return None


def _attempt(job: Job, run: RunFacts, inputs: dict[str, object]) -> State:
    """Steps 10 to 14."""
    before = job.state
    attempt = steps.attempt_number(before)
    layer = TaskLayer(run, job, attempt)
    running = change_state(job, run, before, begun_state(job, run, inputs, layer))
    if type(running) is not Running:
        return running
    loops = itertools.count(1)
    while True:
        state = call_task(job, run, inputs, layer, attempt)
        if not state.is_looped():
            break
        layer.loop_count = next(loops) + 1
        if isinstance(state, Looped):
            state.loop_count = layer.loop_count - 1
        layer.loop_result = state.result
        told = change_state(job, run, running, state)
        if not told.is_looped():
            state = told
            break
    if job.spec.files is not None and type(state) is Success:
        state = written_state(job.spec.files, inputs, layer, state)
    return settle_task(job, run, running, state, inputs, attempt)


def begun_state(job: Job, run: RunFacts, inputs: dict[str, object], layer: TaskLayer) -> State:
    """Return Running, with the run's own name where it has one."""
    begun = Running()
    if job.spec.run_name is not None:
        layer.run_name = _run_name(job, run, inputs, layer)
        begun.context = {"task_run_name": layer.run_name}
    return begun


def _run_name(job: Job, run: RunFacts, inputs: dict[str, object], layer: TaskLayer) -> str:
    """Return what this run is called; a name that can't be made is a log line, not a failure: the work goes on."""
    layer.parent = run.layer if run.layer is not None else current_layer()
    try:
        return fill(job.spec.run_name or job.key, inputs, layer)
    except BaseException as error:  # noqa: BLE001  # a function of the user's
        run.logged(job.key, _WARNING, f"task_run_name: {type(error).__name__}: {safe_str(error)}")
        return job.key


def call_task(job: Job, run: RunFacts, inputs: dict[str, object], layer: TaskLayer, attempt: int) -> State:
    """The border: user code runs in here, and nothing it raises gets out."""
    layer.parent = run.layer if run.layer is not None else current_layer()
    layer.log = None
    token = enter_layer(layer)
    try:
        return Success(None, _value(job, inputs, layer))
    except Signal as signal:
        return steps.signal_state(signal, attempt, time.time())
    except DeadlinePassed:
        return _timed_out(job)
    except BaseException as error:  # noqa: BLE001
        if run.interrupted and isinstance(error, KeyboardInterrupt):
            return Cancelled("Cancelled by a person while it ran.")
        return steps.state_of_error(error)
    finally:
        leave_layer(token)
        if layer.log is not None:
            layer.log.close()
        layer.log = OVER


def _value(job: Job, inputs: dict[str, object], layer: TaskLayer) -> object:
    try:
        if job.spec.log_stdout:
            with capture_prints(layer.own_log()):
                value = _timed(job, inputs) if job.spec.timeout_s is not None else job.spec.run(**inputs)
        elif job.spec.timeout_s is not None:
            value = _timed(job, inputs)
        else:
            value = job.spec.run(**inputs)
        return _finish(value) if type(value) is CoroutineType else value
    finally:
        if is_copy(layer):
            end_copy(sys.exception())


def _timed(job: Job, inputs: dict[str, object]) -> object:
    def call() -> object:
        value = job.spec.run(**inputs)
        return _finish(value) if type(value) is CoroutineType else value

    return call_within(job.spec.timeout_s or 0.0, call, f"flowbook-timed-{job.key}")


def _timed_out(job: Job) -> State:
    message = (
        f"Took longer than {job.spec.timeout_s:g} s. Its thread was told to stop; a sleep or C code in it may still go on, "
        "and what it returns is dropped."
    )
    return TimedOut(message, TimeoutError(message))


def _finish(coroutine: CoroutineType[object, object, object]) -> object:
    """Run what an `async def` task returned, in this thread; where a loop runs already, in a thread beside it."""
    import asyncio  # noqa: PLC0415  # heavy

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    from concurrent import futures  # noqa: PLC0415

    found: futures.Future[object] = futures.Future()
    run = contextvars.copy_context().run

    def work() -> None:
        try:
            found.set_result(run(asyncio.run, coroutine))
        except BaseException as error:  # noqa: BLE001  # handed to the caller
            found.set_exception(error)

    threads.spawn(work, name="async", owner="run_task")
    return found.result()


def is_in_user_code(frame: FrameType | None) -> bool:
    """Return whether `frame` was called from inside the border, so that an exception raised there becomes a state."""
    while frame is not None:
        if frame.f_code is call_task.__code__:
            return True
        frame = frame.f_back
    return False


def settle_task(  # noqa: PLR0913  # the steps share all of these
    job: Job, run: RunFacts, running: State, state: State, inputs: dict[str, object], attempt: int
) -> State:
    """Steps 11 to 13: from what came of the call to the state in which the task rests."""
    spec = job.spec
    if isinstance(state, Scheduled):
        state.cached_inputs = inputs
        return change_state(job, run, running, state)
    told = change_state(job, run, running, state)
    if type(told) is Success and spec.cache is None:
        return told
    if type(told) is Success and run.cache is not None and job.hashed is not None:
        return change_state(job, run, told, store_output(spec, run.cache, run, job.hashed, told))
    again = steps.retry_state(told, spec.retry, attempt, time.time(), inputs)
    return told if again is None else change_state(job, run, told, again)


def change_state(job: Job, run: RunFacts, old: State, new: State) -> State:
    """Move on to `new`, after the handlers had their say."""
    if run.masks:
        run.masks.hide_in(new)
    if job.spec.handlers or run.handlers:
        new = ask_handlers(job, run, old, new)
        if run.masks:
            run.masks.hide_in(new)
        if isinstance(new, (Paused, Retrying)) and not new.cached_inputs:
            new.cached_inputs = job.inputs  # a handler asked for it
    run.state_changed(job.key, new)
    return new


def ask_handlers(job: Job, run: RunFacts, old: State, new: State) -> State:
    """Return what the handlers of the task and those of the run make of a change; they see the context of the task."""
    handlers = (*job.spec.handlers, *run.handlers)
    if not handlers:
        return new
    with in_layer(_layer_of(job, run)):
        return call_handlers(handlers, job.spec.task, old, new)


def _layer_of(job: Job, run: RunFacts) -> TaskLayer:
    layer = TaskLayer(run, job, steps.attempt_number(job.state))
    layer.parent = run.layer if run.layer is not None else current_layer()
    return layer


@contextlib.contextmanager
def in_layer(layer: ContextLayer | None) -> Iterator[None]:
    """Let what a function of the user's reads in the context be this layer's; what it logged is told at the end."""
    if layer is None:
        yield
        return
    token = enter_layer(layer)
    try:
        yield
    finally:
        leave_layer(token)
        if isinstance(layer, TaskLayer):
            if layer.log is not None:
                layer.log.close()
            layer.log = OVER


def call_handlers(handlers: tuple[Callable[..., object], ...], subject: object, old: State, new: State) -> State:
    """Return what the handlers make of the change: each gets what the one before returned, as a copy of its own.

    None keeps the state. A handler that raises, or returns something else, makes it Failed.
    """
    for handler in handlers:
        name = steps.name_of(handler)
        try:
            answer = handler(subject, old, new.copy())
        except Signal as signal:
            answer = signal.state
        except BaseException as error:  # noqa: BLE001  # user code
            return _handler_failed(f"State handler {name} raised {type(error).__name__}: {safe_str(error)}", error)
        if answer is None:
            continue
        if not isinstance(answer, State):
            return _handler_failed(
                f"State handler {name} returned {safe_repr(answer)}. Return a State, or None to keep the one given."
            )
        new = answer
    return new


def _handler_failed(message: str, cause: BaseException | None = None) -> Failed:
    error = HandlerError(message)
    error.__cause__ = cause
    return Failed(message, error)


class TaskRunner:
    """Runs one task by itself, without a flow.

    Args:
        task: a `flowbook.Task`.
        state_handlers: called after the task's own.
    """

    def __init__(self, task: object, state_handlers: Sequence[Callable[..., object]] = ()) -> None:
        if not callable(getattr(task, "compile", None)):
            msg = f"TaskRunner can't run {task!r}, which is not a task. Give a flowbook.Task, e.g. a function under @task."
            raise DefinitionError(msg, given=repr(task))
        self.task = task
        self.run_id = ""
        self.flow_name = ""
        self.parameters: Mapping[str, object] = {}
        self.handlers = tuple(state_handlers)
        self.layer: ContextLayer | None = None
        self.cache: OutputCache | None = None
        self.interrupted = False
        self.masks: Masks | None = None
        #: Every state the task went through, in order.
        self.history: list[State] = []

    def run(
        self,
        state: State | None = None,
        upstream_states: Mapping[object, State] | None = None,
        context: Mapping[str, object] | None = None,
    ) -> State:
        """Run the task once, return the state it comes to rest in.

        Args:
            state: its state before; default Pending.
            upstream_states: by Edge; keyed edges give the inputs.
            context: values for `flowbook.context`.

        Raises:
            DefinitionError: if these are no states, or an input is missing.
        """
        _check_given(self.task, state, upstream_states)
        from flowbook._context import ContextLayer  # noqa: PLC0415

        spec = self.task.compile(upstream_states or {})  # type: ignore[attr-defined]  # a Task; engine knows no core
        self.history.clear()
        self.layer = ContextLayer(context, current_layer()) if context else None
        self.masks = Masks.around(self.layer or current_layer()) or None
        return run_task(Job(spec, spec.key, state or Pending(), list((upstream_states or {}).values())), self)

    def state_changed(self, key: str, state: State) -> None:
        """Keep the state in `history`."""
        del key
        self.history.append(state)

    def logged(self, key: str, level: int, text: str) -> None:
        """Drop a log line: nobody watches."""


def _check_given(task: object, state: object, upstream_states: object) -> None:
    name = getattr(task, "name", repr(task))
    if state is not None and not isinstance(state, State):
        msg = f"{state!r} is not a state. Give task {name!r} one, e.g. Pending() of flowbook.engine.state, or none."
        raise DefinitionError(msg, state=repr(state))
    given = upstream_states if isinstance(upstream_states, Mapping) else None if upstream_states else {}
    if given is None or not all(hasattr(e, "upstream_task") and isinstance(s, State) for e, s in given.items()):
        msg = (
            f"upstream_states={upstream_states!r} are not states by edge. "
            f"Give e.g. {{Edge(up, {name}, key='x'): Success(result=1)}}."
        )
        raise DefinitionError(msg, upstream_states=repr(upstream_states))
    if mapped := [edge.key for edge in given if getattr(edge, "mapped", False)]:
        msg = f"Edge to {mapped[0]!r} is mapped: TaskRunner runs one child. Give it one element, or run a flow."
        raise DefinitionError(msg, argument=mapped[0])
