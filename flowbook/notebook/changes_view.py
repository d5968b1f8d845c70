"""A run's changes of state as compact numbers, from which views draw the timeline and replay it (docs/wire.md).

Pure: no clock, no I/O, no values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.engine.events import StateChanged
from flowbook.engine.state_kinds import name_in_words
from flowbook.engine.task_keys import split_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.engine.events import Event

__all__ = ["MOST_CHANGES", "ChangesView", "changes_view"]

#: More changes than this aren't sent at once: about 1 MB. Changes of children are left out first.
MOST_CHANGES = 60_000


@dataclass(frozen=True, slots=True)
class ChangesView:
    """The answer to `changes`.

    Attributes:
        run: id of the run.
        since: number of the last event that isn't in it.
        next: number of its newest event; `since` of the next question.
        origin: time of the run's first change; seconds since the epoch.
        keys: of tasks and children; "" is the flow.
        states: names of states with what people call them.
        changes: for each change its milliseconds since `origin`, and indexes of its key and its state.
        left_out: number of changes that are left out.
        costs: of changes that ended an attempt whose cost is known: the index of the change, milliseconds of processor time,
            bytes (null: unknown), and whether these are the peak of a process of its own (1) or the growth of a shared one (0).
    """

    run: str
    since: int
    next: int
    origin: float
    keys: Sequence[str]
    states: Sequence[tuple[str, str]]
    changes: Sequence[tuple[int, int, int]]
    left_out: int = 0
    costs: Sequence[tuple[int, int, int | None, int]] = ()


def changes_view(run_id: str, events: Iterable[Event], since: int = -1, most: int = MOST_CHANGES) -> ChangesView:
    """Return what changed after event number `since`; `events` are all of the run's, in order."""
    changed = [event for event in events if isinstance(event, StateChanged)]
    origin = changed[0].at if changed else 0.0
    fresh = [event for event in changed if event.seq > since]
    kept = fresh if len(fresh) <= most else _without_late_children(fresh, most)
    keys: dict[str, int] = {}
    states: dict[tuple[str, str], int] = {}
    changes = []
    for event in kept:
        key = keys.setdefault(event.key, len(keys))
        state = states.setdefault((type(event.state).__name__, name_in_words(event.state)), len(states))
        changes.append((max(0, round((event.at - origin) * 1000)), key, state))
    newest = max((event.seq for event in fresh), default=since)
    left_out = len(fresh) - len(kept)
    return ChangesView(run_id, since, newest, origin, [*keys], [*states], changes, left_out, _costs(kept))


def _costs(events: Sequence[StateChanged]) -> list[tuple[int, int, int | None, int]]:
    known = [(place, event.state.cost) for place, event in enumerate(events) if event.state.cost is not None]
    return [(place, round(cost.cpu_s * 1000), cost.memory_bytes, int(cost.is_own)) for place, cost in known]


def _without_late_children(events: Sequence[StateChanged], most: int) -> list[StateChanged]:
    """Leave out changes of the children with the highest indexes, until at most about `most` remain."""
    by_index = sorted(split_key(event.key)[1] or -1 for event in events)
    last = by_index[most - 1]
    return [event for event in events if (split_key(event.key)[1] or -1) < last]
