"""What a task cost: processor time and memory, told where an attempt was long enough, on every executor."""

from __future__ import annotations

import time

import pytest

import flowbook
from flowbook import Flow, config, task
from flowbook._utils import costs
from flowbook._utils.costs import Cost, begin, cost_since, sum_of
from flowbook.cli.main import main
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from flowbook.report.cost_text import cost_text
from flowbook.store import open_store
from tests.homes import home

__all__ = ["home"]

MEGABYTES = 1_000_000


def _work(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@task
def works():
    _work(0.05)
    return b"x" * 100_000


@task
def short():
    return 1


@task(cache=True)
def kept():
    _work(0.02)
    return 1


@task(timeout=30)
def timed():
    _work(0.03)


@task
def fails():
    _work(0.02)
    raise ValueError("no")


@task
def grows():
    held = bytearray(60 * MEGABYTES)
    _work(0.02)
    return len(held)


@task
def keeps():
    _work(0.02)
    return bytearray(60 * MEGABYTES)


def _run(executor, *tasks, record=True):
    with Flow("costly") as flow:
        for each in tasks:
            each()
    flow.run(record=record, executor=executor)
    return flow.last_run


@pytest.mark.parametrize(
    "executor", [LocalExecutor(), LocalDaskExecutor("threads", num_workers=2)], ids=["local", "threads"]
)
def test_a_task_that_took_long_has_a_cost_and_a_short_one_has_none(executor):
    run = _run(executor, works, short, kept, timed, fails)

    costly = {key: run[key].cost for key in ("works", "kept", "timed", "fails")}
    assert {key: cost.cpu_s >= 0.015 for key, cost in costly.items()} == dict.fromkeys(costly, True)
    assert costly["works"].cpu_s < 5
    assert costly["works"].is_own is False
    assert (run["short"].cost or Cost(0.0)).cpu_s < 0.01  # it may have waited for its turn on a busy machine
    again = flowbook.run(run.run_id)
    assert again["works"].cost == Cost(round(costly["works"].cpu_s, 6), *costly["works"][1:])
    assert again["kept"].cost is not None


def test_a_task_of_a_run_that_nobody_watches_has_a_cost_too():
    run = _run(LocalExecutor(), works, short, record=False)

    assert run["works"].cost.cpu_s > 0.04


def test_a_process_of_its_own_tells_its_peak():
    run = _run(LocalDaskExecutor("processes", num_workers=1), works, grows)

    small, large = run["works"].cost, run["grows"].cost
    assert (small.is_own, large.is_own) == (True, True)
    assert large.memory_bytes > 60 * MEGABYTES
    assert large.memory_bytes - small.memory_bytes > 40 * MEGABYTES


def test_the_growth_of_a_shared_process_is_told_as_such():
    run = _run(LocalExecutor(), keeps, record=False)  # what is let go again isn't seen below the process's earlier peak

    assert run["keeps"].cost.is_own is False
    assert run["keeps"].cost.memory_bytes > 40 * MEGABYTES


def test_the_timeline_history_and_inspect_tell_it(capsys):
    run = _run(LocalExecutor(), works, short)

    table = run.timeline().set_index("task")
    assert table.loc["works", "cpu"].total_seconds() > 0.04
    assert table.loc["works", "output_bytes"] > 100_000
    assert bool(table.loc["works", "own_process"]) is False
    (past,) = open_store().history.task_history("costly", "works", project=config.project())
    assert past.cost == flowbook.run(run.run_id)["works"].cost
    assert past.output.size_bytes == table.loc["works", "output_bytes"]
    main(["run", "inspect", "last", "works"])
    assert "of processor time; the process" in (shown := capsys.readouterr().out)
    assert "; output 100 kB" in shown


@pytest.mark.parametrize(
    ("cost", "size", "text"),
    [
        (None, None, ""),
        (Cost(0.42), 842_000, "0.4 s of processor time; output 842 kB"),
        (Cost(2.0, 0), None, "2.0 s of processor time; the process did not grow"),
        (Cost(2.0, 80_000_000), None, "2.0 s of processor time; the process grew by 80.0 MB meanwhile"),
        (Cost(2.0, 190_000_000, is_own=True), None, "2.0 s of processor time; at most 190 MB of memory"),
    ],
)
def test_a_cost_reads_as_a_sentence(cost, size, text):
    assert cost_text(cost, size) == text


def test_a_reading_stands_for_calls_that_begin_within_a_millisecond():
    first = begin()
    while (second := begin()) is first:
        pass

    assert second.at - first.at > costs._STALE_S
    assert cost_since(second) is None
    assert sum_of(Cost(1.0, 5), Cost(2.0, 3)) == Cost(3.0, 5)
    assert sum_of(None, Cost(2.0, 3)) == Cost(2.0, 3)


def test_a_clock_that_is_set_back_leaves_no_stale_reading(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(costs, "_clock", lambda: now[0])

    first = begin()
    now[0] = 500.0
    second = begin()

    assert second.at == 500.0
    assert second is not first
