"""The panel for people who have no mouse, see nothing or want nothing to move: keys, a screen reader, axe in a report."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flowbook._utils import costs
from flowbook.engine import plain_tasks
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.panel_records import PanelRecords, run_that_made
from flowbook.notebook.parts_asked import options_of
from flowbook.notebook.run_report import write_report
from tests.acceptance.every_view import CELLS, panel_views
from tests.acceptance.live_panel import served
from tests.acceptance.test_accessibility_lab import FAULTS, WIDE, read_axe
from tests.homes import home  # noqa: F401  # each test's own store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ElementHandle, Page

    from flowbook import FlowRun

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

GOLDEN = Path(__file__).with_name("golden")
#: A panel draws its graph before it hears from the kernel; until then nothing can be pressed.
CAN_BE_ANSWERED = '[data-flowbook="panel"][data-live="live"] g.node [data-action="resume"]:not([aria-disabled])'
#: Counts the controls of a panel that can be used now, and puts the focus before the panel.
COUNT = """(panel) => {
  const before = document.createElement("button");
  panel.before(before);
  before.focus();
  before.addEventListener("blur", () => before.remove());
  const isThere = (each) => each.getClientRects().length > 0 && each.getAttribute("aria-disabled") !== "true" && !each.disabled;
  window.controls = [...panel.querySelectorAll("[data-action]")].filter(isThere);
  return window.controls.length;
}"""
#: Where the focus is: the number of its control, -1 in the panel elsewhere, -2 outside it.
WHERE = "(panel) => panel.contains(document.activeElement) ? window.controls.indexOf(document.activeElement) : -2"
#: What the Tab key doesn't reach, nor another control that does the same. Of tabs and nodes, arrows lead to the others.
MISSED = """(reached) => {
  const { controls } = window;
  const deed = ({ dataset }) => [dataset.action, dataset.task, dataset.run, dataset.runId].join(" ");
  const done = new Set(reached.filter((index) => index >= 0).map((index) => deed(controls[index])));
  const isOneOfMany = (each) => each.matches('[role="tab"], svg [data-action]');
  const missed = controls.filter((each) => !done.has(deed(each)) && !isOneOfMany(each));
  return missed.map((each) => `${each.dataset.action} ${each.tagName} ${each.textContent.trim().slice(0, 30)}`);
}"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlowRun]:
    """Return a run whose tasks are in many states, the second one of its flow."""
    # A cost is told of what takes 10 ms: on a busy machine of some of these tasks, elsewhere of none.
    monkeypatch.setattr(costs, "LEAST_S", math.inf)
    monkeypatch.setattr(plain_tasks, "_LEAST_S", math.inf)
    shell = InteractiveShell()
    for name in ("extension", "imports", "tasks", "flow", "flow"):
        shell.run_cell(CELLS[name].strip()).raise_error()
    yield shell.user_ns["views"].last_run
    shell.run_line_magic("unload_ext", "flowbook")
    shell.history_manager.end_session()


@pytest.fixture
def show(run: FlowRun, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open the run's panel."""
    records = PanelRecords("views", lambda: run)
    actions = PanelActions(
        history=records.history,
        decisions_before=records.decisions,
        why_ran=records.why_ran,
        maker=run_that_made,
        runs=records.runs,
        plan=lambda parameters, asked: run.flow.plan(dict(parameters), **options_of(asked)).plain(),
        rows_before=records.rows,
    )
    pages: list[Page] = []
    with served(run, actions) as (_, address):

        def opened(**media: str) -> Page:
            page = browser.new_page(viewport=WIDE)  # type: ignore[arg-type]  # as Playwright wants it
            page.emulate_media(**media)  # type: ignore[arg-type]
            pages.append(page)
            page.goto(address)
            page.wait_for_selector(CAN_BE_ANSWERED)
            return page

        yield opened
        for page in pages:
            page.close()


def test_every_action_in_every_view_is_reached_by_keys(show: Callable[..., Page]) -> None:
    page = show()
    panel = page.locator('[data-flowbook="panel"]')
    handle = panel.element_handle()
    assert handle is not None
    missed, counted = {}, 0

    for view in panel_views(page, panel):
        counted += handle.evaluate(COUNT)
        missed[view] = page.evaluate(MISSED, _tabbed(page, handle))

    assert {view: found for view, found in missed.items() if found} == {}
    assert counted > 500


def test_arrows_lead_to_every_tab_and_every_node(show: Callable[..., Page]) -> None:
    page = show()
    tabs = set()
    focused = "document.activeElement.dataset.task"

    page.locator('.tablist [data-tab="graph"]').focus()
    for _ in range(5):
        tabs.add(page.evaluate("document.activeElement.dataset.tab"))
        page.keyboard.press("ArrowRight")
    page.locator('.tablist [data-tab="graph"]').click()
    page.locator('g.node[tabindex="0"]').focus()
    nodes = {page.evaluate(focused)}
    for node in (found := [*nodes]):
        for arrow in ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown"):
            page.evaluate("key => document.querySelector(`g.node[data-task='${key}']`).focus()", node)
            page.keyboard.press(arrow)
            if (there := page.evaluate(focused)) not in nodes:
                nodes.add(there)
                found.append(there)  # it is looked at next
    page.keyboard.press("Enter")
    page.locator('[data-flowbook="inspector"]').wait_for()

    assert tabs == {"graph", "timeline", "logs", "runs", "plan"}
    assert len(nodes) == page.locator("g.node").count()


@pytest.mark.parametrize("view", ["graph", "children", "timeline"])
def test_a_screen_reader_is_told_what_the_golden_file_says(show: Callable[..., Page], view: str) -> None:
    page = show()
    panel = page.locator('[data-flowbook="panel"]')
    place = {"graph": ".canvas", "children": '[data-flowbook="children"]', "timeline": '[data-flowbook="timeline"]'}[
        view
    ]

    (told,) = (panel.locator(place).first.aria_snapshot() for each in panel_views(page, panel) if each == view)

    path = GOLDEN / f"{view}.txt"
    if os.environ.get("FLOWBOOK_RENEW_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(_timeless(told), "utf-8")
    assert _timeless(told) == path.read_text("utf-8"), "If it is right, renew it: FLOWBOOK_RENEW_GOLDEN=1 pytest ..."


def test_nothing_moves_for_those_who_want_that(show: Callable[..., Page]) -> None:
    moving = """() => {
      const node = document.querySelector("g.node");
      node.dataset.state = "Running";
      return document.getAnimations().length;
    }"""

    still = show(reduced_motion="reduce").evaluate(moving)
    moves = show(reduced_motion="no-preference").evaluate(moving)

    assert (still, moves) == (0, 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_a_report(run: FlowRun, browser: Browser, tmp_path: Path, scheme: str) -> None:
    write_report(run, tmp_path / "report.html")
    page = browser.new_page(viewport=WIDE, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_selector('[data-flowbook="panel"][data-host="report"]')
    read_axe(page)

    faults = {
        view: page.evaluate(FAULTS, "main") for view in panel_views(page, page.locator('[data-flowbook="panel"]'))
    }
    page.close()

    assert {view: found for view, found in faults.items() if found} == {}


def _tabbed(page: Page, panel: ElementHandle) -> list[int]:
    """Press Tab until the focus leaves the panel; return the numbers of the controls on the way."""
    reached: list[int] = []
    while len(reached) < 300:
        page.keyboard.press("Tab")
        where = panel.evaluate(WHERE)
        if where == -2:
            break
        reached.append(where)
    return reached


def _timeless(text: str) -> str:
    """Return a tree without what differs from run to run."""
    text = re.sub(r"(< )?\b[\d.,]+ (ms|s|min|h)\b", "TIME", text)
    return re.sub(r"\b\d+:\d\d(:\d\d)?(\.\d+)?\b", "CLOCK", text) + "\n"
