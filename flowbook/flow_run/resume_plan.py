"""From where a run goes on: which of its tasks wait, failed or are unfinished, and the states that they begin in then.

States and events come as arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, Decided
from flowbook.engine.mapped_states import children_of
from flowbook.engine.state import Cached, Pending, Running, Success, TriggerFailed
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_keys import child_key, parent_key, split_child_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Reversible, Sequence

    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State

__all__ = [
    "broken_off",
    "failed",
    "first_of",
    "resumed_by",
    "started_again",
    "to_set_up_again",
    "to_try_again",
    "unfinished",
    "waiting",
]


def broken_off(states: Mapping[str, State]) -> dict[str, State]:
    """Return the states of a run whose process ended in the middle."""
    lost = "Its process ended while it ran; it is to run again."
    return {key: Pending(lost) if isinstance(state, Running) else state for key, state in states.items()}


def waiting(states: Mapping[str, State], keys: Iterable[str]) -> tuple[str, ...]:
    """Return which of these wait for a person; for a mapped task its children that do."""
    return tuple(
        each for key in keys for each in (key, *children_of(key, states)) if waits_for_person(states.get(each))
    )


def resumed_by(events: Reversible[Event], key: str) -> str:
    """Return who decided last that a task, or the run, goes on; "" where nobody is known to have."""
    task = parent_key(key)
    decided = (event for event in reversed(events) if isinstance(event, Decided) and event.action == "resume")
    return next((e.by for e in decided if e.key in (key, task, FLOW) or parent_key(e.key) == key), "")


def unfinished(graph: Graph, states: Mapping[str, State]) -> dict[str, State]:
    """Return states to go on from: finished ones stay (a Cached one is not asked for again), others begin anew."""
    found: dict[str, State] = {}
    for key, state in states.items():
        if isinstance(state, Cached):
            found[key] = Success(state.message, state.raw_result)  # never loads a value
        elif isinstance(state, Running) or state.is_cancelled():
            found[key] = Pending()
        else:
            found[key] = state
    open_ones = [key for key in graph.specs if not found[key].is_finished()]
    for key in graph.to_set_up_again(open_ones, lambda key: found[key].is_finished()):
        found[key] = Pending("To be set up again: it was cleaned up.")
    return found


def started_again(states: Mapping[str, State], start: Iterable[str], begun: Mapping[str, State]) -> dict[str, State]:
    """Return the states that tasks where a run started begin in once more: with the inputs that they were given.

    Args:
        states: as `unfinished` returned them.
        start: keys of these tasks, or of children of mapped ones.
        begun: the states that were given.
    """
    found = {key: begun[key].cached_inputs for key in start if key in begun and type(states.get(key)) is Pending}
    return {**states, **{key: Pending(cached_inputs=inputs) for key, inputs in found.items() if inputs}}


def failed(states: Mapping[str, State]) -> list[str]:
    """Return what failed by itself, not by its trigger."""
    return [key for key, state in states.items() if state.is_failed() and not isinstance(state, TriggerFailed)]


def to_set_up_again(graph: Graph, states: Mapping[str, State], failed: Sequence[str]) -> list[str]:
    """Return the resources that were cleaned up and that these failed tasks need: their set-up and clean-up."""
    tasks = [parent_key(key) for key in failed]
    found = graph.to_set_up_again(tasks, lambda key: states[key].is_finished())
    return [key for key in found if key not in failed]


def to_try_again(graph: Graph, states: Mapping[str, State], failed: Sequence[str]) -> dict[str, State]:
    """Return the states in which these failed tasks, and what failed by its trigger below them, may run once more."""
    found = dict(states)
    below = graph.downstream(parent_key(key) for key in failed)
    for key, state in states.items():
        if isinstance(state, TriggerFailed) and parent_key(key) in below:
            found[key] = Pending()
    for key in failed:
        found[key] = Pending("To be tried again.", cached_inputs=found[key].cached_inputs)
    return found


def first_of(graph: Graph, failed: Sequence[str]) -> tuple[str, ...]:
    """Return those that failed by themselves; one below another of them runs in its turn, after that one."""
    among = set(failed)
    specs = graph.specs
    below = graph.downstream(each for key in failed if key in specs for each in graph.children[key])

    def is_first(key: str) -> bool:
        if key in specs:
            return key not in below
        parent, index = split_child_key(key)
        above = (b.upstream for b in specs[parent].bindings if b.mapped)
        return parent not in below and not any(child_key(up, index) in among for up in above)

    return tuple(key for key in failed if is_first(key))
