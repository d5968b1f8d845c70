"""Two runs chosen and compared in JupyterLab: the graph coloured by what differs, in words, and both sides of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TASKS = """
import pandas as pd

from flowbook import Parameter, task


@task
def load(origin):
    return pd.DataFrame({"origin": [origin] * (30 if origin == "JFK" else 20)})


@task
def clean(flights):
    return flights[1:]


@task
def weather():
    return pd.DataFrame({"hour": range(24)})


@task
def join(flights, weather):
    return len(flights), len(weather)
"""
FLOW = """
%%flow delays
join(clean(load(Parameter("origin", default="EWR"))), weather())
"""


@pytest.fixture
def compared(jupyter_server: JupyterServer) -> Path:
    cells = {
        "extension": "%load_ext flowbook",
        "tasks": TASKS,
        "flow": FLOW,
        "other": "%flow run delays --param origin=JFK",
        "line": "%flow compare delays 1",
    }
    return write_notebook(jupyter_server.folder / "compared.ipynb", cells)


def test_two_runs_are_chosen_by_keyboard_and_compared(open_notebook: Callable[..., Notebook], compared: Path) -> None:
    notebook = open_notebook(compared)
    page = notebook.page
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_run("Success", cell="flow")
    notebook.run_cell("other")
    notebook.wait_run("Success", cell="other")
    panel = notebook.panel("other")

    panel.locator('[data-tab="runs"]').click()
    boxes = panel.locator('[data-action="choose-run"]')
    boxes.nth(1).wait_for()
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    notebook.screenshot("runs-two-chosen-light", of=panel)
    panel.locator('[data-action="compare"]').focus()
    page.keyboard.press("Enter")
    view = panel.locator('[data-flowbook="compare"]')
    view.locator("g.node").first.wait_for()
    looks = {node.get_attribute("data-task"): node.get_attribute("data-state") for node in view.locator("g.node").all()}
    told = view.locator(".head .side").inner_text()
    notebook.screenshot("compare-light", of=panel)
    notebook.set_theme("dark")
    notebook.screenshot("compare-dark", of=panel)
    view.locator('[data-action="keep-comparison"]').click()
    kept = view.locator(".said", has_text="delays_differences").inner_text()
    view.locator('g.node[data-task="clean"]').click()
    sides = view.locator('[data-flowbook="both-sides"]', has_text="29").inner_text()
    notebook.screenshot("compare-a-task-dark", of=panel)
    view.locator('[data-action="show-outputs"]').click()
    view.locator('[data-flowbook="diff"] tr[data-diff="added"]').first.wait_for()
    added = view.locator('[data-flowbook="diff"] tr[data-diff="added"]').count()
    notebook.screenshot("compare-outputs-dark", of=panel)
    view.locator('[data-action="end-compare"]').click()
    view.locator('path.edge[data-from="clean"][data-rows]').wait_for(state="attached")
    rows = {
        edge.get_attribute("data-from"): edge.get_attribute("data-rows") for edge in view.locator("path.edge").all()
    }
    notebook.set_theme("light")
    view.get_by_role("button", name="Back to the runs").click()
    boxes.nth(0).wait_for()

    assert looks == {"origin": "own", "load": "because", "clean": "because", "weather": "same", "join": "because"}
    assert told.startswith("3 of 4 tasks differ")
    assert "19" in sides
    assert "29" in sides
    assert added == 10
    assert kept == "Now in the variable delays_differences."
    assert rows == {"origin": None, "load": "10", "clean": "10", "weather": None}

    notebook.run_cell("line")
    notebook.output("line").locator('[data-flowbook="compare"] img').wait_for()
    notebook.screenshot("compare-in-a-line-light", of=notebook.output("line"))

    assert notebook.errors == []
