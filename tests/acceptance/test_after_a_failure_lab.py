"""What a person does after a failure in JupyterLab: looks into the card, retries, answers, invalidates, replays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.acceptance.books import write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TASKS = '''
import datetime as dt

import pandas as pd

from flowbook import Parameter, task, triggers

IS_READY = False


@task(cache_for=dt.timedelta(days=1))
def load(origin):
    """Flights by year.

    Not said in the card.
    """
    return pd.DataFrame({"year": [2013, 2014], "flights": [123456, 2013]})


@task
def check(flights):
    least = 3
    if not IS_READY:
        raise ValueError(f"{len(flights)} rows are fewer than {least}")
    return len(flights)


@task
def weigh(flights):
    if not IS_READY:
        raise KeyError("weight")
    return 7


@task
def total(count, weight):
    return count + weight


@task(trigger=triggers.manual_only, asks="ana")
def publish(value):
    """Publish the total?"""
    return f"published {value}"
'''
FLOW = """
%%flow delays
flights = load(Parameter("origin", default="JFK"))
publish(total(check(flights), weigh(flights)))
"""
CELLS = {
    "extension": "%load_ext flowbook",
    "tasks": TASKS,
    "flow": FLOW,
    "ready": "IS_READY = True",
    "retry": "%flow retry 1 weigh",
    "replay": "%flow replay delays",
}


@pytest.fixture
def failed(jupyter_server: JupyterServer, open_notebook: Callable[..., Notebook]) -> Notebook:
    """Return a notebook whose flow has run: check and weigh failed, publish waits."""
    path: Path = write_notebook(jupyter_server.folder / "failed.ipynb", CELLS)
    notebook = open_notebook(path)
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_state("weigh", "Failed", cell="flow")
    notebook.wait_run("Paused", cell="flow")
    return notebook


def answer(card: Locator, action: str) -> str:
    """Press a button of a card and return what the kernel says to it."""
    card.locator(f'[data-action="{action}"]').click()
    said = card.locator(".answer:visible")
    said.wait_for()
    return said.inner_text()


def lines(card: Locator, last: str) -> dict[str, str]:
    """Return what a card says, by its questions, once it has said the last of them: it is drawn in two steps."""
    card.locator("dl.why dt", has_text=last).wait_for()
    asked, told = card.locator("dl.why dt").all_inner_texts(), card.locator("dl.why dd").all_inner_texts()
    assert len(set(asked)) == len(asked)
    return dict(zip(asked, told, strict=True))


def box(place: Locator) -> dict[str, float]:
    found = place.bounding_box()
    assert found is not None
    return dict(found)


def test_what_failed_is_looked_into_and_runs_again_in_every_panel(failed: Notebook) -> None:
    card = failed.inspect("check", cell="flow")
    debugged = answer(card, "debug")
    names = card.locator(".names").inner_text()
    failed.screenshot("debug-light", of=failed.panel("flow"))
    in_debugger = _look_with_the_debugger(failed)
    failed.run_cell("ready")
    card.locator('[data-action="retry"]').click()
    failed.wait_state("check", "Success", cell="flow")
    only = failed.node("weigh", cell="flow").get_attribute("data-state")
    failed.run_cell("retry")
    for cell in ("retry", "flow"):
        failed.wait_state("weigh", "Success", cell=cell)
        failed.wait_state("total", "Success", cell=cell)
        failed.wait_run("Paused", cell=cell)
    failed.wait_idle()

    assert debugged == "Run the cell below: it opens In [2], line 23, in check, with all names as they were."
    assert in_debugger == ["%flow debug delays check", "3"]
    assert names.split() == ["flights", "DataFrame,", "2", "×", "2", "least", "3"]
    assert only == "Failed"
    assert failed.output_text("retry").startswith("weigh runs again.")
    assert failed.output("flow").locator('[data-mime-type$="stderr"]').count() == 0
    assert failed.output("retry").locator('[data-mime-type$="stderr"]').count() == 0

    _answer_and_invalidate(failed)
    _run_again(failed)
    _replay(failed)


def _look_with_the_debugger(notebook: Notebook) -> list[str]:
    """Run the cell that was put below the panel; return its text, and what the debugger says of a name."""
    below = notebook.page.locator(".jp-Cell").nth(3)
    text = below.locator(".cm-content", has_text="%flow debug")
    source = text.inner_text()
    expect(text).to_be_focused()
    notebook.page.keyboard.press("Control+Enter")
    prompt = below.locator(".jp-Stdin-input")
    prompt.wait_for()
    notebook.screenshot("debugger-light", of=below)
    prompt.fill("least;;q")
    prompt.press("Enter")
    below.locator("pre").filter(has_text=re.compile(r"^\s*3\s*$")).wait_for()
    notebook.wait_idle()

    return [source, "3"]


def _answer_and_invalidate(notebook: Notebook) -> None:
    waiting = notebook.inspect("publish", cell="retry")
    asked = lines(waiting, "Who is asked")
    notebook.set_theme("dark")
    notebook.screenshot("asks-dark", of=notebook.panel("retry"))
    notebook.set_theme("light")
    waiting.locator('[data-action="resume"]').click()
    for cell in ("retry", "flow"):
        notebook.wait_run("Success", cell=cell)
    loaded = notebook.inspect("load", cell="flow")
    loaded.get_by_text("2013 … 2014").first.wait_for()  # no thousands in years
    does = lines(loaded, "What it does")["What it does"]
    below = loaded.locator('.offered [data-action="run-from"]')
    before = box(below)["x"]
    said = answer(loaded, "invalidate")

    assert list(asked) == ["What is asked", "Why it waits", "Who is asked"]
    assert (asked["What is asked"], asked["Who is asked"]) == ("Publish the total?", "ana")
    assert does == "Flights by year."
    assert said == "1 stored output has expired: load runs next time."
    assert box(below)["x"] == before


def _run_again(notebook: Notebook) -> None:
    """Run it all again by the button: what was invalidated runs, and what was said of the run before is gone."""
    panel, ways = notebook.panel("flow"), notebook.control("run-menu", cell="flow")
    before = box(ways)
    notebook.click("run", cell="flow")
    panel.locator('[data-task="publish"][data-state="Paused"]').first.wait_for(state="attached")
    card = panel.locator('[data-flowbook="inspector"]')
    card.get_by_text("its output expired").wait_for()
    card.locator(".answer").wait_for(state="hidden")
    panel.locator('[data-tab="runs"]').click()
    panel.locator('.view-runs [data-run="2"] .bar[aria-label="4 Success, 1 Paused"]').wait_for()
    bars = panel.locator(".view-runs .bar[role=img]").all()
    counted = [bar.get_attribute("aria-label") for bar in bars]
    panel.locator('.head [data-action="resume"]').click()
    notebook.wait_run("Success", cell="flow")
    panel.locator(".head .answer:visible").wait_for()
    notebook.screenshot("answer-in-the-head-light", of=panel)
    answered, after = box(panel.locator(".head .answer")), box(ways)

    assert counted == ["4 Success, 1 Paused", "5 Success"]
    assert (after["x"], after["y"]) == (before["x"], before["y"])
    assert answered["x"] + answered["width"] <= box(notebook.control("run", cell="flow"))["x"]


def _replay(notebook: Notebook) -> None:
    notebook.run_cell("replay")
    panel = notebook.output("replay")
    panel.locator('[data-action="replay-play"][aria-pressed="true"]').wait_for()
    panel.locator('g.node[data-task="publish"][data-state="Pending"]').wait_for(state="attached")
    notebook.screenshot("replay-in-a-line-light", of=notebook.panel("replay"))
    panel.locator('[data-action="replay-now"]').click()
    panel.locator('g.node[data-task="publish"][data-state="Success"]').wait_for(state="attached")

    assert panel.locator('[data-action="replay-play"]').get_attribute("aria-pressed") == "false"
    assert panel.locator('[data-mime-type$="stderr"]').count() == 0
    assert notebook.errors == []
