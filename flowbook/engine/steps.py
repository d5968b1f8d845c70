"""The steps of one task run that only decide (engine.md, section 4).

Pure: `now`, values and states are arguments. A step that ends the run returns the state it ends in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowbook.engine.remote_error import RemoteError, error_line
from flowbook.engine.signals import LOOP, RETRY, Signal
from flowbook.engine.state import (
    Cached,
    Failed,
    Mapped,
    Paused,
    Pending,
    Queued,
    Retrying,
    Scheduled,
    State,
    Submitted,
    TriggerFailed,
)
from flowbook.engine.triggers import all_successful
from flowbook.exceptions import HandlerError, RunError

if TYPE_CHECKING:
    from flowbook.engine.graph import RetryPolicy, TaskSpec

__all__ = [
    "attempt_number",
    "elements",
    "flat",
    "loop_start",
    "name_of",
    "note_loop",
    "rests",
    "retry_state",
    "signal_state",
    "skipped_by",
    "state_of_error",
    "trigger_state",
    "unwrap",
    "width_of",
]

#: RETRY signals in a row that may come at once; later ones wait.
_QUICK_RETRIES = 2
_SLOW_RETRY_S = 1.0


def unwrap(state: State) -> State:
    """Return the state inside Submitted ones."""
    while isinstance(state, Submitted) and state.state is not None:
        state = state.state
    return state


def attempt_number(state: State) -> int:
    """Return the number of the attempt that is about to begin, counted from 1."""
    return state.run_count + 1 if isinstance(state, (Retrying, Queued)) else 1


def loop_start(state: State) -> tuple[int, object]:
    """Return the round in which the attempt begins, counted from 1, and the result of the round before."""
    noted = state.context if isinstance(state, Scheduled) else {}
    count = noted.get("task_loop_count", 1)
    return (count, noted.get("task_loop_result")) if isinstance(count, int) else (1, None)


def note_loop(state: State, loop_count: int, loop_result: object) -> None:
    """Note the next round of the loop, and the result of the round before, in a state that runs again later."""
    if loop_count > 1 and isinstance(state, Scheduled):
        state.context = {**state.context, "task_loop_count": loop_count, "task_loop_result": loop_result}


def rests(state: State, now: float) -> bool:
    """Return whether the task doesn't run now: its state is final, or its start time hasn't come."""
    if not isinstance(state, (Pending, Mapped, Cached)):
        return True
    if isinstance(state, Scheduled):
        if state.start_time is None:
            return isinstance(state, Paused)
        return state.start_time.timestamp() > now
    return False


def skipped_by(spec: TaskSpec, upstream: Sequence[State]) -> str | None:
    """Return the name of an upstream task that was skipped and takes this one with it, or None."""
    if not spec.skip_on_upstream_skip and not spec.conditions:
        return None
    for binding, state in zip(spec.bindings, upstream, strict=True):
        if not spec.skip_on_upstream_skip and binding.upstream not in spec.conditions:
            continue
        if isinstance(state, Mapped) and binding.mapped:
            continue
        if state.is_skipped() or (isinstance(state, Mapped) and any(s.is_skipped() for s in state.map_states)):
            return binding.upstream
    return None


def trigger_state(spec: TaskSpec, upstream: Sequence[State], attempt: int, now: float) -> State | None:
    """Return the state that the task ends in if its trigger doesn't pass, else None.

    The trigger is user code: whatever it raises becomes TriggerFailed.
    """
    edges = {binding.edge: state for binding, state in zip(spec.bindings, upstream, strict=True)}
    trigger = spec.trigger or all_successful
    name = name_of(trigger)
    try:
        if trigger(edges):
            return None
    except Signal as signal:
        state = signal_state(signal, attempt, now)
        return state if not isinstance(state, Failed) else TriggerFailed(state.message, state.result)
    except BaseException as error:  # noqa: BLE001  # user code: it becomes a state, with its traceback
        return TriggerFailed(f"Trigger {name} raised {error_line(error)}", error)
    return TriggerFailed(f"Trigger {name} did not pass.")


def name_of(function: object) -> str:
    """Return the name of a user's function, or the type's name of another callable."""
    return getattr(function, "__name__", None) or type(function).__name__


def signal_state(signal: Signal, attempt: int, now: float) -> State:
    """Return the state that a signal raised by task code asks for."""
    state = signal.state
    if isinstance(signal, RETRY) and isinstance(state, Retrying):
        state.run_count = attempt
        if attempt > _QUICK_RETRIES and "start_time" not in signal.options:
            state.start_time = dt.datetime.fromtimestamp(now + _SLOW_RETRY_S, dt.UTC)
    if isinstance(signal, LOOP):
        state.message = state.message or "Looped."
    return state


def state_of_error(error: BaseException) -> State:
    """Return Failed for what task code raised."""
    return Failed(error_line(error), error)


def retry_state(
    state: State, retry: RetryPolicy | None, attempt: int, now: float, inputs: Mapping[str, object]
) -> Retrying | None:
    """Return Retrying if the task retries after this attempt, else None."""
    if (
        retry is None
        or not isinstance(state, Failed)
        or isinstance(state, TriggerFailed)
        or attempt > retry.max_retries
    ):
        return None
    if isinstance(state.raw_result, HandlerError):
        return None
    if retry.on is not None and not issubclass(_kind(state.raw_result), retry.on):  # never loads a value
        return None
    start = dt.datetime.fromtimestamp(now + retry.delay_s, dt.UTC)
    reason = (state.message or "It failed").rstrip(".")
    message = f"{reason}. Attempt {attempt + 1} of {retry.max_retries + 1} follows."
    return Retrying(message, state.raw_result, start, None, dict(inputs), attempt)


def _kind(error: object) -> type:
    """Return the type of the exception that a task raised, also where only its stand-in came back."""
    kind = error.kind if isinstance(error, RemoteError) else None
    return kind if kind is not None else type(error)


def elements(value: Any, argument: str) -> Sequence[Any]:  # noqa: ANN401  # whatever upstream returned
    """Return `value` as a sequence to map over; an iterator is read to its end.

    Raises:
        RunError: if it has no order or no elements; `argument` is named.
    """
    if isinstance(value, Sequence):
        return value
    if isinstance(value, (Mapping, set, frozenset)):
        raise _not_a_sequence(value, argument, "Map over list(x.items()), or over sorted(x) for a set.")
    if hasattr(value, "iloc"):
        if getattr(value, "ndim", 1) == 1:
            return value.tolist()  # type: ignore[no-any-return]  # a pandas Series
        raise _not_a_sequence(value, argument, "Split it first, e.g. into [part for _, part in frame.groupby(...)].")
    if isinstance(value, Iterable):
        try:
            return list(value)
        except TypeError:
            pass  # a zero-dimensional array says that it iterates, and does not
    raise _not_a_sequence(value, argument, "Return a list from the task above, or wrap it in unmapped(...).")


def flat(parts: Sequence[Any], argument: str) -> list[Any]:
    """Return the elements of all parts in order; a part without elements, or a text, counts as one element."""
    found: list[Any] = []
    for part in parts:
        if isinstance(part, Iterable) and not isinstance(part, (str, bytes)):
            found += elements(part, argument)
        else:
            found.append(part)
    return found


def width_of(spec: TaskSpec, mapped: Mapping[str, int]) -> int:
    """Return the number of children; `mapped` has the length of each mapped argument.

    Raises:
        RunError: if the lengths differ; names and lengths are in the message.
    """
    widths = set(mapped.values())
    if len(widths) != 1:
        lengths = ", ".join(f"{name} has {length}" for name, length in mapped.items())
        msg = (
            f"{spec.name} is mapped over inputs of different lengths: {lengths}. Make them equal, or use unmapped(...)."
        )
        raise RunError(msg, lengths=dict(mapped))
    return widths.pop()


def _not_a_sequence(value: object, argument: str, advice: str) -> RunError:
    kind = type(value).__name__
    msg = f"Can't map over {argument!r}: {'an' if kind[0] in 'aeiou' else 'a'} {kind} is not a sequence. {advice}"
    return RunError(msg, argument=argument)
