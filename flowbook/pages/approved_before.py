"""What a task got when people let it go on the last time: the inputs beside which those of today are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.answer import DEADLINE
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Paused, Resume

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.events import Event
    from flowbook.store import Store
    from flowbook.store.records import PastDecision

__all__ = ["Approved", "approved_before"]


class Approved(NamedTuple):
    """What was approved.

    Attributes:
        number: of the run.
        at: when; seconds since the epoch.
        by: who approved it.
        inputs: what the task got, by argument; stored values are references that load no pickle.
    """

    number: int
    at: float
    by: str
    inputs: Mapping[str, object]


def approved_before(store: Store, key: str, decisions: Sequence[PastDecision]) -> Approved | None:
    """Return what was approved last; None if nothing was, or it isn't recorded any more.

    Args:
        store: has the runs.
        key: of the task or child.
        decisions: about it in other runs, the newest first.
    """
    last = next((each for each in decisions if _is_approval(each, key)), None)
    if last is None:
        return None
    inputs = _inputs_at(store.plain_history().changes_of(last.run_id, key), last.decided.seq)
    return None if inputs is None else Approved(last.number, last.decided.at, last.decided.by, inputs)


def _is_approval(past: PastDecision, key: str) -> bool:
    decided = past.decided
    return decided.action == "resume" and decided.key == key and decided.by != DEADLINE


def _inputs_at(changes: Sequence[Event], seq: int) -> Mapping[str, object] | None:
    """Return what the task got after decision `seq`: what it waited with, unless the decision changed that."""
    states = {each.seq: each.state for each in changes if isinstance(each, StateChanged)}
    after = states.get(seq + 1)
    if isinstance(after, Resume) and after.cached_inputs:
        return after.cached_inputs
    waited = [state for number, state in states.items() if number < seq and isinstance(state, Paused)]
    return waited[-1].cached_inputs if waited else None
