"""How a task's outputs are cached: its options `cache`, `cache_for`, `cache_validator`, and the flow's `cache`. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flowbook.core import checks
from flowbook.engine import cache_validators
from flowbook.exceptions import ArgumentError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["duration", "flow_switch", "switch", "validator"]


def duration(name: str, given: dt.timedelta | float | None) -> dt.timedelta | None:
    """Return `cache_for` as a timedelta; a number is seconds."""
    if given is None:
        return None
    found = checks.duration(f"Task {name!r}: cache_for", given, "cache_for=timedelta(hours=1)")
    if found <= dt.timedelta(0):
        seconds = found.total_seconds()
        msg = f"Task {name!r}: cache_for={seconds:g} s caches nothing. Give e.g. timedelta(hours=1), or leave it out."
        raise DefinitionError(msg, task=name, cache_for=given)
    return found


def switch(name: str, given: object, cache_for: dt.timedelta | None, *, keep: bool) -> bool | None:
    """Return the option `cache`: True, False, or None where the flow decides."""
    if given is not None and not isinstance(given, bool):
        msg = (
            f"Task {name!r}: cache={given!r} isn't a switch. Give True or False; how long is cache_for=timedelta(...)."
        )
        raise ArgumentError(msg, task=name, cache=repr(given))
    if given is False and cache_for is not None:
        msg = f"Task {name!r} has cache=False and cache_for={cache_for}. Remove one."
        raise DefinitionError(msg, task=name, cache_for=cache_for)
    if given and not keep:
        msg = f"Task {name!r} has cache=True and keep=False, which stores nothing. Remove one."
        raise DefinitionError(msg, task=name)
    return given


def validator(
    name: str, cache_for: dt.timedelta | None, given: Callable[..., bool] | None, *, cache: bool | None
) -> Callable[..., bool]:
    """Return what decides whether a stored output fits; without `cache` and `cache_for` none ever does."""
    if not cache and cache_for is None:
        if given is not None and given is not cache_validators.never_use:
            msg = f"Task {name!r} has a cache_validator and no cache_for. Add cache_for=timedelta(hours=1), or cache=True."
            raise DefinitionError(msg, task=name)
        return given or cache_validators.never_use
    makers: tuple[object, ...] = (cache_validators.partial_inputs_only, cache_validators.partial_parameters_only)
    if given in makers:
        made = getattr(given, "__name__", "")
        msg = f"Task {name!r}: cache_validator={made} doesn't say what to compare. Call it: {made}(validate_on=['x'])."
        raise DefinitionError(msg, task=name)
    checks.function(name, "cache_validator", given)
    return given or (cache_validators.code_and_inputs if cache else cache_validators.duration_only)


def flow_switch(name: str, given: object) -> bool:
    """Return a flow's option `cache`."""
    if not isinstance(given, bool):
        msg = f"Flow {name!r}: cache={given!r} isn't a switch. Give True or False."
        raise ArgumentError(msg, flow=name, cache=repr(given))
    return given
