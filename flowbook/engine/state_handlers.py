"""State handlers: users' functions that are called at every change of a task's state."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from flowbook._context import current_layer, enter_layer, leave_layer
from flowbook.engine import steps
from flowbook.engine.remote_error import error_line, safe_repr
from flowbook.engine.signals import Signal
from flowbook.engine.state import Failed, Paused, Retrying, State
from flowbook.engine.task_context import TaskLayer
from flowbook.engine.task_log import OVER
from flowbook.exceptions import HandlerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook._context import ContextLayer
    from flowbook.engine.job import Job, RunPort

__all__ = ["call_handlers", "call_task_handlers", "call_terminal_handler", "change_state", "in_layer", "task_layer"]


def change_state(job: Job, run: RunPort, old: State, new: State) -> State:
    """Change the state to `new`, or to the state that the handlers return instead."""
    if run.masks:
        run.masks.hide_in(new)
    if job.spec.handlers or run.handlers:
        wanted, new = new, call_task_handlers(job, run, old, new)
        if new.cost is None:
            new.cost = wanted.cost
        if run.masks:
            run.masks.hide_in(new)
        if isinstance(new, (Paused, Retrying)) and not new.cached_inputs:
            new.cached_inputs = job.inputs  # a handler asked for it
    if job.loop_count > 1:
        steps.note_loop(new, job.loop_count, job.loop_result)
    run.state_changed(job.key, new)
    return new


def call_task_handlers(job: Job, run: RunPort, old: State, new: State) -> State:
    """Return the state after calling the handlers of the task and of the run, in the task's context."""
    handlers = (*job.spec.handlers, *run.handlers)
    if not handlers:
        return new
    with in_layer(task_layer(job, run)):
        return call_handlers(handlers, job.spec.task, old, new, steps.attempt_number(job.state))


def task_layer(job: Job, run: RunPort) -> TaskLayer:
    """Return the context layer for functions that are called for the task outside its attempt."""
    layer = TaskLayer(run, job, steps.attempt_number(job.state))
    layer.parent = run.layer if run.layer is not None else current_layer()
    return layer


@contextlib.contextmanager
def in_layer(layer: ContextLayer | None) -> Iterator[None]:
    """Run the block, a call of a user's function, with this context layer; its log lines are emitted at the end."""
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


def call_handlers(
    handlers: tuple[Callable[..., object], ...], subject: object, old: State, new: State, attempt: int = 1
) -> State:
    """Return the state after calling the handlers: each gets a copy of the state that the one before returned.

    None keeps the state. A handler that raises, or returns something else, makes it Failed.
    """
    for handler in handlers:
        name = steps.name_of(handler)
        try:
            answer = handler(subject, old, new.copy())
        except Signal as signal:
            answer = steps.signal_state(signal, attempt, time.time())
        except BaseException as error:  # noqa: BLE001  # user code
            return _handler_failed(f"State handler {name} raised {error_line(error)}", error)
        if answer is None:
            continue
        if not isinstance(answer, State):
            return _handler_failed(
                f"State handler {name} returned {safe_repr(answer)}. Return a State, or None to keep the one given."
            )
        new = answer
        if isinstance(new, Retrying) and new.run_count < attempt:
            new.run_count = attempt
    return new


def call_terminal_handler(
    handler: Callable[..., object], flow: object, old: State, new: State, reference: list[State]
) -> State:
    """Return the flow's final state after calling its terminal state handler with the states of its reference tasks."""

    def terminal_state_handler(subject: object, _: State, changed: State) -> object:
        return handler(subject, changed, reference)

    return call_handlers((terminal_state_handler,), flow, old, new)


def _handler_failed(message: str, cause: BaseException | None = None) -> Failed:
    error = HandlerError(message)
    error.__cause__ = cause
    return Failed(message, error)
