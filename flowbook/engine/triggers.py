"""Triggers: decide from the states upstream whether a task may run.

A trigger is a function of `{edge: state}`, called once all upstream states are finished. It returns True or False, or raises a
signal, which becomes the task's state. A mapped upstream counts as its children. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.signals import PAUSE, SKIP, TRIGGERFAIL
from flowbook.engine.state import Mapped, TriggerFailed
from flowbook.engine.state_kinds import failed_by_itself
from flowbook.engine.task_keys import child_key
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.state import State

    Trigger = Callable[[Mapping[object, State]], bool]

__all__ = [
    "all_failed",
    "all_finished",
    "all_successful",
    "always_run",
    "any_failed",
    "any_successful",
    "manual_only",
    "not_all_skipped",
    "some_failed",
    "some_successful",
]

_NAMED_AT_MOST = 3


def all_successful(upstream_states: Mapping[object, State]) -> bool:
    """Pass if nothing upstream failed; the default."""
    bad = [(name, state) for name, state in _each(upstream_states) if not state.is_successful()]
    if bad:
        msg = f"{_named([name for name, _ in bad])} {_how([state for _, state in bad])}."
        raise TRIGGERFAIL(msg)
    return True


def all_failed(upstream_states: Mapping[object, State]) -> bool:
    """Pass if everything upstream failed."""
    good = [name for name, state in _each(upstream_states) if not state.is_failed()]
    if good:
        msg = f"all_failed: {_list(good)} did not fail."
        raise TRIGGERFAIL(msg)
    return True


def all_finished(upstream_states: Mapping[object, State]) -> bool:
    """Always pass: triggers are called only when everything upstream is finished."""
    del upstream_states
    return True


always_run = all_finished


def any_successful(upstream_states: Mapping[object, State]) -> bool:
    """Pass if at least one task upstream succeeded."""
    if upstream_states and not any(state.is_successful() for _, state in _each(upstream_states)):
        msg = "any_successful: nothing above it succeeded."
        raise TRIGGERFAIL(msg)
    return True


def any_failed(upstream_states: Mapping[object, State]) -> bool:
    """Pass if at least one task upstream failed."""
    if upstream_states and not any(state.is_failed() for _, state in _each(upstream_states)):
        msg = "any_failed: nothing above it failed."
        raise TRIGGERFAIL(msg)
    return True


def not_all_skipped(upstream_states: Mapping[object, State]) -> bool:
    """Pass if nothing upstream failed and not everything was skipped; if everything was, the task is skipped as well."""
    each = list(_each(upstream_states))
    if each and all(state.is_skipped() for _, state in each):
        msg = "Everything above it was skipped."
        raise SKIP(msg)
    return all_successful(upstream_states)


def manual_only(upstream_states: Mapping[object, State]) -> bool:
    """Never pass: the task is Paused until a person resumes it."""
    del upstream_states
    msg = "Waits for a person, by its trigger manual_only."
    raise PAUSE(msg)


def some_successful(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Return a trigger that passes if the number of successes is within these bounds.

    Args:
        at_least: a count (int), or a fraction of everything upstream (float from 0 to 1). None: no lower bound.
        at_most: likewise, upwards.
    """
    _check_bounds("some_successful", at_least, at_most)

    def some_successful(upstream_states: Mapping[object, State]) -> bool:
        each = list(_each(upstream_states))
        return _within("some_successful", sum(s.is_successful() for _, s in each), len(each), at_least, at_most)

    return some_successful


def some_failed(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Return a trigger that passes if the number of failures is within these bounds, as in `some_successful`."""
    _check_bounds("some_failed", at_least, at_most)

    def some_failed(upstream_states: Mapping[object, State]) -> bool:
        each = list(_each(upstream_states))
        return _within("some_failed", sum(s.is_failed() for _, s in each), len(each), at_least, at_most)

    return some_failed


def _each(upstream_states: Mapping[object, State]) -> list[tuple[str, State]]:
    found: list[tuple[str, State]] = []
    for edge, state in upstream_states.items():
        name = _name(edge)
        if isinstance(state, Mapped):
            found.extend((child_key(name, i), child) for i, child in enumerate(state.map_states))
        else:
            found.append((name, state))
    return found


def _name(edge: object) -> str:
    return str(getattr(getattr(edge, "upstream_task", None), "name", edge))


def _list(names: list[str]) -> str:
    named = ", ".join(repr(name) for name in names[:_NAMED_AT_MOST])
    more = len(names) - _NAMED_AT_MOST
    return f"{named} and {more} more" if more > 0 else named


def _named(names: list[str]) -> str:
    """Return names as in a sentence."""
    more = len(names) - _NAMED_AT_MOST
    if more > 0:
        return f"{', '.join(names[:_NAMED_AT_MOST])} and {more} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _how(states: list[State]) -> str:
    """Return in words what became of tasks that did not succeed."""
    if all(failed_by_itself(state) for state in states):
        return "failed"
    return "did not run" if all(isinstance(state, TriggerFailed) for state in states) else "did not succeed"


def _check_bounds(name: str, at_least: float | None, at_most: float | None) -> None:
    for label, bound in (("at_least", at_least), ("at_most", at_most)):
        if bound is None:
            continue
        is_number = isinstance(bound, (int, float)) and not isinstance(bound, bool)
        if not is_number or bound < 0 or (isinstance(bound, float) and bound > 1):
            msg = f"{name}({label}={bound!r}): give a count (0, 1, 2, ...) or a fraction from 0.0 to 1.0."
            raise DefinitionError(msg, **{label: bound})
    if at_least is None and at_most is None:
        msg = f"{name}() has no bound. Give at_least, at_most or both."
        raise DefinitionError(msg)


def _within(name: str, count: int, total: int, at_least: float | None, at_most: float | None) -> bool:
    low = _count(at_least, total) if at_least is not None else 0.0
    high = _count(at_most, total) if at_most is not None else total
    if not low <= count <= high:
        msg = f"{name}: {count} of {total}, wanted {low:g} to {high:g}."
        raise TRIGGERFAIL(msg)
    return True


def _count(bound: float, total: int) -> float:
    return bound * total if isinstance(bound, float) else bound
