"""Moments as people write them, and what a run was at one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW
from flowbook.engine.graph import child_key
from flowbook.engine.replay import states_at, stretches
from flowbook.engine.state import Mapped, Pending
from flowbook.exceptions import DefinitionError
from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, Sequence, ValuesView

    import pandas as pd

    from flowbook.core.run import FlowRun
    from flowbook.engine.events import Event
    from flowbook.engine.state import State

__all__ = ["RunStates", "as_seen", "moment_of", "moments", "timeline"]


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

        found = states_at(self._run.events(), to_stamp(moment_of(at)))
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
    if not children_missing and not any(isinstance(kept, ResultRef) for kept in (state.cached_inputs or {}).values()):
        return state
    seen = state.copy()
    if isinstance(seen, Mapped) and children_missing:
        seen.map_states = [states.get(child_key(key, index), Pending()) for index in range(seen.n_map_states)]
    if seen.cached_inputs is not None:
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


def moment_of(at: dt.datetime | str) -> dt.datetime:
    """Return `at` as an aware UTC moment; a naive one, and text without a zone, are local time.

    Raises:
        DefinitionError: if it is no moment.
    """
    if isinstance(at, str):
        try:
            at = dt.datetime.fromisoformat(at.strip())
        except ValueError as exc:
            msg = f"{at!r} is no moment. Write it like '2026-11-20 09:00' (local time) or '2026-11-20T08:00:00+00:00'."
            raise DefinitionError(msg, at=at) from exc
    if not isinstance(at, dt.datetime) or at != at:  # noqa: PLR0124  # pandas' NaT is a datetime
        msg = f"{at!r} is no moment. Give a datetime, or text like '2026-11-20 09:00'."
        raise DefinitionError(msg, at=repr(at))
    try:
        #: Of the standard library: a pandas one without a zone refuses to be taken for local time.
        return dt.datetime.combine(at.date(), at.timetz()).astimezone(dt.UTC)
    except (OverflowError, ValueError, OSError) as exc:
        msg = f"{at!r} is out of reach of the clock. Give a moment between the years 1 and 9999."
        raise DefinitionError(msg, at=repr(at)) from exc


def timeline(events: Sequence[Event]) -> pd.DataFrame:
    """Return what each task's time went into, see `FlowRun.timeline`."""
    import pandas as pd  # noqa: PLC0415  # heavy

    found = stretches(events)
    start, end = (moments([getattr(each, name) for each in found]) for name in ("start", "end"))
    return pd.DataFrame(
        {
            "task": pd.Series([each.key for each in found], dtype=object),
            "state": pd.Series([each.state for each in found], dtype=object),
            "start": start,
            "end": end,
            "duration": end - start,
            "attempt": pd.Series([each.attempt for each in found], dtype=int),
        }
    )


def moments(stamps: Sequence[float | None]) -> pd.DatetimeIndex:
    """Return seconds since the epoch as moments, rounded as `from_stamp` does; NaT for None."""
    import numpy as np  # noqa: PLC0415  # heavy
    import pandas as pd  # noqa: PLC0415  # heavy

    parts, seconds = np.modf(np.array(stamps, dtype=float))
    is_none = np.isnan(seconds)
    microseconds = np.where(is_none, 0, seconds).astype("int64") * 1_000_000
    microseconds += np.where(is_none, 0, np.rint(parts * 1e6)).astype("int64")
    found = microseconds.view("datetime64[us]")
    found[is_none] = np.datetime64("NaT", "us")
    return pd.DatetimeIndex(found).tz_localize(dt.UTC)
