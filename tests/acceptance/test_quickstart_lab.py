"""The quickstart in JupyterLab, as somebody goes through it who sees flowbook for the first time."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import calls, counting
from tests.acceptance.lab import REPOSITORY, without_kernel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

QUICKSTART = REPOSITORY / "notebooks" / "quickstart.ipynb"
BEFORE_THE_FLOW = ("extension", "load-tasks", "work-tasks", "publish-tasks")
SAVED_AT_MOST = 100_000
#: What a run does up to its pause, and what it does when it goes on.
TO_THE_PAUSE = {
    "load_flights": 1,
    "load_weather": 1,
    "fetch_airlines": 2,
    "drop_cancelled": 1,
    "join_weather": 1,
    "delays_by_carrier": 12,
    "summarise": 1,
}
FROM_THE_PAUSE = {"approve": 1, "publish": 1}
#: Presses of an arrow key that are enough to go once along the whole time axis.
ARROWS_AT_MOST = 200


@pytest.fixture
def quickstart(jupyter_server: JupyterServer, request: pytest.FixtureRequest) -> Path:
    """Return a copy of the notebook with a folder and an empty store of its own: nothing is cached and nothing waits."""
    folder = jupyter_server.folder / re.sub(r"\W+", "-", request.node.name)
    folder.mkdir()
    return counting(QUICKSTART, folder / "quickstart.ipynb", home=folder / "home")


def _run_to_the_pause(notebook: Notebook) -> None:
    for cell in (*BEFORE_THE_FLOW, "flow"):
        notebook.run_cell(cell)
    notebook.wait_state("approve", "Paused", cell="flow")
    notebook.wait_idle()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_states_are_seen_on_the_nodes_and_the_report_before_its_approval(
    open_notebook: Callable[..., Notebook], quickstart: Path, theme: str
) -> None:
    notebook = open_notebook(quickstart, theme=theme)

    for cell in (*BEFORE_THE_FLOW, "flow"):
        notebook.run_cell(cell)
    notebook.wait_state("fetch_airlines", "Retrying")
    notebook.screenshot(f"quickstart-retrying-{theme}", of=notebook.panel())
    notebook.wait_state("approve", "Paused")
    notebook.wait_idle()
    notebook.screenshot(f"quickstart-paused-{theme}", of=notebook.panel())
    inspector = notebook.inspect("approve")
    frame = inspector.locator('[data-flowbook="frame"]').first
    frame.wait_for()
    notebook.screenshot(f"quickstart-approval-{theme}", of=notebook.panel())
    notebook.run_cell("report")
    notebook.wait_idle()

    seen = notebook.seen_states()
    assert {"Pending", "Running", "Retrying", "Success", "Paused"} <= {
        state for states in seen.values() for state in states
    }
    # Its second attempt takes a millisecond: that it ran again may go out in one patch with its end.
    assert _in_this_order(["Retrying", "Success"], seen["fetch_airlines"])
    assert "Running" in seen["load_flights"]
    assert seen["load_flights"][-1] == "Cached"
    assert seen["publish"] == ["Pending"]
    rows = frame.inner_text()
    assert all(words in rows for words in ("carrier", "ExpressJet Airlines Inc.", "17.79", "1,326"))
    assert "ExpressJet Airlines Inc." in notebook.output_text("report")
    assert calls(quickstart.parent) == TO_THE_PAUSE


def test_resume_runs_only_what_waited_and_a_second_click_changes_nothing(
    open_notebook: Callable[..., Notebook], quickstart: Path
) -> None:
    notebook = open_notebook(quickstart)
    _run_to_the_pause(notebook)
    published = quickstart.parent / "published" / "delays-JFK.csv"
    was_there = published.exists()
    before = calls(quickstart.parent)

    notebook.control("resume", "approve").dblclick()
    notebook.wait_run("Success")
    notebook.run_cell("published")
    notebook.wait_idle()

    assert (was_there, published.exists()) == (False, True)
    assert before == TO_THE_PAUSE
    assert calls(quickstart.parent) - before == FROM_THE_PAUSE
    assert notebook.panel("flow").locator('[data-action="resume"]:visible:not([aria-disabled="true"])').count() == 0
    assert "Hawaiian Airlines Inc." in notebook.output_text("published")


def test_a_run_left_paused_is_listed_and_goes_on_after_a_restart_of_the_kernel(
    open_notebook: Callable[..., Notebook], quickstart: Path
) -> None:
    notebook = open_notebook(quickstart)
    _run_to_the_pause(notebook)
    before = calls(quickstart.parent)

    notebook.restart_kernel()
    notebook.run_cell("extension")
    notebook.rewrite("cache", "%flow resume")
    notebook.run_cell("cache")
    notebook.wait_state("approve", "Paused", cell="cache")
    notebook.wait_idle()
    listed = notebook.output_text("cache")
    notebook.screenshot("quickstart-after-a-restart", of=notebook.output("cache"))
    notebook.click("resume", "approve", cell="cache")
    notebook.wait_run("Success", cell="cache")
    notebook.wait_idle()

    assert "delays" in listed
    assert before == TO_THE_PAUSE
    assert calls(quickstart.parent) - before == FROM_THE_PAUSE
    assert (quickstart.parent / "published" / "delays-JFK.csv").exists()


def test_the_cache_browser_shows_the_frame_as_it_was(open_notebook: Callable[..., Notebook], quickstart: Path) -> None:
    notebook = open_notebook(quickstart)
    _run_to_the_pause(notebook)
    between = time.time()
    notebook.rewrite("runs", "%flow run delays --param origin=LGA")
    notebook.run_cell("runs")
    notebook.wait_state("approve", "Paused", cell="runs")
    notebook.wait_idle()

    notebook.run_cell("cache")
    notebook.wait_idle()
    browser = notebook.output("cache").locator('[data-flowbook="cache"]')
    now = _frame_of(browser, "LGA")
    _slide_back(notebook, browser, between)
    then = _frame_of(browser, "JFK")
    notebook.screenshot("quickstart-cache-then-light", of=browser)
    notebook.set_theme("dark")
    notebook.screenshot("quickstart-cache-then-dark", of=browser)

    assert calls(quickstart.parent)["load_flights"] == 2
    assert ("LGA" in now, "JFK" in now) == (True, False)
    assert ("LGA" in then, "JFK" in then) == (False, True)


def test_the_saved_notebook_is_small_and_shows_the_final_graph_everywhere(
    open_notebook: Callable[..., Notebook], quickstart: Path
) -> None:
    notebook = open_notebook(quickstart)
    _run_to_the_pause(notebook)
    notebook.click("resume", "approve")
    notebook.wait_run("Success")
    for cell in ("report", "published", "cache", "runs"):
        notebook.run_cell(cell)
    notebook.wait_idle()
    saved = notebook.save()

    copy = without_kernel(saved)
    reopened = open_notebook(copy, kernel=False)
    reopened.output("flow").locator('[data-flowbook="panel"][data-live="saved"][data-state="Success"]').wait_for()
    reopened.screenshot("quickstart-without-a-kernel", of=reopened.output("flow"))
    html = _converted(saved)

    assert saved.stat().st_size < SAVED_AT_MOST
    (words,) = _pictures_of("delays", html)[:1]
    assert ("Success" in words, "Paused" in words) == (True, False)


def _in_this_order(wanted: list[str], seen: list[str]) -> bool:
    """Tell whether all of `wanted` was seen in its order, whatever was seen between."""
    rest = iter(seen)
    return all(state in rest for state in wanted)


def _frame_of(browser: Locator, origin: str) -> str:
    """Choose the entry made for this airport and return what the frame below then shows."""
    browser.locator("tr[data-entry]").filter(has_text=origin).first.click()
    frame = browser.locator('[data-flowbook="frame"]').filter(has_text=origin).first
    frame.wait_for()
    return frame.inner_text()


def _slide_back(notebook: Notebook, browser: Locator, moment: float) -> None:
    """Move the time slider back by its arrow key until it stands at `moment` or before."""
    slider = browser.locator('[data-action="as-of"]').first
    slider.focus()
    for _ in range(ARROWS_AT_MOST):
        at = slider.get_attribute("aria-valuenow")
        if float(at) <= moment:
            return
        # The value is told in whole seconds: a press may leave it as it is, so the text beside it is no sign either.
        slider.press("ArrowLeft")
        notebook.page.evaluate("() => new Promise(requestAnimationFrame)")
    pytest.fail(f"The slider stands at {at} after {ARROWS_AT_MOST} presses, and {moment:.0f} was wanted.")


def _pictures_of(flow: str, html: str) -> list[str]:
    """Return what the pictures of a flow in a page are called, in words."""
    return re.findall(rf'(?:alt|aria-label)="(flowbook: {flow}\b[^"]*)"', html)


def _converted(notebook: Path) -> str:
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--stdout", "--log-level", "ERROR", str(notebook)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
