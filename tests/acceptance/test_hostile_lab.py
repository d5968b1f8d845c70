"""Texts that would run a script if a page took them for markup: live, saved, exported and converted, in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import nbformat.sign
import pytest
from nbconvert import HTMLExporter

from tests.acceptance.books import write_notebook
from tests.acceptance.lab import without_kernel
from tests.acceptance.test_hosts_lab import LIVE, SAVED
from tests.hostile import MARKUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

MAKE = """
from flowbook.notebook.display import FlowView
from tests.acceptance.hostile_flow import hostile_flow
from tests.hostile import MARKUP

magics = get_ipython().magics_manager.registry["FlowMagics"]
hostile = hostile_flow()
hostile.run(record=True)
"""
SHOW = "view = FlowView(get_ipython(), hostile, pages=magics.pages); magics.displayed(view).show(with_widget=True)"
DECIDE = "hostile.last_run.reject('approve', by=MARKUP[18], note=MARKUP[34]); hostile.last_run.wait()"
AGAIN = "hostile.run(record=True)"
EXPORT = "from flowbook.notebook.run_report import write_report; print(write_report(hostile.last_run, 'hostile.html'))"
CELLS = {"extension": "%load_ext flowbook", "make": MAKE, "show": SHOW, "decide": DECIDE, "export": EXPORT}
MORE = {"again": AGAIN, "list": "%flow", "cache": "%cache"}
#: Opens each task's card and each of its tabs, then each view of the panel; resolves when all have been drawn.
WALK = """async () => {
  const panel = [...document.querySelectorAll('[data-flowbook="panel"]')].at(-1);
  const drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const click = async (element) => {
    element?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    await drawn();
  };
  const until = async (isSo) => {
    for (let tries = 0; tries < 600 && !isSo(); tries += 1) await drawn();
    return isSo();
  };
  let opened = 0;
  for (const node of panel.querySelectorAll("g.node")) {
    await click(node);
    const card = () => panel.querySelector('[data-flowbook="inspector"]');
    opened += (await until(() => card()?.dataset.task === node.dataset.task)) ? 1 : 0;
    for (const tab of card()?.querySelectorAll('[role="tab"]') ?? []) await click(tab);
  }
  for (const tab of panel.querySelectorAll('.tablist [role="tab"]')) await click(tab);
  await click(panel.querySelector('.tablist [data-tab="graph"]'));
  await click(panel.querySelector('[data-action="as-table"]'));
  return opened;
}"""


@pytest.fixture
def watched() -> Iterator[Callable[[Page], Page]]:
    """Note which of the texts ran a script in a page that is opened."""
    ran: list[int] = []

    def watch(page: Page) -> Page:
        page.expose_function("hurt", lambda number: ran.append(int(number)))
        return page

    yield watch
    assert ran == []


def test_hostile_texts_run_nothing_live_saved_exported_and_converted(
    open_notebook: Callable[..., Notebook],
    jupyter_server: JupyterServer,
    browser: Browser,
    watched: Callable[[Page], Page],
) -> None:
    path = write_notebook(jupyter_server.folder / "hostile.ipynb", CELLS | MORE)
    live = open_notebook(path)
    watched(live.page)
    for cell in ("extension", "make", "show"):
        live.run_cell(cell)
    live.page.wait_for_selector(LIVE)
    live.wait_idle()

    opened = [live.page.evaluate(WALK)]
    live.run_cell("decide")
    live.wait_run("Failed", "show")
    for cell in ("export", *MORE):
        live.run_cell(cell)
        live.wait_idle()
    opened.append(live.page.evaluate(WALK))
    saved = live.save()
    for name, is_trusted in (("untrusted", False), ("trusted", True)):
        copy = without_kernel(saved).rename(saved.with_name(f"{name}.ipynb"))
        if is_trusted:
            _sign(copy, jupyter_server)
        reopened = open_notebook(copy, kernel=False)
        watched(reopened.page)
        reopened.page.wait_for_selector(SAVED)
        assert (
            reopened.page.evaluate("() => [...lab.current().model.cells].every((cell) => cell.trusted)") == is_trusted
        )
        opened.append(reopened.page.evaluate(WALK))
    for template in ("lab", "classic", "basic"):
        html, _ = HTMLExporter(template_name=template).from_filename(str(saved))
        saved.with_name(f"{template}.html").write_text(html, "utf-8")
    for name in ("hostile", "lab", "classic", "basic"):
        page = watched(browser.new_page())
        page.route("http*://**", lambda route: route.abort())
        page.goto(saved.with_name(f"{name}.html").as_uri())
        if name == "hostile":
            page.wait_for_selector('[data-flowbook="panel"][data-host="report"]')
            opened.append(page.evaluate(WALK))
        page.close()

    assert len(opened) == 5
    assert min(opened) > 70


def test_the_same_texts_do_run_where_they_are_taken_for_markup(browser: Browser) -> None:
    page = browser.new_page()
    ran: set[int] = set()
    page.expose_function("hurt", lambda number: ran.add(int(number)))
    for text in MARKUP:
        page.set_content(f"<!doctype html><p>{text}</p>")
        page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    page.close()

    assert len(ran) >= 50


def _sign(path: Path, server: JupyterServer) -> None:
    """Trust a notebook, as `jupyter trust` does."""
    notary = nbformat.sign.NotebookNotary(data_dir=str(server.home.parent / "data"))
    notary.sign(nbformat.read(path, as_version=4))
    notary.store.close()
