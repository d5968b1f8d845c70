"""How long a planned run is expected to take, going by how long its tasks took. Reads the store; loads no value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowbook.executors import LocalExecutor
from flowbook.flow_run.expected_time import schedule
from flowbook.flow_run.plan import RunPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.graph import Graph
    from flowbook.executors.base import Executor
    from flowbook.flow_run.plan import PlannedTask
    from flowbook.store.plan_reads import PlanReads, TaskTimes

__all__ = ["with_times", "workers_of"]


def workers_of(executor: Executor) -> int | None:
    """Return how many tasks an executor runs at once; None where that isn't known, as on a cluster."""
    if isinstance(executor, LocalExecutor):
        return 1
    found = getattr(executor, "num_workers", None)
    return found if isinstance(found, int) else None


def with_times(graph: Graph, tasks: list[PlannedTask], reads: PlanReads, workers: int | None) -> RunPlan:
    """Return the plan with the time that each task, and the run, is expected to take."""
    times = reads.durations()
    timed = [_with_time(task, times.get(task.key), graph) for task in tasks]
    last = reads.newest_number()
    running = [task for task in timed if task.outcome == "run"]
    known = [times[task.key] for task in running if task.key in times]
    expected = least = most = None
    ends: dict[str, float] = {}
    if known or not running:
        ends = _ends(graph, running, times, workers, "mean")
        expected = max(ends.values(), default=0.0)
        least, most = (
            max(_ends(graph, running, times, workers, which).values(), default=0.0) for which in ("least", "most")
        )
    waits = {
        task.key: max((ends.get(up, 0.0) for up in graph.specs[task.key].upstream), default=0.0)
        for task in timed
        if task.outcome == "wait"
    }
    runs = max((each.runs for each in known), default=0)
    return RunPlan(graph.name, last + 1, tuple(timed), expected, least, most, runs, waits, graph=graph)


def _with_time(task: PlannedTask, times: TaskTimes | None, graph: Graph) -> PlannedTask:
    return task if times is None else replace(task, expected_s=times.mean * max(_calls(task, times, graph), 1))


def _calls(task: PlannedTask, times: TaskTimes, graph: Graph) -> int:
    """Return how many calls a task makes; of a mapped one whose children aren't known, as many as in earlier runs."""
    if task.width is None:
        return times.calls if graph.specs[task.key].is_mapped else 1
    return task.width - task.hits - task.keeps


def _ends(
    graph: Graph, running: Sequence[PlannedTask], times: Mapping[str, TaskTimes], workers: int | None, which: str
) -> dict[str, float]:
    known = [(task, times[task.key]) for task in running if task.key in times]
    return schedule(
        graph, {task.key: (getattr(took, which), _calls(task, took, graph)) for task, took in known}, workers
    )
