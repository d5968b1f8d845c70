"""Options of a task that only fit together, and what the engine is told of them: when it runs again, what is kept of it.

Pure: looks, and refuses.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast

from flowbook.core import checks
from flowbook.engine import cache_validators
from flowbook.engine.graph import FilePolicy
from flowbook.engine.steps import name_of
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flowbook.core.task import Task
    from flowbook.engine.state import State
    from flowbook.results.files import Result

__all__ = ["files", "handlers", "retries", "retry_on", "validator"]


def retries(
    name: str, max_retries: int | None, delay: dt.timedelta | float | None, retry_on: object
) -> tuple[int, dt.timedelta]:
    """Return the number of attempts after a failure, and the time before each."""
    if max_retries is not None and (
        not isinstance(max_retries, int) or isinstance(max_retries, bool) or max_retries < 0
    ):
        msg = f"Task {name!r}: max_retries={max_retries!r} is not a number of attempts. Give 0, 1, 2, ..."
        raise DefinitionError(msg, task=name, max_retries=max_retries)
    if delay is not None and not isinstance(delay, dt.timedelta):
        if not isinstance(delay, (int, float)) or isinstance(delay, bool):
            advice = "Write timedelta(seconds=10), or a number of seconds."
            msg = f"Task {name!r}: retry_delay={delay!r} is not a time. {advice}"
            raise DefinitionError(msg, task=name, retry_delay=delay)
        delay = dt.timedelta(seconds=delay)
    if max_retries and delay is None:
        msg = f"Task {name!r} has max_retries={max_retries} and no retry_delay. Add retry_delay=timedelta(seconds=10)."
        raise DefinitionError(msg, task=name, max_retries=max_retries)
    if delay is not None and not max_retries:
        msg = f"Task {name!r} has a retry_delay and no max_retries. Add max_retries=3, or remove the delay."
        raise DefinitionError(msg, task=name, retry_delay=delay)
    if delay is not None and delay < dt.timedelta(0):
        msg = f"Task {name!r}: retry_delay={delay} lies in the past. Give zero or more."
        raise DefinitionError(msg, task=name, retry_delay=delay)
    if retry_on is not None and not max_retries:
        msg = f"Task {name!r} has retry_on and no max_retries. Add max_retries=3 and a retry_delay."
        raise DefinitionError(msg, task=name)
    return max_retries or 0, delay or dt.timedelta(0)


def retry_on(
    name: str, given: type[BaseException] | Iterable[type[BaseException]] | None
) -> tuple[type[BaseException], ...] | None:
    """Return the exception types that are retried, None for all."""
    if given is None:
        return None
    kinds: Sequence[object] = tuple(given) if isinstance(given, (tuple, list, set, frozenset)) else (given,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            msg = (
                f"Task {name!r}: retry_on has {kind!r}, which is not an exception type. Give types, e.g. TimeoutError."
            )
            raise DefinitionError(msg, task=name, retry_on=repr(kind))
    return cast("tuple[type[BaseException], ...]", tuple(kinds))


def validator(name: str, cache_for: dt.timedelta | None, given: Callable[..., bool] | None) -> Callable[..., bool]:
    """Return what says whether a stored output fits; without `cache_for` none ever does."""
    if cache_for is None:
        if given is not None and given is not cache_validators.never_use:
            msg = f"Task {name!r} has a cache_validator and no cache_for. Add cache_for=timedelta(hours=1)."
            raise DefinitionError(msg, task=name)
        return given or cache_validators.never_use
    if not isinstance(cache_for, dt.timedelta):
        msg = f"Task {name!r}: cache_for={cache_for!r} is not a timedelta. Write timedelta(hours=1)."
        raise DefinitionError(msg, task=name, cache_for=cache_for)
    if cache_for <= dt.timedelta(0):
        msg = f"Task {name!r}: cache_for={cache_for} keeps nothing. Give e.g. timedelta(hours=1), or leave it out."
        raise DefinitionError(msg, task=name, cache_for=cache_for)
    makers: tuple[object, ...] = (cache_validators.partial_inputs_only, cache_validators.partial_parameters_only)
    if given in makers:
        made = getattr(given, "__name__", "")
        msg = f"Task {name!r}: cache_validator {made} says not on what. Call it: {made}(validate_on=['x'])."
        raise DefinitionError(msg, task=name)
    checks.function(name, "cache_validator", given)
    return given or cache_validators.duration_only


def files(task: Task, flow_result: Result | None, *, is_mapped: bool) -> FilePolicy:
    """Return where the output of a task is written, which has a target or a result, or whose flow has one.

    Raises:
        DefinitionError: if the children of a mapped task would share one file.
    """
    result = task.result if task.result is not None else flow_result
    if result is None:
        from flowbook.results.files import Result  # noqa: PLC0415  # only where files are written

        result = Result()
    if is_mapped and not checks.has_fields(task.target if task.target is not None else result.location):
        msg = (
            f"Task {task.name!r} is mapped, and its children would all write {task.target or result.location!r}. "
            "Put {map_index} or an input into the name."
        )
        raise DefinitionError(msg, task=task.name)
    return FilePolicy(result, task.target, task.checkpoint)


def handlers(
    state_handlers: Iterable[Callable[..., object]], on_failure: Callable[..., object] | None
) -> tuple[Callable[..., object], ...]:
    """Return the handlers of a task or flow; the last of them calls `on_failure` where it failed."""
    if on_failure is None:
        return tuple(state_handlers)

    def on_failure_handler(owner: object, _: State, new: State) -> State:
        if new.is_failed():
            on_failure(owner, new)
        return new

    on_failure_handler.__name__ = f"on_failure={name_of(on_failure)}"
    return (*state_handlers, on_failure_handler)
