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
    from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView

    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State

__all__ = ["RunStates", "complete_state"]


class RunStates(Mapping[str, "State"]):
    """The states of a run's tasks and children by key: a mapping of the present ones; call it for those at another time.

    Live: it changes while the run does. An iteration goes through the states at its beginning.

    Args:
        graph: the compiled flow; each of its tasks has a state at any time.
        events: the run's events so far.
        now: the present states, which other threads may change.
    """

    __slots__ = ("_events", "_graph", "_now")

    def __init__(self, graph: Graph, events: Iterable[Event], now: dict[str, State]) -> None:
        self._graph = graph
        self._events = events
        self._now = now

    def __call__(self, at: dt.datetime | str | None = None) -> dict[str, State]:
        """Return the states as they were at a moment.

        Args:
            at: a datetime, or text as `flow.as_of` takes it; default: now.

        Returns:
            States by key; tasks without events by then are Pending. A copy. Values are references, loaded when read.

        Raises:
            DefinitionError: if `at` isn't a time.
        """
        if at is None:
            return self._now.copy()
        from flowbook.store.records import to_stamp  # noqa: PLC0415  # the store: longer to load than all the rest

        found = states_at(sorted(self._events, key=lambda event: event.seq), to_stamp(parse_time(at)))
        found.pop(FLOW, None)
        return {key: Pending() for key in self._graph.specs} | found

    def __getitem__(self, key: str) -> State:
        return self._now[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now.copy())

    def __len__(self) -> int:
        return len(self._now)

    def __contains__(self, key: object) -> bool:
        return key in self._now

    def keys(self) -> KeysView[str]:
        """See `dict`."""
        return self._now.copy().keys()

    def values(self) -> ValuesView[State]:
        """See `dict`."""
        return self._now.copy().values()

    def items(self) -> ItemsView[str, State]:
        """See `dict`."""
        return self._now.copy().items()

    def __repr__(self) -> str:
        return repr(self._now.copy())


def complete_state(key: str, state: State, states: Mapping[str, State]) -> State:
    """Return a task's state with its children so far, and with its cached inputs as values."""
    children_missing = type(state) is Mapped and len(state.map_states) != state.n_map_states
    if not children_missing and not any(isinstance(each, ResultRef) for each in state.cached_inputs.values()):
        return state
    found = state.copy()
    if isinstance(found, Mapped) and children_missing:
        found.map_states = child_states(key, found, states)
    if found.cached_inputs:
        found.cached_inputs = _Loaded(found.cached_inputs)
    return found


class _Loaded(Mapping[str, object]):
    """Inputs by name; one in the store or on a worker is loaded when it is read."""

    def __init__(self, inputs: Mapping[str, object]) -> None:
        self._inputs = dict(inputs)

    def __getitem__(self, name: str) -> object:
        value = self._inputs[name]
        if isinstance(value, ResultRef):
            value = self._inputs[name] = value.load()
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def __reduce__(self) -> tuple[object, ...]:
        return dict, (dict(self),)

    def __repr__(self) -> str:
        return repr(dict(self))
