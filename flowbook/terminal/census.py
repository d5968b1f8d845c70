"""Counts the tasks of a run by state; cheap enough to do while the run goes on. Pure."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.state import Cached, Cancelling, Failed, Finished, Mapped, Paused, Retrying, Running, TriggerFailed
from flowbook.terminal.marks import ORDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State

__all__ = ["Census", "Counting", "TaskNow"]


class TaskNow(NamedTuple):
    """A task or child that is shown by name."""

    key: str
    state: State

    @property
    def began(self) -> float:
        """When it came to its state, seconds since the epoch; a task that runs in a cancelled run began before that."""
        since = self.state.since if isinstance(self.state, Cancelling) else None
        return self.state.at if since is None else since


class Census(NamedTuple):
    """The tasks of a run by state, at one moment. A mapped task that was split counts as its children.

    Parameters and gathered collections don't count.

    Attributes:
        counts: number of tasks by the name of their state, in display order.
        total: number of tasks known so far; a mapped task that isn't split yet counts as one.
        done: number of finished tasks.
        running: tasks that run, the longest-running first.
        retrying: tasks that wait for their next attempt.
        paused: tasks that wait for a person.
        failed: tasks that failed themselves, the newest first.
    """

    counts: Mapping[str, int]
    total: int
    done: int
    running: tuple[TaskNow, ...]
    retrying: tuple[TaskNow, ...]
    paused: tuple[TaskNow, ...]
    failed: tuple[TaskNow, ...]


class Counting:
    """Counts the tasks of runs of one graph.

    Args:
        graph: of the run.
    """

    def __init__(self, graph: Graph) -> None:
        specs = graph.specs
        self._aside = [key for key, spec in specs.items() if spec.is_parameter or spec.gathers]
        self._mapped = [key for key, spec in specs.items() if spec.is_mapped]

    def census(self, states: Mapping[str, State]) -> Census:
        """Return the census; `states` by key, children included, may change meanwhile."""
        #: Each copy is atomic; a child that is added in between is counted next time.
        keys, present = list(states), list(states.values())
        kinds = list(map(type, present))
        counted = Counter(kinds)
        uncounted = [*self._aside, *(key for key in self._mapped if _is_split(states.get(key)))]
        counted.subtract(type(states[key]) for key in uncounted if key in states)
        counted = +counted
        made = sum(state.made_here for state in present if isinstance(state, Cached)) if Cached in counted else 0
        named = [TaskNow(key, states[key]) for key in self._named(keys, kinds, counted)]
        return Census(
            counts=_in_order(counted, made),
            total=counted.total(),
            done=sum(count for kind, count in counted.items() if issubclass(kind, Finished)),
            running=tuple(sorted((each for each in named if isinstance(each.state, Running)), key=attrgetter("began"))),
            retrying=tuple(each for each in named if isinstance(each.state, Retrying)),
            paused=tuple(each for each in named if isinstance(each.state, Paused)),
            failed=tuple(
                sorted((each for each in named if each.state.is_failed()), key=attrgetter("began"), reverse=True)
            ),
        )

    def _named(self, keys: list[str], kinds: list[type[State]], counted: Counter[type[State]]) -> list[str]:
        named = {
            kind
            for kind in counted
            if issubclass(kind, (Running, Retrying, Paused, Failed)) and not issubclass(kind, TriggerFailed)
        }
        if not named:
            return []
        aside = set(self._aside)
        return [key for key, kind in zip(keys, kinds, strict=False) if kind in named and key not in aside]


def _is_split(state: State | None) -> bool:
    return isinstance(state, Mapped) and state.n_map_states > 0


def _in_order(counted: Counter[type[State]], made: int) -> dict[str, int]:
    """Return the counts by the name that people read: of outputs in the cache, `made` were made by this run."""
    by_name: Counter[str] = Counter()
    for kind, count in counted.items():
        by_name["Success" if kind is Mapped else kind.__name__] += count
    if made:
        by_name["Success"] += made
        by_name["Cached"] -= made
        by_name = +by_name
    known = {name: by_name.pop(name) for name in ORDER if name in by_name}
    return {**known, **by_name}
