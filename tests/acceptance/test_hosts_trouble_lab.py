"""What a panel says when something is amiss with its kernel, and that many panels leave nothing behind."""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.books import write_notebook
from tests.acceptance.test_hosts_lab import LIVE, SAVED, said
from tests.acceptance.test_panel_lab import CELLS, IS_LATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

#: A click is answered within this time while a cell runs; where that is more, within so many round trips to an idle
#: kernel, which tell how slow the machine is.
ANSWERED_MS, ROUND_TRIPS = 150, 15
#: A deed may meet a moment in which others have the machine: the best of so many counts.
ROUNDS = 5
MANY = 50
FLOWS = """
from flowbook import Flow
from flowbook.notebook.display import FlowView
from flowbook.notebook.panel import Panel
from flowbook.notebook.panel_session import PanelSession

magics = get_ipython().magics_manager.registry["FlowMagics"]


@task
def add(n):
    return n + 1


with Flow("many") as many:
    add(add(1))
many.run(record=True)
# As of a panel that was shown before the page was heard, and needs no widget a moment later.
Panel(PanelSession(many.last_run)).close()
"""
SHOW = "view = FlowView(get_ipython(), many, pages=magics.pages); magics.displayed(view).show(with_widget=True)"
COUNT = """
import threading
print([len([t for t in threading.enumerate() if t.name == f"flowbook-{name}"]) for name in ("feed", "panel")],
      len(get_ipython().kernel.comm_manager.comms), len(magics.pages._pages), len(magics.pages._pages[0].watched))
"""
#: Clicks on the inspector while a cell runs: for each, the time until its details are drawn.
CLICKS = """async () => {
  const panel = document.querySelector('[data-flowbook="panel"]');
  const took = [];
  for (const key of ["extract", "clean", "count", "extract", "clean", "count"]) {
    const node = panel.querySelector(`g.node[data-task="${key}"]`);
    const start = performance.now();
    node.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    const shown = () => panel.querySelector(`[data-flowbook="inspector"][data-task="${key}"] [data-tab="output"]`);
    while (!shown() && performance.now() - start < 5000) await new Promise((resolve) => setTimeout(resolve, 1));
    took.push(performance.now() - start);
  }
  return took;
}"""

#: As in a page that is so busy at first that anywidget gives up each of its first models before the module is there.
GIVES_UP = """count => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (ms) => {
    if (ms !== 2000 || count-- <= 0) return timeout(ms);
    const end = new AbortController();
    queueMicrotask(() => end.abort());
    return end.signal;
  };
}"""
GIVEN_UP = "Failed to initialize model."
NO_EXTENSION = "**/jupyter-flowbook/**"


#: The ms of a round trip to the kernel.
ROUND_TRIP = """async () => {
  const start = performance.now();
  await lab.current().sessionContext.session.kernel.requestKernelInfo();
  return performance.now() - start;
}"""
#: Clicks on what a selector finds; the ms until nothing is found by the other one.
TIMED = """async ([selector, before]) => {
  const start = performance.now();
  document.querySelector(selector).dispatchEvent(new MouseEvent("click", { bubbles: true }));
  const isOver = () => !document.querySelector(before) || performance.now() - start > 5000;
  while (!isOver()) await new Promise((resolve) => setTimeout(resolve, 1));
  return performance.now() - start;
}"""
PAUSED = 'g.node[data-task="approve"][data-state="Paused"]'


def _open(open_notebook: Callable[..., Notebook], server: JupyterServer, name: str, **cells: str) -> Notebook:
    (server.folder / "extract.go").touch()
    return open_notebook(write_notebook(server.folder / f"{name}.ipynb", {**CELLS, **cells}))


def _pause(notebook: Notebook) -> None:
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.page.wait_for_selector(LIVE)
    notebook.wait_state("approve", "Paused")
    notebook.wait_idle()


def _remedies(notebook: Notebook) -> int:
    return notebook.page.locator('[data-action="make-live"]:visible').count()


def test_a_kernel_that_knows_no_flowbook_is_named_and_the_panel_lives_once_it_does(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    notebook = _open(open_notebook, jupyter_server, "unknown")
    _pause(notebook)
    saved = notebook.save()
    notebook.page.evaluate("lab.current().sessionContext.shutdown()")
    notebook.page.get_by_text("The kernel is gone.").wait_for()
    gone, remedies = said(notebook.page), _remedies(notebook)

    reopened = open_notebook(saved)
    reopened.page.get_by_text("This kernel doesn't know flowbook yet").wait_for()
    unknown = said(reopened.page)
    reopened.run_cell("extension")
    reopened.page.wait_for_selector(LIVE)
    notebook.click("make-live")
    notebook.page.wait_for_selector(LIVE)

    assert (gone, remedies) == ("The kernel is gone.", 1)
    assert unknown == "This kernel doesn't know flowbook yet: run %load_ext flowbook."


def test_a_run_that_was_never_recorded_and_another_version_are_one_sentence_without_a_button(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    flow = CELLS["flow"].replace("--executor threads", "--no-record")
    notebook = _open(open_notebook, jupyter_server, "forgotten", flow=flow)
    _pause(notebook)

    notebook.restart_kernel()
    notebook.click("make-live")
    notebook.page.get_by_text("There is no run").wait_for()
    forgotten, remedies = said(notebook.page), _remedies(notebook)
    notebook.restart_kernel()
    notebook.rewrite("busy", "import flowbook.notebook.lab_pages as pages; pages.WIRE_VERSION = 7")
    notebook.run_cell("busy")
    notebook.wait_idle()
    notebook.run_cell("extension")
    notebook.page.get_by_text("different versions").wait_for()

    assert re.fullmatch(r"There is no run '\w{32}'.*", forgotten)
    assert said(notebook.page) == (
        "Page and kernel have different versions of flowbook. Restart the kernel, and reload the page."
    )
    assert (remedies, _remedies(notebook)) == (0, 0)


def test_fifty_panels_are_live_over_one_comm_and_leave_nothing_behind(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    shows = {f"show{n}": SHOW for n in range(MANY)}
    notebook = _open(open_notebook, jupyter_server, "many", flows=FLOWS, **shows, count=COUNT)
    for cell in ("extension", "tasks", "flows", *shows):
        notebook.run_cell(cell)
    live = f"document.querySelectorAll('{LIVE}').length === {MANY}"
    notebook.page.wait_for_function(live)
    notebook.wait_idle()
    opened = _counts(notebook, MANY)

    for cell in shows:
        notebook.run_cell(cell)
    notebook.wait_idle()
    notebook.page.wait_for_function(live)
    again = _counts(notebook, MANY)
    notebook.page.evaluate("lab.execute('editmenu:clear-all')")
    notebook.page.wait_for_function("document.querySelector('[data-flowbook=\"panel\"]') === null")
    cleared = _counts(notebook, 0)

    threads, comms, pages, watched = zip(opened, again, cleared, strict=True)
    assert [feeds for feeds, _ in threads] == [1, 1, 1]
    # Without subshells a page is heard between cells only, so the first panels are widgets, until their cells run again.
    assert (comms if not IS_LATE else (1, *comms[1:]), pages) == ((1, 1, 1), (1, 1, 1))
    assert watched == (MANY, MANY, 0)


def _counts(notebook: Notebook, wanted: int) -> tuple[tuple[int, int], int, int, int]:
    """Count once the kernel has heard that so many panels are watched, and that no widget is needed; or at last anyway."""
    for _ in range(100):
        notebook.run_cell("count")
        notebook.wait_idle()
        feeds, workers, comms, pages, watched = map(int, re.findall(r"\d+", notebook.output_text("count")))
        if watched == wanted and (comms == 1 or IS_LATE):
            break
    return (feeds, workers), comms, pages, watched


def test_a_widget_that_its_page_made_too_late_to_hear_anything_comes_alive(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    (jupyter_server.folder / "extract.go").touch()
    path = write_notebook(jupyter_server.folder / "late.ipynb", {**CELLS, "cache": "%cache"})
    notebook = open_notebook(path, without=NO_EXTENSION)
    notebook.errors.clear()  # JupyterLab misses the extension
    notebook.page.evaluate(GIVES_UP, 2)
    for cell in ("extension", "tasks", "flow", "cache"):
        notebook.run_cell(cell)

    notebook.page.wait_for_selector('[data-flowbook="panel"][data-host="widget"][data-live="live"]')
    notebook.page.wait_for_selector('[data-flowbook="cache"][data-live="live"]')
    notebook.click("resume", "approve", "flow")
    notebook.wait_run("Success", "flow")
    notebook.wait_idle()

    assert [error for error in notebook.errors if GIVEN_UP not in error] == []
    notebook.errors.clear()


@pytest.mark.subshells
@pytest.mark.parametrize("setting", ["disabled", "perCommTarget"])
def test_a_click_is_answered_beside_a_busy_cell_whatever_the_setting_for_subshells(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer, setting: str
) -> None:
    busy = "print('begins', flush=True); wait_for('busy.go'); print('ends')"
    notebook = _open(open_notebook, jupyter_server, f"busy-{setting}", busy=busy)
    notebook.page.evaluate("setting => lab.setSubshells(setting)", setting)
    _pause(notebook)
    trips = [notebook.page.evaluate(ROUND_TRIP) for _ in range(9)]
    limit_ms = max(ANSWERED_MS, ROUND_TRIPS * statistics.median(trips))
    notebook.run_cell("busy")
    notebook.output("busy").get_by_text("begins").wait_for()

    took: list[Any] = notebook.page.evaluate(CLICKS)
    deeds: list[float] = []
    while not deeds or (min(deeds) >= limit_ms and len(deeds) < ROUNDS):
        if deeds:
            notebook.click("run")
            notebook.wait_state("approve", "Paused")
        deeds.append(max(_resume_and_cancel(notebook, jupyter_server)))
    printed = notebook.output_text("busy")
    (jupyter_server.folder / "busy.go").touch()
    notebook.wait_idle()
    (jupyter_server.folder / "busy.go").unlink()

    assert printed == "begins"
    assert statistics.median_high(took) < limit_ms, (took, trips)
    assert min(deeds) < limit_ms, (deeds, trips)


def _resume_and_cancel(notebook: Notebook, server: JupyterServer) -> tuple[float, float]:
    """Resume what waits, run again and cancel that; return how long each click took, in ms."""
    resumed = notebook.page.evaluate(TIMED, ['g.node[data-task="approve"] [data-action="resume"]', PAUSED])
    notebook.wait_run("Success")
    (server.folder / "extract.go").unlink()
    notebook.click("run")
    notebook.wait_state("extract", "Running")
    cancelled = notebook.page.evaluate(
        TIMED, ['.head [data-action="cancel"]', 'g.node[data-task="extract"][data-state="Running"]']
    )
    (server.folder / "extract.go").touch()
    notebook.wait_run("Cancelled")
    return resumed, cancelled


@pytest.mark.early_ipykernel
def test_without_subshells_a_click_says_that_it_waits_and_is_answered_after_the_cell(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    busy = "print('begins', flush=True); wait_for('busy.go')"
    notebook = _open(open_notebook, jupyter_server, "busy-without", busy=busy)
    _pause(notebook)
    notebook.run_cell("busy")
    notebook.output("busy").get_by_text("begins").wait_for()

    notebook.click("resume", "approve")
    notebook.page.locator('[data-flowbook="panel"][data-live="waiting"]').wait_for()
    said_by_button = notebook.control("resume", "approve").get_attribute("title")
    said_by_panel = said(notebook.page)
    notebook.screenshot("panel-that-waits-for-the-cell", of=notebook.panel())
    (jupyter_server.folder / "busy.go").touch()
    notebook.wait_run("Success")
    notebook.page.wait_for_selector(LIVE)
    notebook.wait_idle()
    (jupyter_server.folder / "busy.go").unlink()

    assert said_by_button == "Waiting for an answer to “Resume”"
    assert said_by_panel.startswith("This kernel answers when the running cell has ended")


def test_a_view_of_an_output_is_live_too_and_goes_alone(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    notebook = _open(open_notebook, jupyter_server, "view")
    _pause(notebook)
    notebook.page.evaluate("lab.current().content.activeCellIndex = lab.index('flow')")

    notebook.page.evaluate("lab.execute('notebook:create-output-view')")
    notebook.page.wait_for_function(f"document.querySelectorAll('{LIVE}').length === 2")
    notebook.page.locator(".jp-LinkedOutputView [data-flowbook='panel'] [data-action='resume']").first.click()
    notebook.page.wait_for_function(f"document.querySelectorAll('{LIVE}[data-state=\"Success\"]').length === 2")
    notebook.page.evaluate(
        "[...window.jupyterapp.shell.widgets('main')].find((w) => w.node.querySelector('.jp-LinkedOutputView')).close()"
    )
    notebook.page.wait_for_function(f"document.querySelectorAll('{LIVE}').length === 1")

    assert notebook.page.locator(SAVED).count() == 0
