"""Check the options of a task that depend on each other, and turn them into the engine's policies. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast

from flowbook.core import checks
from flowbook.engine import triggers
from flowbook.engine.steps import name_of
from flowbook.exceptions import ArgumentError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flowbook.engine.state import State

__all__ = ["approval", "handlers", "max_retries", "retries", "retry_delay", "retry_on"]

#: Later deadlines could be beyond the last day that can be reckoned with.
_LONGEST = dt.timedelta(days=36_525)
_ANSWERS = ("reject", "approve", "skip")


def max_retries(name: str, value: object) -> int:
    """Return how many attempts may follow the first."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        msg = f"Task {name!r}: max_retries={value!r} isn't a number of attempts. Give 0, 1, 2, ..."
        raise ArgumentError(msg, task=name, max_retries=value)
    return value or 0


def retry_delay(name: str, value: object) -> dt.timedelta:
    """Return the time before each further attempt."""
    if value is None:
        return dt.timedelta(0)
    found = checks.duration(f"Task {name!r}: retry_delay", value, "retry_delay=10")
    if found < dt.timedelta(0):
        msg = f"Task {name!r}: retry_delay={found.total_seconds():g} s is less than nothing. Give zero or more."
        raise DefinitionError(msg, task=name, retry_delay=found)
    return found


def retries(
    name: str, retries: int | None, delay: dt.timedelta | float | None, retry_on: object
) -> tuple[int, dt.timedelta]:
    """Return the number of attempts after the first, and the delay before each."""
    count = max_retries(name, retries)
    if count and delay is None:
        msg = f"Task {name!r} has max_retries={count} and no retry_delay. Add retry_delay=10, in seconds."
        raise DefinitionError(msg, task=name, max_retries=count)
    delay_s = retry_delay(name, delay)
    if delay is not None and not count:
        msg = f"Task {name!r} has a retry_delay and no max_retries. Add max_retries=3, or remove the delay."
        raise DefinitionError(msg, task=name, retry_delay=delay_s)
    if retry_on is not None and not count:
        msg = f"Task {name!r} has retry_on and no max_retries. Add max_retries=3 and a retry_delay."
        raise DefinitionError(msg, task=name)
    return count, delay_s


def retry_on(
    name: str, kinds: type[BaseException] | Iterable[type[BaseException]] | None
) -> tuple[type[BaseException], ...] | None:
    """Return the exception types that are retried, None for all."""
    if kinds is None:
        return None
    found: Sequence[object] = tuple(kinds) if isinstance(kinds, (tuple, list, set, frozenset)) else (kinds,)
    for kind in found:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            msg = f"Task {name!r}: retry_on has {kind!r}, which isn't an exception type. Give types, e.g. TimeoutError."
            raise ArgumentError(msg, task=name, retry_on=repr(kind))
    return cast("tuple[type[BaseException], ...]", found)


def approval(
    name: str, trigger: object, deadline: dt.timedelta | float | None, otherwise: object, asks: object
) -> tuple[dt.timedelta | None, str | None, str | None]:
    """Return how long a task waits for a person, the answer when nobody gives one, and who is asked."""
    given = {"deadline": deadline, "otherwise": otherwise, "asks": asks}
    option = next((each for each, value in given.items() if value is not None), None)
    if option is not None and trigger is not triggers.manual_only:
        msg = (
            f"Task {name!r} has {option}={_shown(given[option])}, but waits for nobody. "
            f"Add trigger=triggers.manual_only, or remove {option}."
        )
        raise DefinitionError(msg, task=name, option=option)
    if deadline is not None:
        deadline = checks.duration(f"Task {name!r}: deadline", deadline, "deadline=timedelta(hours=8)")
        if deadline <= dt.timedelta(0):
            msg = f"Task {name!r}: deadline={deadline.total_seconds():g} s leaves nobody time. Give more than zero."
            raise DefinitionError(msg, task=name, deadline=deadline)
        if deadline > _LONGEST:
            msg = f"Task {name!r}: deadline={deadline.total_seconds():g} s is beyond 100 years. Leave it out to wait for good."
            raise DefinitionError(msg, task=name, deadline=deadline)
    if not (otherwise is None or (isinstance(otherwise, str) and otherwise in _ANSWERS)):
        msg = f"Task {name!r}: otherwise={otherwise!r} isn't an answer. Give 'reject', 'approve' or 'skip'."
        raise ArgumentError(msg, task=name, otherwise=repr(otherwise))
    if otherwise is not None and deadline is None:
        msg = f"Task {name!r} has otherwise={otherwise!r} and no deadline. Add deadline=timedelta(hours=8)."
        raise DefinitionError(msg, task=name, otherwise=otherwise)
    if asks is not None and (not isinstance(asks, str) or not asks.strip()):
        msg = f"Task {name!r}: asks={asks!r} names nobody. Give a text, e.g. asks='finance'."
        raise ArgumentError(msg, task=name, asks=repr(asks))
    return deadline, "reject" if deadline is not None and otherwise is None else otherwise, asks


def _shown(value: object) -> str:
    return f"{value.total_seconds():g} s" if isinstance(value, dt.timedelta) else repr(value)


def handlers(
    state_handlers: Iterable[Callable[..., object]], on_failure: Callable[..., object] | None
) -> tuple[Callable[..., object], ...]:
    """Return the handlers of a task or flow; the last of them calls `on_failure` after a failure."""
    if on_failure is None:
        return tuple(state_handlers)

    def on_failure_handler(owner: object, _: State, new: State) -> State:
        if new.is_failed():
            on_failure(owner, new)
        return new

    on_failure_handler.__name__ = f"on_failure={name_of(on_failure)}"
    return (*state_handlers, on_failure_handler)
