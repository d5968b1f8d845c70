"""The side bar in JupyterLab: what waits, goes on and failed, in whichever notebook or process, with its buttons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import write_notebook
from tests.acceptance.test_panel_lab import CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

OTHERS = """
from flowbook import Flow


@task
def load():
    return 1


@task
def hold(n):
    wait_for("hold.go")


@task
def fit(n):
    raise ValueError("3 of 200 parse failed")


with Flow("jfk_days_of_a_name_that_does_not_fit_in_here") as bad:
    fit(load())
bad.run(record=True)
with Flow("month_models") as models:
    hold(load())
going = models.start(record=True)
"""
BAR = '[data-flowbook="sidebar"]'


def _rows(notebook: Notebook) -> Locator:
    return notebook.page.locator(f"{BAR} .run")


def _group(notebook: Notebook, label: str) -> Locator:
    return notebook.page.locator(f'{BAR} section[aria-label="{label}"]')


def test_runs_are_listed_counted_resumed_and_shown(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    (jupyter_server.folder / "extract.go").touch()
    path = write_notebook(jupyter_server.folder / "runs.ipynb", {**CELLS, "others": OTHERS})
    notebook = open_notebook(path)
    page = notebook.page
    page.evaluate("lab.execute('flowbook:show-runs')")

    page.locator(f"{BAR} p", has_text="Runs are listed here once a kernel of this page knows flowbook").wait_for()
    notebook.run_cell("extension")
    page.get_by_text("Nothing waits or runs, and nothing failed in the last 24 hours.").wait_for()
    notebook.screenshot("sidebar-empty", of=page.locator(BAR))
    for cell in ("tasks", "flow", "others"):
        notebook.run_cell(cell)
    notebook.wait_state("approve", "Paused")
    for label, text in (
        ("Wait for you", "approve waits for a person."),
        ("Go on", "The flow runs."),
        ("Failed in the last 24 hours", "fit failed"),
    ):
        _group(notebook, label).locator(".run", has_text=text).wait_for()
    _group(notebook, "Go on").locator('.run[data-state="Running"]').wait_for()
    page.wait_for_function(f"""document.querySelectorAll('{BAR} .run').length === 3""")
    page.wait_for_selector('[data-flowbook-count="1"]')
    notebook.wait_idle()
    listed = [re.sub(r"\s+", " ", text) for text in _rows(notebook).all_inner_texts()]
    notebook.screenshot("sidebar", of=page.locator(BAR))
    _group(notebook, "Go on").locator('[data-action="show"]').click()
    page.locator('.jp-flowbook-alone [data-flowbook="panel"][data-live="live"][data-flow="month_models"]').wait_for()
    (jupyter_server.folder / "hold.go").touch()
    page.locator('.jp-flowbook-alone [data-flowbook="panel"][data-state="Success"]').wait_for()
    _group(notebook, "Wait for you").locator('[data-action="show"]').click()
    page.locator('.jp-Notebook [data-flowbook="inspector"][data-task="approve"]').wait_for()
    _group(notebook, "Wait for you").locator('[data-action="resume"]').click()
    notebook.wait_run("Success", "flow")
    _group(notebook, "Wait for you").wait_for(state="detached")
    page.wait_for_function("document.querySelector('[data-flowbook-count]') === null")

    listed[2] = re.sub(r"(yesterday )?\d\d:\d\d", "TIME", listed[2])
    assert [re.sub(r"\d+ (s|min) ", "", text) for text in listed] == [
        "weather run 1: approve waits for a person. Resume Show",
        "month_models run 1: The flow runs. Show Cancel",
        "jfk_days_of_…fit_in_here TIME run 1: fit failed: ValueError: 3 of 200 parse failed. Retry Show",
    ]


def test_a_run_that_waits_is_notified_once_with_a_button_that_shows_it(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    (jupyter_server.folder / "extract.go").touch()
    path = write_notebook(jupyter_server.folder / "news.ipynb", CELLS)
    notebook = open_notebook(path)
    notebook.run_cell("extension")
    notebook.page.wait_for_function(
        "bar => !document.querySelector(bar).textContent.includes('once a kernel')", arg=BAR
    )
    for cell in ("tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_state("approve", "Paused")
    notebook.wait_idle()

    notebook.page.evaluate("lab.execute('apputils:display-notifications')")
    notice = notebook.page.locator(".jp-Notification-List-Item")
    notice.first.wait_for()
    text = notice.first.inner_text()
    notice.first.get_by_role("button", name="Show").click()
    notebook.page.locator('[data-flowbook="inspector"][data-task="approve"]').wait_for()

    assert re.match(r"weather, run \d+ waits for you\. approve waits for a person\.", text)
    assert notice.count() <= 1


def test_commands_run_resume_and_open_what_they_say(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    (jupyter_server.folder / "extract.go").touch()
    path = write_notebook(jupyter_server.folder / "commands.ipynb", CELLS)
    notebook = open_notebook(path)
    page = notebook.page
    for cell in ("extension", "tasks"):
        notebook.run_cell(cell)
    notebook.wait_idle()

    def enabled(name: str) -> bool:
        return page.evaluate("name => window.jupyterapp.commands.isEnabled(name)", f"flowbook:{name}")

    before = {name: enabled(name) for name in ("run-cell", "cancel")}
    page.evaluate("lab.current().content.activeCellIndex = lab.index('flow')")
    at_flow = enabled("run-cell")
    page.evaluate("lab.execute('flowbook:run-cell')")
    notebook.wait_state("approve", "Paused", "flow")
    page.evaluate("lab.execute('flowbook:cancel')")
    notebook.wait_run("Cancelled", "flow")
    page.evaluate("lab.execute('flowbook:open-cache')")
    page.locator('[data-flowbook="cache"]').wait_for()

    assert (before, at_flow) == ({"run-cell": False, "cancel": False}, True)
