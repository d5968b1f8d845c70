"""When a run's results are committed: before anything downstream begins, on every executor, and otherwise together."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from flowbook import Flow, task, unmapped
from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor
from flowbook.store import open_store
from flowbook.store.database import Database
from tests.homes import home

__all__ = ["home"]

pytestmark = [pytest.mark.acceptance]

EXECUTORS = {
    "local": LocalExecutor,
    "threads": lambda: LocalDaskExecutor("threads", num_workers=4),
    "processes": lambda: LocalDaskExecutor("processes", num_workers=2),
    "dask": lambda: DaskExecutor(cluster_kwargs={"processes": False, "dashboard_address": None}),
}


def committed(pattern):
    """Return how many results of tasks with such keys are committed, as another process sees it."""
    path = Path(os.environ["FLOWBOOK_HOME"]) / "store.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = "SELECT count(*) FROM event WHERE key GLOB ? AND name = 'Success' AND digest IS NOT NULL"
        return connection.execute(found, (pattern,)).fetchone()[0]


@task
def numbers(n):
    return list(range(n))


@task
def looked_up(n, pattern, above=None):
    del above
    return n, committed(pattern)


@task
def size(found):
    return len(found)


@task
def last(parts, above):
    return committed("looked_up[[]*"), committed("wide[[]*"), [count for _, count in parts], above


def shapes():
    """A map, a map over each of its children, a map beside, and a task below all of it; a chain above."""
    with Flow("commits") as flow:
        above = looked_up(0, "none", task_args={"name": "first"})
        for before in ("first", "second", "third"):
            above = looked_up(
                1, before, above, task_args={"name": {"first": "second", "second": "third"}.get(before, "fourth")}
            )
        found = numbers(12, upstream_tasks=[above])
        mapped = looked_up.map(found, unmapped("numbers"), unmapped(above))
        wide = looked_up.map(mapped, unmapped("looked_up[[]*"), task_args={"name": "wide"})
        last(wide, above)
    return flow


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_is_upstream_of_a_task_is_committed_when_its_body_begins(executor):
    flow = shapes()

    state = flow.run(record=True, executor=EXECUTORS[executor]())

    assert state.is_successful(), state.message
    results = {task.name: each.result for task, each in state.result.items()}
    assert [results[name][1] for name in ("first", "second", "third", "fourth")] == [0, 1, 1, 1]
    assert [count for _, count in results["looked_up"]] == [1] * 12
    children, wide, seen, above = results["last"]
    assert (children, wide, above) == (12, 12, (1, 1))
    assert min(seen) >= 1


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_tasks_that_nothing_waits_for_are_committed_together(executor, monkeypatch):
    with Flow("fan", executor=EXECUTORS[executor]()) as flow:
        first = numbers(1)
        for _ in range(1_000):
            size(first)
    commits = counted(monkeypatch)

    state = flow.run(record=True)

    assert state.is_successful()
    assert len(open_store().history.states(flow.last_run.run_id)) == 1_002
    assert commits[0] < 500


def counted(monkeypatch):
    """Count the transactions that are written from now on."""
    count, write = [0], Database.write

    def counting(self, work):
        count[0] += 1
        return write(self, work)

    monkeypatch.setattr(Database, "write", counting)
    return count
