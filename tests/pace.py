"""How slow the machine is at this moment, for bounds on what work costs."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["slowness"]

#: What the work below takes where the bounds of the tests were stated.
_USUAL_S = 0.01
_ROUNDS = 5


def slowness(clock: Callable[[], float] = time.process_time) -> float:
    """Return how many times longer work takes now than where the tests' bounds were stated; at least 1.

    Args:
        clock: `time.process_time` for bounds on processor time, `time.perf_counter` for those on the time that passes, which
            other processes lengthen as well.
    """
    taken = []
    for _ in range(_ROUNDS):
        began = clock()
        _work()
        taken.append(clock() - began)
    return max(1.0, statistics.median(taken) / _USUAL_S)


def _work() -> None:
    """Do what Python programs do most: calls, attributes, dicts and texts."""
    found: dict[str, int] = {}
    for number in range(40_000):
        key = f"task-{number % 997}"
        found[key] = found.get(key, 0) + len(key)
