"""The border around user code: a task's function is called here, and whatever it raises becomes a state."""

from __future__ import annotations

import contextvars
import sys
import time
from types import CoroutineType
from typing import TYPE_CHECKING

from flowbook._context import current_layer, enter_layer, leave_layer
from flowbook._utils import costs, threads
from flowbook.engine import forks, steps
from flowbook.engine.deadline import TIMED_CODE, DeadlinePassed, call_within
from flowbook.engine.prints import capture_prints
from flowbook.engine.signals import Signal
from flowbook.engine.state import Cancelled, State, Success, TimedOut
from flowbook.engine.stopping import Stopped, TaskThreads, is_called_by, stopped_by, task_threads
from flowbook.engine.task_log import OVER

if TYPE_CHECKING:
    from types import FrameType

    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.job import Job, RunPort
    from flowbook.engine.task_context import TaskLayer

__all__ = ["call_plainly", "call_task", "is_in_task", "is_in_user_code"]


def call_task(job: Job, run: RunPort, inputs: dict[str, object], layer: TaskLayer, attempt: int) -> State:
    """The border: user code runs in here, and nothing it raises gets out."""
    layer.parent = run.layer if run.layer is not None else current_layer()
    layer.log = None
    token = enter_layer(layer)
    begun = costs.begin()
    try:
        state = _called(job, run, inputs, layer, attempt)
        state.cost = costs.cost_since(begun) if job.spec.timeout_s is None else layer.timed_cost
        return state
    finally:
        leave_layer(token)
        if layer.log is not None:
            layer.log.close()
        layer.log = OVER


def _called(job: Job, run: RunPort, inputs: dict[str, object], layer: TaskLayer, attempt: int) -> State:
    try:
        return Success(None, _value(job, inputs, layer))
    except DeadlinePassed:
        return _timed_out(job)
    except BaseException as error:  # noqa: BLE001
        return _state_of(error, run, attempt)


def call_plainly(spec: TaskSpec, inputs: dict[str, object], layer: TaskLayer, run: RunPort) -> State:
    """The border, too, for the first call of a task without time limit and captured prints; in its layer already."""
    try:
        try:
            value = spec.run(**inputs)
            if type(value) is CoroutineType:
                value = _finish(value)
        finally:  # while the exception is at hand: its code is that of a forked copy
            if forks.forked_in is not None and forks.is_copy(layer):
                forks.end_copy(sys.exception())
        return Success(None, value)
    except BaseException as error:  # noqa: BLE001
        return _state_of(error, run, 1)


def _state_of(error: BaseException, run: RunPort, attempt: int) -> State:
    """Return the state of a task that raised."""
    if isinstance(error, Signal):
        return steps.signal_state(error, attempt, time.time())
    if isinstance(error, Stopped):
        return Cancelled((task_threads() or TaskThreads()).message)
    if run.interrupted and isinstance(error, KeyboardInterrupt):
        return Cancelled(stopped_by("Ctrl-C", ""))
    return steps.state_of_error(error)


def _value(job: Job, inputs: dict[str, object], layer: TaskLayer) -> object:
    try:
        if job.spec.log_stdout:
            with capture_prints(layer.own_log()):
                value = _timed(job, inputs, layer) if job.spec.timeout_s is not None else job.spec.run(**inputs)
        elif job.spec.timeout_s is not None:
            value = _timed(job, inputs, layer)
        else:
            value = job.spec.run(**inputs)
        return _finish(value) if type(value) is CoroutineType else value
    finally:
        if forks.forked_in is not None and forks.is_copy(layer):
            forks.end_copy(sys.exception())


def _timed(job: Job, inputs: dict[str, object], layer: TaskLayer) -> object:
    layer.timed_cost = None

    def call() -> object:
        begun = costs.begin()  # of this thread, which does the work
        try:
            value = job.spec.run(**inputs)
            return _finish(value) if type(value) is CoroutineType else value
        finally:
            layer.timed_cost = costs.cost_since(begun)

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


def is_in_task(frame: FrameType) -> bool:
    """Return whether a thread whose innermost frame this is runs a task's code, and doesn't only wait for its time limit."""
    return is_called_by(frame, _BORDERS, _WAITS)


def is_in_user_code(frame: FrameType | None) -> bool:
    """Return whether `frame` was called from inside the border, so that an exception raised there becomes a state."""
    while frame is not None:
        if frame.f_code is call_task.__code__ or frame.f_code is call_plainly.__code__:
            return True
        frame = frame.f_back
    return False


_BORDERS = frozenset({call_task.__code__, call_plainly.__code__, TIMED_CODE})
_WAITS = frozenset({call_within.__code__})
