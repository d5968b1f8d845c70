"""How long a run will take, if each task takes as long as it did: a list schedule on so many workers. Pure.

Source: list scheduling, R. L. Graham, "Bounds for Certain Multiprocessing Anomalies" (1966).
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import Graph

__all__ = ["schedule"]


def schedule(graph: Graph, durations: Mapping[str, tuple[float, int]], workers: int | None) -> dict[str, float]:
    """Return when each task will have ended, in seconds from the start of the run.

    Args:
        graph: the flow.
        durations: by key how long one call takes, in seconds, and how many calls there are; tasks left out take no time.
        workers: how many calls run at once; None: as many as can.
    """
    free = [0.0] * workers if workers is not None else None
    left = dict(graph.facts.upstream_counts)
    ends: dict[str, float] = {}
    #: Tasks that can begin, by the time from which they can; what takes no time comes at once.
    ready: list[tuple[float, int, str]] = []
    positions = {key: position for position, key in enumerate(graph.specs)}

    def add(key: str, at: float) -> None:
        heapq.heappush(ready, (at, positions[key], key))

    for key, count in left.items():
        if not count:
            add(key, 0.0)
    waiting: deque[str] = deque()
    while ready:
        at, _, key = heapq.heappop(ready)
        took, calls = durations.get(key, (0.0, 0))
        end = at if not calls or not took else _run(free, at, took, calls)
        ends[key] = end
        waiting.extend(graph.children[key])
        while waiting:
            child = waiting.popleft()
            left[child] -= 1
            if not left[child]:
                add(child, max(ends[up] for up in graph.specs[child].upstream))
    return ends


def _run(free: list[float] | None, at: float, took: float, calls: int) -> float:
    """Let the workers that are free first make these calls; return when the last ends."""
    if free is None:
        return at + took
    end = at
    rounds, rest = divmod(calls, len(free))
    if rounds > 1:
        # Of very many calls, whole rounds keep all workers busy alike.
        free[:] = [max(each, at) + took * (rounds - 1) for each in free]
        heapq.heapify(free)
        calls = rest + len(free)
    for _ in range(calls):
        begin = max(heapq.heappop(free), at)
        end = max(end, begin + took)
        heapq.heappush(free, begin + took)
    return end
