"""For how long a run ran, without the time in which nobody ran it. Pure: the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.state import Running

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["working_time"]


def working_time(states: Iterable[tuple[str, float, float | None]], now: float) -> float:
    """Return how many seconds a run ran, over all its epochs.

    Args:
        states: of the flow, in order: the state's name, its time, and the time of the event before it.
        now: seconds since the epoch; until then it ran, if it still does.
    """
    total, since = 0.0, None
    for name, at, before in states:
        if since is not None:
            # Where it runs again without having come to rest, its process had died.
            end = before if name == Running.__name__ and before is not None else at
            total += max(0.0, end - since)
        since = at if name == Running.__name__ else None
    return total if since is None else total + max(0.0, now - since)
