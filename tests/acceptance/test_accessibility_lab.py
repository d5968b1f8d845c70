"""axe in every view of JupyterLab, in its themes and in forced colours: live, saved, side bar and cache browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import write_notebook
from tests.acceptance.every_view import CELLS, panel_views
from tests.acceptance.lab import THEMES, without_kernel
from tests.acceptance.test_hosts_lab import SAVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.soak, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
#: Light and dark are looked at in a report, too.
IS_LONG = os.environ.get("FLOWBOOK_SOAK") == "1"
WIDE = {"width": 1700, "height": 1400}
#: Faults that keep somebody out, by rule, in the views that are shown.
FAULTS = """async (selector) => {
  const { violations } = await axe.run(selector, { resultTypes: ["violations"], rules: { region: { enabled: false } } });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}"""


@pytest.fixture
def views(open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer) -> Notebook:
    """Return a notebook with a panel whose tasks are in many states, and the cache browser."""
    notebook = open_notebook(write_notebook(jupyter_server.folder / "views.ipynb", CELLS))
    notebook.page.set_viewport_size(WIDE)
    for cell in (*CELLS, "flow"):
        notebook.run_cell(cell)
        notebook.wait_idle()
    notebook.wait_state("approve", "Paused", "flow")
    notebook.wait_state("cleaned", "Cached", "flow")
    return notebook


def _modes(notebook: Notebook) -> Iterator[str]:
    """Show the notebook as each kind of reader has it."""
    for theme in THEMES if IS_LONG else ("contrast",):
        notebook.set_theme(theme)
        yield theme
    notebook.page.emulate_media(forced_colors="active")
    yield "forced colours"
    notebook.page.emulate_media(forced_colors="none")


def read_axe(page: Page) -> None:
    """Have a page know axe."""
    if not AXE.exists():
        pytest.fail("There is no axe-core in node_modules. Run: npm ci")
    page.evaluate(AXE.read_text("utf-8"))


def test_axe_finds_no_serious_fault_in_any_view_in_any_theme(views: Notebook) -> None:
    read_axe(views.page)
    faults: dict[str, list[str]] = {}

    for mode in _modes(views):
        for view in panel_views(views.page, views.panel("flow")):
            faults[f"{mode}, {view}"] = views.page.evaluate(FAULTS, '[data-lab-cell="flow"] [data-flowbook="panel"]')
        views.output("cache").locator("tr[data-entry]").first.click()
        views.output("cache").locator('[data-flowbook="cache"] table').nth(1).wait_for()
        faults[f"{mode}, cache"] = views.page.evaluate(FAULTS, '[data-lab-cell="cache"] [data-flowbook="cache"]')
        views.page.evaluate("lab.execute('flowbook:show-runs')")
        views.page.locator(".jp-flowbook-side-bar [data-run]").first.wait_for()
        faults[f"{mode}, side bar"] = views.page.evaluate(FAULTS, ".jp-flowbook-side-bar")

    assert {where: found for where, found in faults.items() if found} == {}
    assert len(faults) > 30


def test_axe_finds_no_serious_fault_in_a_saved_panel(views: Notebook, open_notebook: Callable[..., Notebook]) -> None:
    saved = open_notebook(without_kernel(views.save()), kernel=False)
    saved.page.set_viewport_size(WIDE)
    saved.page.wait_for_selector(SAVED)
    read_axe(saved.page)

    faults = {
        view: saved.page.evaluate(FAULTS, SAVED)
        for view in panel_views(saved.page, saved.panel("flow"), orders_children=False)
    }

    assert {view: found for view, found in faults.items() if found} == {}
