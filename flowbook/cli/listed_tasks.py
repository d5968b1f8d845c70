"""Which tasks of a run `flowbook run inspect` lists among very many, and what it says of the others. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flowbook.engine.state import Mapped
from flowbook.engine.state_kinds import DISPLAY_ORDER, NEEDS_ATTENTION, RUNNING, name_in_words
from flowbook.engine.task_keys import is_child_key, parent_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.flow_run.task_facts import TaskFacts

__all__ = ["counted", "left_out", "listed_tasks"]

#: Rows of a run, and children of one task that are listed whatever else there is to list.
_MOST, _MOST_CHILDREN = 40, 5


def listed_tasks(tasks: Sequence[TaskFacts], wanted: str | None) -> list[TaskFacts]:
    """Return the tasks that are listed, in their order.

    Args:
        tasks: of the run; or one task and those of its children that failed or wait.
        wanted: that task, if there is one.
    """
    if wanted is not None:
        return list(tasks[: _MOST_CHILDREN + 1])
    found = [each for each in tasks if each.is_of_interest]
    if len(found) <= _MOST:
        return found
    ranks = _ranks(found)
    chosen = {each.key for each in sorted(found, key=lambda each: ranks[each.key])[:_MOST]}
    return [each for each in found if each.key in chosen]


def _ranks(tasks: Iterable[TaskFacts]) -> dict[str, int]:
    """Return how soon each task is listed: those that fail, wait or run, some of their children, the others, more children."""
    seen: Counter[str] = Counter()
    ranks = {}
    for each in tasks:
        if is_child_key(each.key):
            parent = parent_key(each.key)
            seen[parent] += 1
            ranks[each.key] = 1 if seen[parent] <= _MOST_CHILDREN else 3
        else:
            ranks[each.key] = 0 if each.state_name in {*NEEDS_ATTENTION, *RUNNING} else 2
    return ranks


def counted(tasks: Sequence[TaskFacts]) -> str:
    """Return how many tasks and children are in each state; "" if there are so few that they are listed one by one."""
    if len(tasks) <= _MOST:
        return ""
    names: Counter[str] = Counter()
    for each in tasks:
        if isinstance(each.state, Mapped):
            names.update(map(name_in_words, each.state.map_states))
        elif not is_child_key(each.key):
            names[each.state_name] += 1
    what = "tasks and children" if any(is_child_key(each.key) for each in tasks) else "tasks"
    return f"{names.total():,} {what}: {_by_state(names)}"


def left_out(tasks: Sequence[TaskFacts], listed: Sequence[TaskFacts], command: str) -> str:
    """Return a sentence about the tasks that aren't listed, and how to see them; "" if all are.

    Args:
        tasks: all of them.
        listed: those that are listed.
        command: lists them all.
    """
    shown = {each.key for each in listed}
    hidden = [each for each in tasks if each.key not in shown]
    if not hidden:
        return ""
    if all(is_child_key(each.key) and each.state is not None and each.state.is_successful() for each in hidden):
        which = "1 child that went well is" if len(hidden) == 1 else f"{len(hidden):,} children that went well are"
        return f"{which} left out: --all"
    states = _by_state(Counter(each.state_name for each in hidden))
    return f"{len(hidden):,} more ({states}): {command}"


def _by_state(names: Counter[str]) -> str:
    order = [*DISPLAY_ORDER, *(name for name in names if name not in DISPLAY_ORDER)]
    return ", ".join(f"{names[name]:,} {name}" for name in order if names[name])
