"""What a side bar is told of the runs of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flowbook import Flow, task, triggers
from flowbook.notebook.run_overview import overview
from flowbook.store import open_store

if TYPE_CHECKING:
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
