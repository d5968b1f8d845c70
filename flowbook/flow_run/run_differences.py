"""Why tasks of two runs differ: by themselves, or because of what they get. Pure; compares hashes and loads no value."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flowbook.engine.mapped_states import children_of
from flowbook.engine.state import Mapped, Success
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from flowbook.engine.state import State

__all__ = ["OWN_CAUSES", "Cause", "TaskDifference", "task_differences"]

#: "new" and "gone": only one run has the task. "parameter", "edited", "state" (it ended in another way, such as rejected) and
#: "output" (other than before; for these two, all that it got and its definition are the same): by itself. "input": because of
#: what it gets. "": it is the same.
Cause = Literal["new", "gone", "parameter", "edited", "input", "state", "output", ""]
OWN_CAUSES = ("new", "gone", "parameter", "edited", "state", "output")


@dataclass(frozen=True, slots=True)
class TaskDifference:
    """A task in two runs.

    Attributes:
        cause: why it differs; "" if it doesn't.
        hashes: of its output in both; "" where none is known, as for a task that failed or a run that isn't stored.
        above: tasks right above it whose outputs differ.
        children: of a mapped task, how many of its children differ, and how many there are; None for other tasks.
    """

    cause: Cause
    hashes: tuple[str, str]
    above: tuple[str, ...] = ()
    children: tuple[int, int] | None = None

    @property
    def is_other_output(self) -> bool:
        """Whether what lies below gets something else; also where a hash is missing and it differs."""
        before, after = self.hashes
        return before != after if before or after else bool(self.cause)


def task_differences(
    before: tuple[Mapping[str, Any], Mapping[str, State]],
    after: tuple[Mapping[str, Any], Mapping[str, State]],
    edited: AbstractSet[str],
) -> dict[str, TaskDifference]:
    """Return the difference of each task that either run has: in the order of the second, then those that are gone.

    Args:
        before: the record of the first run's graph, and its states.
        after: those of the second.
        edited: keys of tasks whose definition is another one, and of parameters whose value is.
    """
    (old, old_states), (new, new_states) = before, after
    known = {task["key"] for task in old["tasks"]}
    found: dict[str, TaskDifference] = {}
    for task in new["tasks"]:
        key = task["key"]
        hashes = _hash_of(key, old_states), _hash_of(key, new_states)
        above = tuple(up for up in task["upstream"] if up in found and found[up].is_other_output)
        ends = _end_of(key, old_states), _end_of(key, new_states)
        cause = _cause(task, _Sides(hashes, ends), above, key in edited, key in known)
        found[key] = TaskDifference(cause, hashes, above, _differing_children(key, old_states, new_states))
    remaining = [task["key"] for task in old["tasks"] if task["key"] not in found]
    return found | {key: TaskDifference("gone", (_hash_of(key, old_states), "")) for key in remaining}


class _Sides(NamedTuple):
    """A task's output and its end in both runs; "" and () where they aren't known."""

    hashes: tuple[str, str]
    ends: tuple[tuple[str, ...], tuple[str, ...]]


def _cause(
    task: Mapping[str, Any],
    sides: _Sides,
    above: tuple[str, ...],
    is_edited: bool,  # noqa: FBT001  # a fact about the task
    is_known: bool,  # noqa: FBT001  # likewise
) -> Cause:
    if not is_known:
        return "new"
    is_other = all(sides.hashes) and sides.hashes[0] != sides.hashes[1]
    if task.get("parameter"):
        return "parameter" if is_other or is_edited else ""
    if is_edited:
        return "edited"
    if above:
        return "input"
    if all(sides.ends) and sides.ends[0] != sides.ends[1]:
        return "state"
    return "output" if is_other else ""


def _hash_of(key: str, states: Mapping[str, State]) -> str:
    """Return the hash of a task's output; of a mapped task, one of those of all its children."""
    state = states.get(key)
    if isinstance(state, Mapped):
        found = [_own_hash(states[child]) for child in children_of(key, states)]
        return hashlib.sha256(" ".join(found).encode()).hexdigest() if any(found) else ""
    return "" if state is None else _own_hash(state)


def _end_of(key: str, states: Mapping[str, State]) -> tuple[str, ...]:
    """Return how a task ended, and each child of a mapped one; () if that isn't known."""
    state = states.get(key)
    if isinstance(state, Mapped):
        return (Mapped.__name__, *(_own_end(states[child]) for child in children_of(key, states)))
    return () if state is None else (_own_end(state),)


def _own_end(state: State) -> str:
    """Return the name of a state; one that has an output is a Success, wherever that came from."""
    return Success.__name__ if state.is_successful() and not state.is_skipped() else type(state).__name__


def _differing_children(key: str, before: Mapping[str, State], after: Mapping[str, State]) -> tuple[int, int] | None:
    """Return how many children of a mapped task have another output or end than before, or are new, and how many there are."""
    if not isinstance(after.get(key), Mapped):
        return None
    children = list(children_of(key, after))
    others = [child for child in children if child not in before or _told(before[child]) != _told(after[child])]
    return len(others), len(children)


def _told(state: State) -> tuple[str, str]:
    return _own_hash(state), _own_end(state)


def _own_hash(state: State) -> str:
    raw = state.raw_result if state.is_successful() and not state.is_skipped() else None
    return raw.digest if is_reference(raw) else ""
