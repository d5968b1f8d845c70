"""What a side bar is told of the runs of a store."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from flowbook import Flow, Parameter, task, triggers
from flowbook.notebook.run_overview import overview
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))


def test_runs_that_wait_failed_and_ended_are_told_the_newest_first() -> None:
    @task
    def load(n: int) -> int:
        return 1 // n

    @task(trigger=triggers.manual_only)
    def approve(n: int) -> int:
        return n

    flows = []
    for name, n in (("good", 1), ("bad", 0)):
        with Flow(name) as flow:
            load(n)
        flows.append(flow)
    with Flow("asks") as asks:
        approve(load(1))
    for flow in (asks, *flows):
        flow.run(record=True)

    told = overview(open_store(), now=7.0)

    rows = [(row["flow"], row["number"], row["state"], row["message"], row["counts"]) for row in told["runs"]]
    assert told["now"] == 7.0
    assert rows == [
        ("bad", 1, "Failed", "load failed: ZeroDivisionError: integer division or modulo by zero.", {"Failed": 1}),
        ("good", 1, "Success", "All tasks that decide the run succeeded.", {"Success": 1}),
        ("asks", 1, "Paused", "approve waits for a person.", {"Success": 1, "Paused": 1}),
    ]
    assert [row["ended"] is None for row in told["runs"]] == [False, False, True]
    assert all(row["since"] for row in told["runs"])


def test_a_run_that_waits_is_told_however_old_it_is() -> None:
    @task(trigger=triggers.manual_only)
    def approve() -> None: ...

    @task
    def load() -> None: ...

    with Flow("asks") as asks:
        approve()
    with Flow("good") as good:
        load()
    asks.run(record=True)
    for _ in range(31):
        good.run(record=True)

    told = overview(open_store())

    assert [row["flow"] for row in told["runs"]] == ["good"] * 30 + ["asks"]


def test_a_run_that_failed_is_told_although_many_succeeded_since() -> None:
    @task
    def load(n: int) -> int:
        return 1 // n

    with Flow("bad") as bad:
        load(0)
    with Flow("good") as good:
        load(1)
    bad.run(record=True)
    for _ in range(31):
        good.run(record=True)

    ended = bad.last_run.ended
    assert ended is not None
    told, later = (overview(open_store(), now=ended + seconds) for seconds in (86_399, 86_401))

    assert [row["flow"] for row in told["runs"]] == ["good"] * 30 + ["bad"]
    assert [row["flow"] for row in later["runs"]] == ["good"] * 30


@pytest.fixture
def held() -> Iterator[tuple[Flow, threading.Event, threading.Event]]:
    """Return a flow of three tasks whose second one says that it runs and waits, and these two events."""
    begun, may_end = threading.Event(), threading.Event()

    @task
    def load(n: int) -> int:
        return n

    @task
    def hold(n: int) -> int:
        begun.set()
        may_end.wait(30)
        return n

    @task
    def publish(*, each: list[int]) -> list[int]:
        return each

    with Flow("held") as flow:
        loaded = load(Parameter("n", default=1))
        publish(each=[hold(loaded), loaded])
    yield flow, begun, may_end
    may_end.set()


def _counts_while_held(held: tuple[Flow, threading.Event, threading.Event], only: str | None = None) -> dict[str, int]:
    flow, begun, may_end = held
    run = flow.start(record=True, only=only) if only else flow.start(record=True)
    assert begun.wait(30)
    counts: dict[str, int] = {}
    while "Running" not in counts:  # what begins is written a moment later
        counts = overview(open_store())["runs"][0]["counts"]
    may_end.set()
    run.wait(30)
    return counts


def test_of_a_run_that_goes_on_all_tasks_of_its_flow_are_counted(
    held: tuple[Flow, threading.Event, threading.Event],
) -> None:
    assert _counts_while_held(held) == {"Success": 1, "Running": 1, "Pending": 1}


def test_of_a_run_of_one_task_those_that_it_keeps_are_counted_as_they_were(
    held: tuple[Flow, threading.Event, threading.Event],
) -> None:
    flow, begun, may_end = held
    may_end.set()
    flow.run(record=True)
    begun.clear()
    may_end.clear()

    counts = _counts_while_held(held, "hold")

    assert counts.pop("Running") == 1
    assert sum(counts.values()) == 2
    assert "Pending" not in counts
