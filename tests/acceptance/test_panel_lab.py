"""A live panel of five nodes in JupyterLab: its states, its buttons, and its picture when the kernel is gone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import ipykernel
import nbformat
import pytest

from tests.acceptance.books import calls, counting, write_notebook
from tests.acceptance.lab import without_kernel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TASKS = '''
import time
from pathlib import Path

import pandas as pd

from flowbook import task, triggers


def wait_for(name):
    """Hold a task until the test lets it go, by making a file of that name."""
    while not Path(name).exists():
        time.sleep(0.01)


@task
def extract():
    wait_for("extract.go")
    return pd.DataFrame({"city": ["Lima", "Oslo"], "degrees": [18.5, 4.25]})


@task
def clean(frame):
    return frame.sort_values("degrees")


@task
def count(frame):
    return len(frame)


@task(trigger=triggers.manual_only)
def approve(frame, rows):
    return True


@task
def publish(frame):
    return frame.to_csv()
'''
FLOW = """
%%flow weather --executor threads
raw = extract()
tidy = clean(raw)
rows = count(raw)
approved = approve(tidy, rows)
publish(tidy, upstream_tasks=[approved])
"""
BUSY = "wait_for('busy.go'); print('no longer busy')"
CELLS = {"extension": "%load_ext flowbook", "tasks": TASKS, "flow": FLOW, "busy": BUSY}
#: ipykernel 6 has no subshells: what a page says waits for the cell.
IS_LATE = int(ipykernel.__version__.split(".")[0]) < 7
KEYS = ["extract", "clean", "count", "approve", "publish"]
SAVED_AT_MOST = 100_000


@pytest.fixture
def weather(jupyter_server: JupyterServer, request: pytest.FixtureRequest) -> Path:
    """Return a notebook with a folder and an empty store of its own: what one test records another must not see."""
    folder = jupyter_server.folder / re.sub(r"\W+", "-", request.node.name)
    folder.mkdir()
    plain = write_notebook(folder / "plain.ipynb", CELLS)
    return counting(plain, folder / "weather.ipynb", home=folder / "home")


@pytest.fixture
def let_go(weather: Path) -> Callable[[str], None]:
    """Return what lets a held task, or the busy cell, go on."""
    return lambda name: weather.with_name(f"{name}.go").touch()


def test_five_nodes_are_drawn_at_once_and_coloured_while_they_run(
    open_notebook: Callable[..., Notebook], weather: Path, let_go: Callable[[str], None]
) -> None:
    notebook = open_notebook(weather)

    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_state("extract", "Running")
    drawn = {key: notebook.node(key).get_attribute("data-state") for key in KEYS}
    notebook.wait_idle()
    let_go("extract")
    notebook.wait_run("Paused")

    assert drawn == {
        "extract": "Running",
        "clean": "Pending",
        "count": "Pending",
        "approve": "Pending",
        "publish": "Pending",
    }
    seen = notebook.seen_states()
    assert set(seen) == set(KEYS)
    assert seen["extract"][-2:] == ["Running", "Success"]
    assert [seen["clean"][-1], seen["count"][-1]] == ["Success", "Success"]
    assert (seen["approve"][-1], seen["publish"]) == ("Paused", ["Pending"])


def test_the_panel_is_to_be_seen_in_both_themes(
    open_notebook: Callable[..., Notebook], weather: Path, let_go: Callable[[str], None]
) -> None:
    notebook = open_notebook(weather)
    let_go("extract")

    notebook.run_all()
    notebook.wait_state("approve", "Paused")
    light = notebook.screenshot("panel-five-light", of=notebook.panel())
    notebook.set_theme("dark")
    dark = notebook.screenshot("panel-five-dark", of=notebook.panel())
    let_go("busy")
    notebook.wait_idle()
    # With ipykernel 6 the page is heard only now, and draws the panel anew.
    for key in ("extract", "clean", "count"):
        notebook.panel().locator(f'g.node[data-task="{key}"]', has_text="Success").wait_for(state="attached")

    assert notebook.panel().get_attribute("data-flow") == "weather"
    assert min(light.stat().st_size, dark.stat().st_size) > 5_000
    assert light.read_bytes() != dark.read_bytes()


@pytest.mark.subshells
def test_a_click_on_resume_is_taken_while_another_cell_runs(
    open_notebook: Callable[..., Notebook], weather: Path, let_go: Callable[[str], None]
) -> None:
    notebook = open_notebook(weather)
    let_go("extract")
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_state("approve", "Paused")
    notebook.wait_idle()
    before = calls(weather.parent)

    notebook.run_cell("busy")
    notebook.click("resume", "approve")
    notebook.wait_state("publish", "Success")
    said_while_busy = notebook.output_text("busy")
    let_go("busy")
    notebook.wait_idle()

    assert before == {"extract": 1, "clean": 1, "count": 1}
    assert calls(weather.parent) - before == {"approve": 1, "publish": 1}
    assert said_while_busy == ""
    assert notebook.output_text("busy") == "no longer busy"
    assert notebook.panel().get_attribute("data-state") == "Success"


@pytest.mark.subshells
def test_a_panel_that_opens_while_more_cells_wait_is_live_and_heard(
    open_notebook: Callable[..., Notebook], weather: str, let_go: Callable[[str], None]
) -> None:
    notebook = open_notebook(weather)
    let_go("extract")

    notebook.run_all()
    notebook.wait_state("approve", "Paused")
    notebook.page.locator('[data-flowbook="panel"][data-live="live"]').last.wait_for(state="attached")
    notebook.click("resume", "approve")
    notebook.wait_state("publish", "Success")
    said_while_busy = notebook.output_text("busy")
    let_go("busy")
    notebook.wait_idle()

    assert said_while_busy == ""
    assert notebook.panel().get_attribute("data-state") == "Success"


def test_two_clicks_on_resume_are_one(
    open_notebook: Callable[..., Notebook], weather: Path, let_go: Callable[[str], None]
) -> None:
    notebook = open_notebook(weather)
    let_go("extract")
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_state("approve", "Paused")
    notebook.wait_idle()

    notebook.control("resume", "approve").dblclick()
    notebook.wait_run("Success")
    notebook.wait_idle()

    assert calls(weather.parent) == dict.fromkeys(KEYS, 1)


def test_the_saved_notebook_is_small_and_shows_the_panel_without_a_kernel(
    open_notebook: Callable[..., Notebook], weather: Path, let_go: Callable[[str], None]
) -> None:
    notebook = open_notebook(weather)
    let_go("extract")
    let_go("busy")
    notebook.run_all()
    notebook.wait_state("approve", "Paused")
    notebook.wait_idle()
    notebook.click("resume", "approve")
    notebook.wait_run("Success")
    notebook.wait_idle()
    saved = notebook.save()

    copy = without_kernel(saved)
    reopened = open_notebook(copy, kernel=False)

    assert saved.stat().st_size < SAVED_AT_MOST
    assert "flowbook: weather" in str(nbformat.read(saved, as_version=4).cells[2].outputs)
    reopened.panel("flow").locator('xpath=self::*[@data-live="saved"]').wait_for()
    reopened.screenshot("panel-five-without-a-kernel", of=reopened.output("flow"))
    assert reopened.node("publish", "flow").get_attribute("data-state") == "Success"


def test_a_host_that_saves_the_state_of_widgets_saves_neither_code_nor_data(
    open_notebook: Callable[..., Notebook], weather: Path, let_go: Callable[[str], None]
) -> None:
    notebook = open_notebook(weather)
    notebook.page.evaluate("lab.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')")
    let_go("extract")
    notebook.rewrite("busy", "%cache")
    for cell in ("extension", "tasks", "flow", "busy"):
        notebook.run_cell(cell)
    notebook.wait_state("approve", "Paused")
    notebook.output("busy").locator('[data-flowbook="cache"][data-live="live"]').wait_for()
    notebook.wait_idle()
    saved = notebook.save()

    reopened = open_notebook(without_kernel(saved), kernel=False)

    states = nbformat.read(saved, as_version=4).metadata["widgets"]["application/vnd.jupyter.widget-state+json"][
        "state"
    ]
    views = [model["state"] for model in states.values() if "_esm" in model["state"]]
    # The panel needs no widget in a page that has the labextension, once it has said so; the cache browser is one.
    assert len(views) == 1 or IS_LATE
    assert [name for state in views for name in ("parts", "graph", "snapshot") if state.get(name)] == []
    assert saved.stat().st_size < SAVED_AT_MOST
    reopened.output("flow").locator('[data-flowbook="panel"][data-live="saved"]').wait_for()
