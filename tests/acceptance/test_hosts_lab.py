"""Panels in JupyterLab by the labextension: live, live again, and Saved, as a person meets them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.acceptance.books import calls, counting, write_notebook
from tests.acceptance.lab import without_kernel
from tests.acceptance.test_panel_lab import CELLS, KEYS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

LIVE = '[data-flowbook="panel"][data-host="lab"][data-live="live"]'
SAVED = '[data-flowbook="panel"][data-host="lab"][data-live="saved"]'
RUN_MIME = "application/vnd.flowbook.run+json"
#: Which files of the extension a page has loaded, without the version.
OWN_FILES = """() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname)
  .filter((path) => path.includes("jupyter-flowbook/static"))
  .map((path) => path.split("/").at(-1).replace(".0.1.0", "")).sort()"""
#: Of five panels, saved.
FIVE_AT_MOST = 300_000


@pytest.fixture
def folder(jupyter_server: JupyterServer, request: pytest.FixtureRequest) -> Path:
    """Return a folder for one test's notebooks."""
    folder = jupyter_server.folder / re.sub(r"\W+", "-", request.node.name)[:60]
    folder.mkdir()
    return folder


def _weather(folder: Path, cells: dict[str, str] | None = None) -> Path:
    """Write a notebook that counts the calls of its tasks."""
    plain = write_notebook(folder / "plain.ipynb", cells or CELLS)
    return counting(plain, folder / "weather.ipynb")


def _run(notebook: Notebook, *cells: str) -> None:
    for cell in cells:
        notebook.run_cell(cell)


def _pause(notebook: Notebook) -> None:
    """Run the flow until it waits, and its panel is live."""
    _run(notebook, "extension", "tasks", "flow")
    notebook.page.wait_for_selector(LIVE)
    notebook.wait_state("approve", "Paused")
    notebook.wait_idle()


def said(page: Page) -> str:
    """Return the sentence that a panel says about its kernel."""
    notice = page.locator('[data-flowbook="panel"] .notice').last
    notice.wait_for()
    return notice.inner_text().strip()


def _outputs(path: Path) -> list[dict[str, Any]]:
    """Return the outputs in a file that hold several forms."""
    book = nbformat.read(path, as_version=4)
    return [output["data"] for cell in book.cells for output in cell.get("outputs", []) if "data" in output]


def test_a_panel_is_live_again_after_a_reload_and_in_a_second_tab(
    open_notebook: Callable[..., Notebook], folder: Path
) -> None:
    notebook = open_notebook(_weather(folder))
    _run(notebook, "extension", "tasks", "flow")
    notebook.page.wait_for_selector(LIVE)
    notebook.wait_state("extract", "Running")
    notebook.wait_idle()
    notebook.save()
    outputs = notebook.output("flow").locator(".jp-OutputArea-child").count()

    notebook.reload()
    notebook.page.wait_for_selector(LIVE)
    second = notebook.beside()
    second.wait_for_selector(LIVE)
    (folder / "extract.go").touch()
    notebook.wait_state("approve", "Paused")
    second.wait_for_selector(f'{LIVE} [data-task="approve"][data-state="Paused"]')
    second.locator(f'{LIVE} g.node[data-task="approve"] [data-action="resume"]').click()
    notebook.wait_run("Success")
    second.wait_for_selector(f'{LIVE}[data-state="Success"]')
    second.close()
    saved = notebook.save()

    assert outputs == 1
    assert calls(folder) == dict.fromkeys(KEYS, 1)
    (output,) = _outputs(saved)
    assert list(output) == [RUN_MIME, "text/html", "text/plain"]
    assert output["text/plain"].startswith("flowbook: weather: Success.")


def test_the_views_are_one_file_and_where_it_is_refused_they_are_loaded_one_by_one(
    open_notebook: Callable[..., Notebook], folder: Path
) -> None:
    (folder / "extract.go").touch()
    path = _weather(folder)
    loaded = open_notebook(folder / "plain.ipynb")
    loaded.page.wait_for_function(f"({OWN_FILES})().includes('views.bin')")
    files = loaded.page.evaluate(OWN_FILES)

    refused = open_notebook(path, without="**/views.*.bin")
    _pause(refused)

    assert files == ["loader.js", "remoteEntry.js", "views.bin"]
    assert {"lab_plugin.js", "panel.js", "flowbook.css"} <= {*refused.page.evaluate(OWN_FILES)}
    assert refused.panel().evaluate("panel => getComputedStyle(panel).getPropertyValue('--fb-text-size')") == "12px"


def test_a_kernel_that_was_restarted_leaves_a_saved_panel_that_a_click_makes_live(
    open_notebook: Callable[..., Notebook], folder: Path
) -> None:
    (folder / "extract.go").touch()
    notebook = open_notebook(_weather(folder))
    _pause(notebook)

    notebook.restart_kernel()
    notebook.page.wait_for_selector(SAVED)
    notebook.page.get_by_text("The kernel was restarted.").wait_for()
    notebook.control("make-live").wait_for()
    text = said(notebook.page)
    shown = {
        action: notebook.panel().locator(f'[data-action="{action}"]:visible').count()
        for action in ("resume", "cancel", "run", "make-live")
    }
    notebook.screenshot("panel-saved-after-a-restart", of=notebook.panel())
    notebook.click("make-live")
    notebook.page.wait_for_selector(LIVE)
    notebook.click("resume", "approve")
    notebook.wait_run("Success")

    assert text == "The kernel was restarted. %load_ext flowbook makes this panel live again."
    assert shown == {"resume": 0, "cancel": 0, "run": 0, "make-live": 1}
    assert calls(folder) == dict.fromkeys(KEYS, 1)


def test_five_saved_panels_are_walked_through_without_a_kernel(
    open_notebook: Callable[..., Notebook], folder: Path
) -> None:
    (folder / "extract.go").touch()
    flows = {f"flow{n}": CELLS["flow"].replace("weather", f"weather{n}") for n in range(5)}
    cells = {"extension": CELLS["extension"], "tasks": CELLS["tasks"], **flows}
    notebook = open_notebook(_weather(folder, cells))
    notebook.run_all()
    for name in flows:
        notebook.wait_state("approve", "Paused", name)
    notebook.wait_idle()
    notebook.page.wait_for_function("selector => document.querySelectorAll(selector).length === 5", arg=LIVE)
    saved = notebook.save()

    copy = without_kernel(saved)
    reopened = open_notebook(copy, kernel=False)
    reopened.page.wait_for_function("selector => document.querySelectorAll(selector).length === 5", arg=SAVED)
    inspector = reopened.inspect("clean", "flow2")
    inspector.get_by_text("Oslo").wait_for()
    reopened.panel("flow2").locator('[role="tab"][data-tab="timeline"]').first.click()
    reopened.panel("flow2").locator('[data-flowbook="timeline"] [data-task="clean"]').first.wait_for()
    reopened.panel("flow2").locator('[role="tab"][data-tab="logs"]').first.click()
    lines = reopened.panel("flow2").locator('[data-flowbook="logs"]')
    lines.get_by_text("approve").first.wait_for()
    reopened.panel("flow2").locator('[role="tab"][data-tab="graph"]').first.click()
    reopened.screenshot("panel-saved", of=reopened.panel("flow2"))
    reopened.set_theme("dark")
    reopened.screenshot("panel-saved-dark", of=reopened.panel("flow2"))
    page, _ = HTMLExporter().from_filename(str(copy))

    assert saved.stat().st_size < FIVE_AT_MOST
    assert all(len(json.dumps(output[RUN_MIME])) < 60_000 for output in _outputs(saved))
    assert reopened.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
    assert [page.count(f'data-flow="weather{n}"') for n in range(5)] == [1] * 5
    assert "widget-view" not in page
