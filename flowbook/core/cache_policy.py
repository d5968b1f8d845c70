"""How a task's outputs are cached: its options `cache`, `cache_for`, `cache_validator`, and the flow's `cache`. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

from flowbook.core import checks
from flowbook.engine import cache_validators
from flowbook.exceptions import ArgumentError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FlowCache", "duration", "flow_switch", "switch", "validator"]

#: A flow's option `cache`. "incremental" also lets outputs of tasks that give only `cache_for` be compared by code and inputs.
FlowCache = bool | Literal["incremental"]


def duration(name: str, value: dt.timedelta | float | None) -> dt.timedelta | None:
    """Return `cache_for` as a timedelta; a number is seconds."""
    if value is None:
        return None
    found = checks.duration(f"Task {name!r}: cache_for", value, "cache_for=timedelta(hours=1)")
    if found <= dt.timedelta(0):
        seconds = found.total_seconds()
        msg = f"Task {name!r}: cache_for={seconds:g} s caches nothing. Give e.g. timedelta(hours=1), or leave it out."
        raise DefinitionError(msg, task=name, cache_for=value)
    return found


def switch(name: str, value: object, cache_for: dt.timedelta | None, *, keep: bool) -> bool | None:
    """Return the option `cache`: True, False, or None where the flow decides."""
    if value is not None and not isinstance(value, bool):
        msg = (
            f"Task {name!r}: cache={value!r} isn't a switch. Give True or False; how long is cache_for=timedelta(...)."
        )
        raise ArgumentError(msg, task=name, cache=repr(value))
    if value is False and cache_for is not None:
        msg = f"Task {name!r} has cache=False and cache_for={cache_for}. Remove one."
        raise DefinitionError(msg, task=name, cache_for=cache_for)
    if value and not keep:
        msg = f"Task {name!r} has cache=True and keep=False, which stores nothing. Remove one."
        raise DefinitionError(msg, task=name)
    return value


def validator(
    name: str, cache_for: dt.timedelta | None, value: Callable[..., bool] | None, *, cache: bool | None
) -> Callable[..., bool]:
    """Return what decides whether a stored output fits; without `cache` and `cache_for` none ever does."""
    if not cache and cache_for is None:
        if value is not None and value is not cache_validators.never_use:
            msg = f"Task {name!r} has a cache_validator and no cache_for. Add cache_for=timedelta(hours=1), or cache=True."
            raise DefinitionError(msg, task=name)
        return value or cache_validators.never_use
    makers: tuple[object, ...] = (cache_validators.partial_inputs_only, cache_validators.partial_parameters_only)
    if value in makers:
        made = getattr(value, "__name__", "")
        msg = f"Task {name!r}: cache_validator={made} doesn't say what to compare. Call it: {made}(validate_on=['x'])."
        raise DefinitionError(msg, task=name)
    checks.function(name, "cache_validator", value)
    return value or (cache_validators.code_and_inputs if cache else cache_validators.duration_only)


def flow_switch(name: str, value: object) -> FlowCache:
    """Return a flow's option `cache`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value == "incremental":
        return "incremental"
    msg = f"Flow {name!r}: cache={value!r} isn't a switch. Give True, False, or 'incremental'."
    raise ArgumentError(msg, flow=name, cache=repr(value))
