"""The inspector in JupyterLab: a failed task with its lines, a finished one with its frame, and the runs before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TASKS = """
from datetime import timedelta

import pandas as pd

from flowbook import task


@task
def load_weather():
    hours = pd.date_range("2013-01-01", periods=2000, freq="h")
    return pd.DataFrame({"time_hour": hours, "temp": range(2000), "station": ["JFK", "LGA"] * 1000})


def check(missing, total):
    if missing > 0.005 * total:
        raise ValueError(f"{missing} of {total:,} flights have no weather")


@task(max_retries=1, retry_delay=timedelta(0))
def join_weather(weather):
    print("joining", len(weather))
    check(80, 9870)
    return weather


@task
def publish(joined):
    return joined
"""
FLOW = """
%%flow delays --executor threads
publish(join_weather(load_weather()))
"""


@pytest.fixture
def failing(jupyter_server: JupyterServer) -> Path:
    cells = {"extension": "%load_ext flowbook", "tasks": TASKS, "flow": FLOW, "again": "%flow run delays"}
    return write_notebook(jupyter_server.folder / "failing.ipynb", cells)


def test_a_failed_task_shows_its_own_lines_and_a_finished_one_its_frame_and_its_runs(
    open_notebook: Callable[..., Notebook], failing: Path
) -> None:
    notebook = open_notebook(failing)
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_run("Failed", cell="flow")
    notebook.run_cell("again")
    notebook.wait_run("Failed", cell="again")
    notebook.wait_idle()

    failed = notebook.inspect("join_weather", cell="again")
    failed.locator(".code .at").first.wait_for()
    wheres = failed.locator(".where .mono").all_inner_texts()
    marked = failed.locator(".code .at").all_inner_texts()
    values = failed.locator("dl.names").first.inner_text()
    notebook.click("debug", "join_weather", cell="again")
    failed.get_by_text("Run the cell below: it opens In [2], line 16, in check").wait_for()
    notebook.screenshot("inspector-failed-light", of=notebook.panel("again"))
    notebook.set_theme("dark")
    notebook.screenshot("inspector-failed-dark", of=notebook.panel("again"))
    finished = notebook.inspect("load_weather", cell="again")
    finished.locator('[data-flowbook="frame"]').first.wait_for()
    notebook.screenshot("inspector-finished-dark", of=notebook.panel("again"))
    notebook.set_theme("light")
    notebook.screenshot("inspector-finished-light", of=notebook.panel("again"))
    finished.locator('[data-tab="history"]').click()
    finished.locator("tbody tr", has_text="run 1").wait_for()
    history = finished.locator("tbody tr").all_inner_texts()
    notebook.screenshot("inspector-history-light", of=notebook.panel("again"))

    assert values.split() == ["missing", "80", "total", "9870"]
    assert wheres[:2] == ["In [2], line 16, in check", "In [2], line 22, in join_weather"]
    assert "raise ValueError" in marked[0]
    assert "check(80, 9870)" in marked[1]
    assert [re.split(r"\t", row)[:3:2] for row in history] == [["run 1", "Success"]]
