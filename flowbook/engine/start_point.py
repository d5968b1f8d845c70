"""The start of an epoch: the states that earlier epochs left, and the tasks to run."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.engine.state import Pending

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.state import State

__all__ = ["StartPoint"]

_NONE: Mapping[str, Any] = MappingProxyType({})
_PENDING = Pending()


class StartPoint(NamedTuple):
    """The start of an epoch.

    Attributes:
        states: states of tasks and children, by key.
        state: the flow's state.
        start: keys to treat as roots; if empty, the whole graph, or the part below the run's start tasks.
        resumed: keys of tasks that a person resumed.
        is_cancelled: whether only clean-up tasks may run.
        first_seq: number of the epoch's first event: numbers go on from one epoch to the next.
    """

    states: Mapping[str, State] = _NONE
    state: State = _PENDING
    start: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    is_cancelled: bool = False
    first_seq: int = 1
