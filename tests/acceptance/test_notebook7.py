"""The panel in Notebook 7: the same five nodes, paused and resumed by a click."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.books import calls, counting, write_notebook
from tests.acceptance.lab import NODE, SCREENSHOTS, VIEWPORT
from tests.acceptance.test_panel_lab import CELLS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.acceptance.lab import JupyterServer

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]
PATIENCE_S = 90


def _kernel_states(server: JupyterServer) -> list[str]:
    """Return the states of the server's kernels; none while it can't tell, because one is being started."""
    request = Request(f"{server.url}/api/kernels", headers={"Authorization": f"token {server.token}"})
    try:
        with urlopen(request, timeout=PATIENCE_S) as answer:
            return [kernel["execution_state"] for kernel in json.load(answer)]
    except HTTPError:
        return []


def _wait_until_idle(server: JupyterServer) -> None:
    """Ask the server until it says that its one kernel is idle: the page itself gives no handle to ask."""
    end = time.monotonic() + PATIENCE_S
    while _kernel_states(server) != ["idle"]:
        assert time.monotonic() < end, _kernel_states(server)


def test_a_paused_flow_is_seen_and_resumed_by_a_click(browser: Browser, jupyter_server: JupyterServer) -> None:
    cells = {name: source for name, source in CELLS.items() if name != "busy"}
    plain = write_notebook(jupyter_server.folder / "plain.ipynb", cells)
    counting(plain, jupyter_server.folder / "weather.ipynb")
    (jupyter_server.folder / "extract.go").touch()
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(PATIENCE_S * 1000)
    errors: list[str] = []
    # Notebook 7 has errors of its own; views are imported from blobs, so ours can be told by that.
    page.on("pageerror", lambda error: errors.append(error.stack) if "blob:" in (error.stack or "") else None)

    page.goto(f"{jupyter_server.url}/notebooks/weather.ipynb?token={jupyter_server.token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    _wait_until_idle(jupyter_server)
    page.get_by_role("menuitem", name="Run").click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    node = '[data-flowbook="panel"][data-host="lab"] ' + NODE
    page.wait_for_selector(f'{node}[data-task="approve"][data-state="Paused"]')
    page.locator('[data-flowbook="panel"]').screenshot(path=SCREENSHOTS / "notebook7-paused.png")
    page.locator(f'{node}[data-task="approve"] [data-action="resume"]').click()
    page.wait_for_selector(f'{node}[data-task="publish"][data-state="Success"]')
    page.wait_for_selector('[data-flowbook="sidebar"]', state="attached")
    page.close()

    assert calls(jupyter_server.folder) == dict.fromkeys(["extract", "clean", "count", "approve", "publish"], 1)
    assert errors == []
