"""The server extension behind a prefix as JupyterHub has it: side bar, panel and pages without any kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import write_notebook
from tests.acceptance.lab import REPOSITORY, Notebook, forbid_wait_for_function, running_server, without_kernel
from tests.acceptance.test_panel_lab import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.acceptance.lab import JupyterServer

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

BAR = '[data-flowbook="sidebar"]'
LINK = """
from flowbook.notices.links import with_links
from flowbook.store import open_store
store = open_store()
(row, run_id), = store._database.read("SELECT id, run_id FROM run WHERE flow = 'delays' ORDER BY id DESC LIMIT 1")
found = with_links(store, row, store.notices.run_to_tell_of(row, "waits", 0), "")
print(found.tasks[0].link, run_id)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Return a JupyterLab below /user/ana/ with the server extension."""
    with running_server(tmp_path_factory.mktemp("hub"), "/user/ana", with_extension=True) as server:
        yield server


@pytest.fixture
def notebook(browser: Browser, server: JupyterServer) -> Iterator[Notebook]:
    """Return a notebook in the browser that has no kernel."""
    path = server.folder / "empty.ipynb"
    path.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    opened = Notebook(browser, server)
    opened.open(without_kernel(path), kernel=False)
    yield opened
    errors, strangers = opened.errors, opened.strangers
    opened.close()
    assert (errors, strangers) == ([], [])


def python(server: JupyterServer, code: str) -> str:
    """Run Python beside the server's store, and return what it writes."""
    environment = {**os.environ, "FLOWBOOK_HOME": str(server.home), "PYTHONPATH": str(REPOSITORY)}
    environment |= {"HOME": str(server.home.parent / "user"), "XDG_CONFIG_HOME": str(server.home.parent / "xdg-config")}
    environment.pop("FLOWBOOK_KEY_FILE", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


ASK = "from tests.pages import flows; flows.asking().run(record=True, progress=False)"


def test_the_side_bar_needs_no_kernel(notebook: Notebook, server: JupyterServer) -> None:
    page = notebook.page
    page.evaluate("lab.execute('flowbook:show-runs')")
    python(server, ASK)

    waiting = page.locator(f'{BAR} section[aria-label="Wait for you"] .run')
    waiting.wait_for()
    waiting.locator('[data-action="show"]').click()
    panel = page.locator('.jp-flowbook-alone [data-flowbook="panel"]')
    page.locator('.jp-flowbook-alone [data-flowbook="panel"][data-live="live"]').wait_for()
    waiting.locator('[data-action="reject"]').click()
    waiting.get_by_label("Why it is rejected").fill("August is missing")
    notebook.screenshot("sidebar-without-kernel")
    waiting.get_by_label("Why it is rejected").press("Enter")
    page.locator('.jp-flowbook-alone [data-flowbook="panel"][data-state="Failed"]').wait_for()

    assert panel.get_attribute("data-host") == "page"
    assert panel.locator('[data-action="run"], [data-action="to-variable"]').locator("visible=true").count() == 0
    links = page.locator(f"{BAR} nav a").evaluate_all("all => all.map(each => each.href)")
    assert links == [f"{server.url}/flowbook/{path}" for path in ("", "cache", "deployments")]


def test_a_panel_of_a_cell_follows_what_is_decided_elsewhere(browser: Browser, server: JupyterServer) -> None:
    (server.folder / "extract.go").touch()
    notebook = Notebook(browser, server)
    notebook.open(write_notebook(server.folder / "waits.ipynb", CELLS))
    page = notebook.page
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_state("approve", "Paused")
    first = notebook.panel().get_attribute("data-run-id")
    python(server, f"import flowbook; flowbook.run({first!r}).resume(); flowbook.run({first!r}).wait()")
    notebook.wait_run("Success", "flow")

    notebook.run_cell("flow")
    notebook.wait_state("approve", "Paused")
    second = notebook.panel().get_attribute("data-run-id")
    page.evaluate("lab.execute('flowbook:show-runs')")
    page.locator(f'{BAR} [data-action="resume"][data-run="{second}"]').click()
    notebook.wait_run("Success", "flow")
    errors, strangers = notebook.errors, notebook.strangers
    notebook.close()

    owners = python(server, f"import flowbook; print(*(flowbook.run(each).where for each in ({first!r}, {second!r})))")
    assert (owners.split(), first == second) == (["at", "rest", "at", "rest"], False)
    assert (errors, strangers) == ([], [])


def test_pages_and_links_work_below_the_prefix(notebook: Notebook, server: JupyterServer) -> None:
    python(server, ASK)
    link, run_id = python(server, LINK).split()
    page = notebook.page.context.new_page()
    forbid_wait_for_function(page)

    page.goto(f"{server.url}/flowbook/")
    page.locator(f'tr[data-run="{run_id}"] a').click()
    page.locator('[data-flowbook="panel"][data-live="live"][data-state="Paused"]').wait_for()
    stranger = notebook.page.context.browser.new_context()
    asked = stranger.new_page()
    forbid_wait_for_function(asked)
    asked.goto(f"{server.url}/flowbook{link}")
    asked.get_by_label("Your name").fill("Finance desk")
    asked.get_by_role("button", name="Approve").click()
    asked.get_by_text("this link was used").wait_for()
    page.locator('[data-flowbook="panel"][data-state="Success"]').wait_for()

    assert "by “Finance desk”" in asked.locator(".ask").inner_text()
    refused = stranger.request.get(f"{server.url}/flowbook/live/runs", max_redirects=0)
    assert refused.status in {302, 403}
    stranger.close()
