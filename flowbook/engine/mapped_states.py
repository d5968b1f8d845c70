"""Collects the states of a mapped task's children from a table of states by key. Pure; values are never loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.state import Mapped, Pending
from flowbook.engine.task_keys import child_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.engine.state import State

__all__ = ["PENDING", "add_missing_children", "child_states", "children_of", "fill_children", "with_children"]

#: One shared value: 100,000 children that wait must not cost 100,000 states.
PENDING = Pending()


def child_states(key: str, mapped: Mapped, states: Mapping[str, State]) -> list[State]:
    """Return the states of all children of mapped task `key`, in order; a child without a state is Pending.

    Args:
        key: the mapped task's key.
        mapped: its own state; its `map_states` are used for children that `states` doesn't have.
        states: newest state by key.
    """
    known = mapped.map_states
    return [
        states.get(child) or (known[index] if index < len(known) else PENDING)
        for index, child in enumerate(child_keys(key, mapped.n_map_states))
    ]


def with_children(key: str, state: State, states: Mapping[str, State]) -> State:
    """Return a task's state; for a mapped task, a copy with the states of all its children."""
    if not isinstance(state, Mapped):
        return state
    whole = state.copy()
    whole.map_states = child_states(key, state, states)
    return whole


def fill_children(states: dict[str, State], keys: Iterable[str] | None = None) -> None:
    """Replace the mapped tasks in `states` (only those in `keys`, if given) by copies that have all their children."""
    for key in list(states if keys is None else keys):
        state = states.get(key)
        if isinstance(state, Mapped):
            states[key] = with_children(key, state, states)


def add_missing_children(states: dict[str, State], keys: Iterable[str] | None = None) -> None:
    """Add the children of mapped tasks (only of those in `keys`, if given) that have no state yet: they are Pending."""
    for key in list(states if keys is None else keys):
        for child in children_of(key, states):
            states.setdefault(child, PENDING)


def children_of(key: str, states: Mapping[str, State]) -> list[str]:
    """Return the keys of a mapped task's children; () for other tasks."""
    state = states.get(key)
    return list(child_keys(key, state.n_map_states)) if isinstance(state, Mapped) else []
