"""What a run came to, once nothing is left to do now. Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from flowbook.engine.mapped_states import child_states
from flowbook.engine.state import Failed, Mapped, Paused, Scheduled, Success
from flowbook.engine.task_keys import child_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State

__all__ = ["final_state", "waits_for_person"]

_NAMED_AT_MOST = 5


def final_state(graph: Graph, states: Mapping[str, State]) -> State:
    """Return the flow's state once nothing is left to do now: the first that fits of engine.md, section 5."""
    if any(not _has_ended(states, key) for key in graph.terminal):
        waiting = [key for key, state in states.items() if waits_for_person(state)]
        if waiting:
            return Paused(f"{_list(waiting)} {'waits' if len(waiting) == 1 else 'wait'} for a person.")
        return Scheduled("Tasks are left that are to run later.")
    failed = [key for each in graph.reference for key in _failed(states, each)]
    if failed:
        return Failed(f"{_list(failed)} failed.")
    return Success("All reference tasks succeeded.")


def waits_for_person(state: State | None) -> bool:
    """Return whether a task in this state goes on only when a person says so."""
    return isinstance(state, Paused) and state.start_time is None


def _has_ended(states: Mapping[str, State], key: str) -> bool:
    state = states[key]
    if isinstance(state, Mapped):
        return all(child.is_finished() for child in child_states(key, state, states))
    return state.is_finished()


def _failed(states: Mapping[str, State], key: str) -> list[str]:
    state = states[key]
    if isinstance(state, Mapped):
        return [child_key(key, i) for i, child in enumerate(child_states(key, state, states)) if child.is_failed()]
    return [key] if state.is_failed() else []


def _list(keys: list[str]) -> str:
    shown = ", ".join(islice(keys, _NAMED_AT_MOST))
    more = len(keys) - _NAMED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown
