"""Decides the state in which a flow ends or pauses. Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from flowbook.engine.answer import was_rejected
from flowbook.engine.mapped_states import child_states
from flowbook.engine.state import Failed, Mapped, Paused, Scheduled, State, Success, TriggerFailed
from flowbook.engine.state_kinds import failed_by_itself, waits_for_person
from flowbook.engine.task_keys import parent_key, split_key
from flowbook.exceptions import UnknownTaskError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.engine.graph import Graph

__all__ = ["ALL_WELL", "TaskResults", "final_state", "task_results"]

#: The message of a run that succeeded; views show it only where a task failed all the same, see `endOf` of format.js.
ALL_WELL = "All tasks that decide the run succeeded."
_NAMED_AT_MOST = 3
#: The most characters that are shown of why a task failed; its own state has the whole text.
_REASON_CHARS = 200


def final_state(graph: Graph, states: Mapping[str, State]) -> State:
    """Return the flow's state once no task runs or sleeps; the rules and their order follow engine.md, section 5."""
    # Most flows end with plain successes: looked at first, as there may be very many.
    ends = graph.terminal if graph.terminal == graph.reference else {*graph.terminal, *graph.reference}
    if not [key for key in ends if type(states[key]) is not Success]:
        return Success(ALL_WELL)
    if any(not _has_ended(states, key) for key in graph.terminal):
        waiting = [key for key, state in states.items() if waits_for_person(state)]
        if waiting:
            verb = "waits" if len(waiting) == 1 else "wait"
            first = _first_answered(states[key] for key in waiting)
            return Paused(
                f"{_list(waiting)} {verb} for a person.",
                deadline=None if first is None else first.deadline,
                otherwise="" if first is None else first.otherwise,
            )
        return Scheduled("Some tasks have yet to run, at a later time.")
    failed = [key for key in graph.reference if _has_failed(states, key)]
    if failed:
        return Failed(_why_failed(graph, states, failed))
    return Success(ALL_WELL)


def _first_answered(waiting: Iterable[State]) -> Paused | None:
    """Return the waiting task's state whose deadline comes first; None if none has one."""
    found = [(state.deadline, state) for state in waiting if isinstance(state, Paused) and state.deadline is not None]
    return min(found, key=lambda each: each[0])[1] if found else None


class TaskResults(dict[object, State]):
    """The state of each of the author's tasks. Keys are the tasks; a task's key, and the decorated function, find it too."""

    def __init__(self, graph: Graph, states: Mapping[object, State]) -> None:
        super().__init__(states)
        self._graph = graph

    def __missing__(self, task: object) -> State:
        """Find a task as `FlowRun` does. Raises UnknownTaskError, a KeyError."""
        key = self._graph.key_of(task)
        state = self[self._graph.specs[parent_key(key)].task]
        if key == parent_key(key):
            return state
        _, index = split_key(key)
        children = state.map_states if isinstance(state, Mapped) else []
        if index is None or index >= len(children):
            msg = f"There is no {key!r}: {parent_key(key)!r} has {len(children):,} children."
            raise UnknownTaskError(msg, key=key)
        return children[index]

    def __reduce__(self) -> tuple[object, ...]:
        return dict, (dict(self),)


def task_results(graph: Graph, states: Mapping[str, State]) -> TaskResults:
    """Return the state of each of the author's tasks; of a mapped one with all its children, unfinished ones too."""
    found: dict[object, State] = {
        spec.task: state if type(state := states[key]) is not Mapped else _whole(key, state, states)
        for key, spec in graph.specs.items()
    }
    return TaskResults(graph, found)


def _whole(key: str, state: Mapped, states: Mapping[str, State]) -> State:
    if len(state.map_states) != state.n_map_states:
        return Mapped(state.message, map_states=child_states(key, state, states))
    return state


def _has_ended(states: Mapping[str, State], key: str) -> bool:
    state = states[key]
    if isinstance(state, Mapped):
        return all(child.is_finished() for child in child_states(key, state, states))
    return state.is_finished()


def _has_failed(states: Mapping[str, State], key: str) -> bool:
    state = states[key]
    if isinstance(state, Mapped):
        return any(child.is_failed() for child in child_states(key, state, states))
    return state.is_failed()


def _why_failed(graph: Graph, states: Mapping[str, State], failed: Iterable[str]) -> str:
    """Return which tasks failed by themselves, and how many did not run because of that.

    Args:
        graph: of the run.
        states: newest state by key, children included.
        failed: reference tasks that failed, or have children that did.
    """
    among = _and_above(graph, failed)
    culprits = [key for key, state in states.items() if failed_by_itself(state) and parent_key(key) in among]
    not_run = [key for key, state in states.items() if isinstance(state, TriggerFailed) and _is_task(graph, key)]
    if not culprits:
        first = next(key for key in not_run if parent_key(key) in among)
        reason = _reason(states[first])
        return f"{first} did not run{f': {reason}' if reason else ''}{_and_others(len(not_run) - 1, 'it')}."
    below = graph.downstream(parent_key(key) for key in culprits)
    count = sum(parent_key(key) in below for key in not_run)
    if len(culprits) > 1:
        return f"{len(culprits):,} tasks failed: {_list(culprits)}{_and_others(count, 'them')}."
    reason = _reason(states[culprits[0]])
    if was_rejected(states[culprits[0]]):
        return f"{culprits[0]} was {reason[:1].lower()}{reason[1:]}{_and_others(count, 'it')}."
    return f"{culprits[0]} failed{f': {reason}' if reason else ''}{_and_others(count, 'it')}."


def _is_task(graph: Graph, key: str) -> bool:
    """Return whether a key is of a task that somebody wrote, not of one that only gathers the results of others."""
    return not graph.specs[parent_key(key)].gathers


def _and_above(graph: Graph, keys: Iterable[str]) -> set[str]:
    """Return `keys` and all tasks above them."""
    seen = set(keys)
    stack = list(seen)
    while stack:
        fresh = [up for up in graph.specs[stack.pop()].upstream if up not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return seen


def _reason(state: State) -> str:
    """Return why a task failed, in one line without its full stop."""
    lines = (state.message or "").strip().splitlines()
    line = lines[0].rstrip(" .") if lines else ""
    return line if len(line) <= _REASON_CHARS else f"{line[:_REASON_CHARS]}…"


def _and_others(count: int, below: str) -> str:
    return f"; {count:,} {'task' if count == 1 else 'tasks'} below {below} did not run" if count else ""


def _list(keys: list[str]) -> str:
    *first, last = [*islice(keys, _NAMED_AT_MOST)]
    more = len(keys) - _NAMED_AT_MOST
    if more > 0:
        return f"{', '.join([*first, last])} and {more:,} more"
    return f"{', '.join(first)} and {last}" if first else last
