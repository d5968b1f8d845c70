"""The states of a run's tasks: now, or at any time before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW
from flowbook.engine.mapped_states import child_states
from flowbook.engine.replay import states_at
from flowbook.engine.state import Mapped, Pending
from flowbook.flow_run.times import parse_time
from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import ItemsView, Iterator, KeysView, ValuesView

    from flowbook.engine.state import State
    from flowbook.flow_run.run import FlowRun

__all__ = ["RunStates", "as_seen"]


class RunStates(Mapping[str, "State"]):
    """The states of a run's tasks and children by key, as of now; called, as of any moment.

    Live: it changes while the run goes on.
    """

    __slots__ = ("_now", "_run")

    def __init__(self, run: FlowRun, now: Mapping[str, State]) -> None:
        self._run = run
        self._now = now

    def __call__(self, at: dt.datetime | str | None = None) -> dict[str, State]:
        """Return the states as they were at a moment.

        Args:
            at: an aware datetime, a naive one or ISO text in local time; default: now.

        Returns:
            By key; tasks of which nothing was known are Pending. A copy. Values are references, loaded when asked for.

        Raises:
            DefinitionError: if `at` is no moment.
        """
        if at is None:
            return dict(self._now)
        from flowbook.store.records import to_stamp  # noqa: PLC0415  # the store: longer to load than all the rest

        found = states_at(self._run.events(), to_stamp(parse_time(at)))
        found.pop(FLOW, None)
        return {key: Pending() for key in self._run.graph.specs} | found

    def __getitem__(self, key: str) -> State:
        return self._now[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def __contains__(self, key: object) -> bool:
        return key in self._now

    def keys(self) -> KeysView[str]:
        """As of a dict."""
        return self._now.keys()

    def values(self) -> ValuesView[State]:
        """As of a dict."""
        return self._now.values()

    def items(self) -> ItemsView[str, State]:
        """As of a dict."""
        return self._now.items()

    def __repr__(self) -> str:
        return repr(self._now)


def as_seen(key: str, state: State, states: Mapping[str, State]) -> State:
    """Return a task's state as people look at it: with its children so far, and the inputs it keeps as values."""
    children_missing = type(state) is Mapped and len(state.map_states) != state.n_map_states
    if not children_missing and not any(isinstance(kept, ResultRef) for kept in state.cached_inputs.values()):
        return state
    seen = state.copy()
    if isinstance(seen, Mapped) and children_missing:
        seen.map_states = child_states(key, seen, states)
    if seen.cached_inputs:
        seen.cached_inputs = _Loaded(seen.cached_inputs)
    return seen


class _Loaded(Mapping[str, object]):
    """Inputs by name; one that is held in the store or on a worker is loaded when it is read."""

    def __init__(self, held: Mapping[str, object]) -> None:
        self._held = dict(held)

    def __getitem__(self, name: str) -> object:
        value = self._held[name]
        if isinstance(value, ResultRef):
            value = self._held[name] = value.load()
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __reduce__(self) -> tuple[object, ...]:
        return dict, (dict(self),)

    def __repr__(self) -> str:
        return repr(dict(self))
