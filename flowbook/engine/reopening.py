"""Retrying failed tasks of a live run: they are reopened, and with them the tasks below that could not run because of them.

A task below may be running at that moment, and have read upstream states too early. Its result is then dropped, and it waits
again. Pure, like the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.answer import to_try_again
from flowbook.engine.mapped_states import PENDING
from flowbook.engine.messages import Emit
from flowbook.engine.progress import open_group
from flowbook.engine.state import Pending, TriggerFailed
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_keys import child_key

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from flowbook.engine.messages import Instruction
    from flowbook.engine.progress import Progress
    from flowbook.engine.state import State

__all__ = ["goes_by_what_is_above", "is_early", "ran_too_early", "reopen", "wait_for_reopened"]


def reopen(progress: Progress, keys: Iterable[str], out: list[Instruction]) -> list[str]:
    """Reopen failed tasks, and the tasks below whose triggers failed; return what can run at once.

    Tasks below wait for them again. If they need resources that were cleaned up, those are set up again.
    """
    progress.has_reopened = True
    roots = dict.fromkeys(keys)
    tasks = [progress.children.get(key, (key, 0))[0] for key in roots]
    for key in progress.graph.to_set_up_again(tasks, lambda key: progress.states[key].is_finished()):
        progress.failed.add(key)
        roots[key] = None
    for key in roots:
        _open(progress, key, to_try_again(progress.states[key]), roots, out)
    return [key for key in roots if not progress.left.get(key)]


def _open(progress: Progress, key: str, state: State, roots: Container[str], out: list[Instruction]) -> None:
    """Undo that `key` has settled, for itself and for what was let go by it; without recursion, as chains are long.

    Others of `roots` wait for it as well where they are below, and are opened in their own turn.
    """
    opened = [(key, state)]
    while opened:
        each, now = opened.pop()
        if each not in progress.failed:
            continue
        progress.failed.discard(each)
        progress.states[each] = now
        out.append(Emit(each, now))
        child = progress.children.get(each)
        waits = _undone(progress, each) if child is None else _undone_child(progress, *child, out)
        below = [one for one, whole in waits if _wait_again(progress, one, whole, roots, out)]
        opened += [(one, Pending("Waits for a task that is retried.")) for one in below]


def _undone(progress: Progress, key: str) -> list[tuple[str, str | None]]:
    """Return what is below and was let go when `key` had settled; children that get it whole stand beside its key."""
    group = progress.groups.get(key)
    linked = () if group is None else group.linked
    undone: list[tuple[str, str | None]] = []
    for below in progress.graph.children[key]:
        if below in linked:
            continue
        if below in progress.groups:
            width = progress.groups[below].width
            undone += [(child_key(below, index), key) for index in range(width)]
        else:
            undone.append((below, None))
    return undone


def _undone_child(progress: Progress, key: str, index: int, out: list[Instruction]) -> list[tuple[str, str | None]]:
    group = progress.groups[key]
    was_done = not group.left
    group.open(index)
    undone: list[tuple[str, str | None]] = [(child_key(below, index), None) for below in group.linked]
    if was_done:
        state = progress.states[key] = open_group(group.width)
        out.append(Emit(key, state))
        undone += _undone(progress, key)
    return undone


def _wait_again(progress: Progress, key: str, whole: str | None, roots: Container[str], out: list[Instruction]) -> bool:
    """Let `key` wait for one more, unless it is done or under way; return whether it failed by its trigger: open it too.

    What waits for a person asks again later, with what it gets then.
    """
    state = progress.states.get(key)
    asks_again = waits_for_person(state) and key not in progress.unsettled
    if asks_again:
        progress.states[key] = PENDING
        out.append(Emit(key, PENDING))
    failed_by_trigger = key in progress.failed and type(state) is TriggerFailed
    gathered = _has_gathered(progress, key)
    left = max(progress.left.get(key, 0), 0)
    if left or failed_by_trigger or gathered or asks_again or key in roots:
        progress.left[key] = left + 1
        if whole is not None:
            progress.waits_for_whole.setdefault(whole, []).append(key)
    if gathered:
        progress.failed.add(key)  # what stands for a collection holds what is tried again
    return failed_by_trigger or gathered


def _has_gathered(progress: Progress, key: str) -> bool:
    spec = progress.graph.specs.get(key)
    return spec is not None and spec.gathers and progress.states[key].is_finished()


def goes_by_what_is_above(state: State) -> bool:
    """Return whether a task came to this state by what it saw above it, without running."""
    return type(state) is Pending or type(state) is TriggerFailed or waits_for_person(state)


def is_early(progress: Progress, key: str) -> bool:
    """Return whether a task directly upstream of `key` was reopened after `key` was submitted. From any thread."""
    if not progress.has_reopened:
        return False
    parent, index = progress.children.get(key, (key, None))
    for up in progress.graph.specs[parent].upstream:
        group = progress.groups.get(up)
        if group is None or parent not in group.linked:
            if progress.is_open(up):
                return True
        elif index is not None and not group.settled[index]:
            return True
    return False


def ran_too_early(progress: Progress, key: str) -> list[str] | None:
    """Return None if the result of `key` is valid: no task above it was reopened while it was under way.

    Otherwise it waits for that task; if that has settled already, the returned list has `key`, which runs again at once.
    """
    if not is_early(progress, key) and progress.left.get(key, 0) >= 0:
        return None
    return wait_for_reopened(progress, key)


def wait_for_reopened(progress: Progress, key: str) -> list[str]:
    """Make `key` wait for the upstream tasks that have not settled; if all have, return it in a list."""
    child = progress.children.get(key)
    count = progress.wait_for_above(*child) if child is not None else progress.count_above(key)
    progress.states[key] = PENDING
    progress.left[key] = count
    return [] if count else [key]
