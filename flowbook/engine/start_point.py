"""From where an epoch begins: what the epochs before it left, and which tasks go on."""

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
    """From where an epoch begins.

    Attributes:
        states: of tasks and children, by key.
        state: of the flow.
        start: keys to treat as roots; empty: the whole graph, or what lies below where the run started.
        resumed: keys that need not wait for a person any more.
        is_cancelled: whether nothing may run but tasks that clean up.
        first_seq: number of the epoch's first event: numbers go on from one epoch to the next.
    """

    states: Mapping[str, State] = _NONE
    state: State = _PENDING
    start: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    is_cancelled: bool = False
    first_seq: int = 1
