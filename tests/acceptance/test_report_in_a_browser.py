"""A report as its reader meets it: a file in a browser, without Python and without a network."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from playwright.sync_api import expect

import flowbook
from flowbook import Flow, Parameter, task, triggers
from flowbook.notebook.run_report import write_report
from tests.acceptance.lab import forbid_wait_for_function
from tests.homes import home  # noqa: F401  # each test's own store
from tests.killed_runs import KILLED, killed_run

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

#: Each would set `window.hurt`, if it were taken for markup or code.
HOSTILE = [
    "<script>window.hurt = 1</script>",
    "</script><script>window.hurt = 2</script>",
    "<img src=x onerror=window.hurt=3>",
    "'\"><svg onload=window.hurt=4>",
    "<iframe srcdoc='<script>parent.hurt = 5</script>'></iframe>",
    "javascript:window.hurt=6",
    "--><script>window.hurt = 7</script><!--",
    "</style><script>window.hurt = 8</script>",
    "${window.hurt = 9}",
]
#: What can be done with a report; anything else would be a control that does nothing.
ACTIONS = {
    *("tab", "search", "zoom-in", "zoom-out", "fit", "replay-toggle", "as-table", "filter-state", "inspect", "close"),
    *(
        "widen",
        "sort",
        "timeline-order",
        "runs-state",
        "runs-query",
        "copy",
        "all-frames",
        "frame-filter",
        "child-step",
    ),
    *(
        "go-to-node",
        "back-to-graph",
        "child-state",
        "child-query",
        "child-order",
        "child-page",
        "replay-play",
        "moment",
    ),
    *("replay", "replay-before", "replay-after", "replay-now", "replay-speed", "order", "grip", "toggle-children"),
    *("log-query", "log-task", "log-level", "copy-logs", "follow"),
}


def _hostile_flow() -> Flow:
    log = logging.getLogger("hostile")

    @task(log_stdout=True)
    def texts(given: str) -> pd.DataFrame:
        for text in HOSTILE:
            log.warning("%s", text)
            print(text)  # noqa: T201  # what tasks print is in the logs
        return pd.DataFrame({text: [text, given] for text in HOSTILE})

    @task(name=HOSTILE[2])
    def fail(frame: pd.DataFrame) -> None:
        del frame
        raise ValueError(HOSTILE[0])

    @task(trigger=triggers.all_finished)
    def ends(found: object) -> str:
        del found
        return HOSTILE[1]

    @task(trigger=triggers.manual_only)
    def approve(said: str) -> str:
        return said

    with Flow(HOSTILE[3]) as flow:
        found = texts(Parameter("given", default=HOSTILE[1]))
        approve(ends(fail(found)))
    return flow


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[[Path], Page]]:
    """Open a file; a page that threw, or asked anybody for anything, fails its test."""
    errors: list[str] = []
    pages: list[Page] = []

    def open_file(path: Path) -> Page:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        forbid_wait_for_function(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda asked: errors.append(asked.url) if asked.url.startswith("http") else None)
        pages.append(page)
        page.goto(path.as_uri())
        return page

    yield open_file
    for page in pages:
        page.close()
    assert errors == []


def test_hostile_texts_run_nothing_in_a_report(opened: Callable[[Path], Page], browser: Any, tmp_path: Path) -> None:
    flow = _hostile_flow()
    flow.run(record=True)
    assert flow.last_run is not None
    flow.last_run.reject("approve", by=HOSTILE[2], note=HOSTILE[1])
    flow.last_run.wait()
    write_report(flow.last_run, tmp_path / "report.html")

    page = opened(tmp_path / "report.html")
    page.wait_for_selector('[data-flowbook="panel"][data-live="saved"]')
    for tab in ("timeline", "logs", "runs", "graph"):
        page.click(f'.tablist [data-tab="{tab}"]')
    for index in range(page.locator("g.node").count()):
        page.locator("g.node").nth(index).click()
        for each in page.locator('[data-flowbook="inspector"] [role="tab"]').all():
            each.click()
    page.click('[data-action="as-table"]')

    assert page.evaluate("window.hurt") is None
    assert page.locator('[data-flowbook="panel"]').get_attribute("data-flow") == HOSTILE[3]
    control = browser.new_page()
    control.set_content(f"<p>{HOSTILE[2]}")
    control.wait_for_function("window.hurt === 3")
    control.close()


def _delays() -> Flow:
    @task
    def load(origin: str) -> pd.DataFrame:
        return pd.DataFrame({"carrier": [f"{origin}{n % 7}" for n in range(300)], "n": range(300)})

    @task
    def parse(n: int) -> int:
        return 6 // (n - 5)

    @task(trigger=triggers.manual_only)
    def approve(frame: pd.DataFrame) -> pd.DataFrame:
        return frame

    with Flow("delays") as flow:
        approve(load(Parameter("origin", default="JFK")))
        parse.map(list(range(40)))
    return flow


def test_a_report_is_walked_through_and_has_no_dead_control(opened: Callable[[Path], Page], tmp_path: Path) -> None:
    flow = _delays()
    for _ in range(2):
        flow.run(record=True)
    write_report(flow.last_run, tmp_path / "report.html")  # type: ignore[arg-type]  # it ran

    page = opened(tmp_path / "report.html")
    page.wait_for_selector('[data-flowbook="panel"][data-host="report"]')
    seen: set[str] = set()

    def look() -> None:
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        shown = "[...document.querySelectorAll('[data-action]')].filter(each => each.getClientRects().length)"
        seen.update(page.evaluate(f"{shown}.map(each => each.dataset.action)"))

    look()
    drawn_unasked = page.locator('[data-flowbook="logs"] .logs > div').count()
    page.click('.tablist [data-tab="timeline"]')
    page.wait_for_selector('[data-flowbook="timeline"] [data-task="load"]')
    look()
    page.click('.tablist [data-tab="logs"]')
    page.wait_for_selector('[data-flowbook="logs"] >> text=Failed')
    look()
    page.click('.tablist [data-tab="runs"]')
    page.wait_for_selector('[data-flowbook="runs"] tr[data-run="1"] >> text=run 1')
    look()
    page.click('.tablist [data-tab="graph"]')
    page.click('g.node[data-task="parse"]')
    page.fill('[data-action="child-query"]', "[5]")
    page.wait_for_selector('[data-flowbook="children"] .foot >> text=1 to 1 of 1')
    page.click('[data-flowbook="children"] tbody tr[data-task="parse[5]"] button')
    page.wait_for_selector('[data-flowbook="inspector"] >> text=ZeroDivisionError')
    look()
    page.click('[data-action="back-to-graph"]')
    page.click('g.node[data-task="approve"] >> nth=0')
    page.wait_for_selector('[data-flowbook="inspector"] >> text=What it would get')
    look()
    page.click('g.node[data-task="load"]')
    page.click('[data-flowbook="inspector"] th [data-column="n"]')
    page.click('[data-flowbook="inspector"] th [data-column="n"]')
    page.wait_for_selector('[data-flowbook="inspector"] tbody tr:first-child td:last-child >> text=99')
    page.fill('[data-action="frame-filter"]', "jfk3")
    page.wait_for_selector('[data-flowbook="inspector"] .foot >> text=Rows 1 to 14 of 14 that match, of 300')
    look()
    found = page.locator('[data-flowbook="inspector"] tbody tr').count()
    for tab in page.locator('[data-flowbook="inspector"] [role="tab"]').all():
        tab.click()
        look()
    history = page.locator('[data-flowbook="inspector"] tbody tr').inner_text()

    assert drawn_unasked == 0
    assert seen - ACTIONS == set()
    assert (found, history.split("\t")[0]) == (14, "run 1")
    assert page.locator(".tablist [data-tab]:visible").all_inner_texts() == ["Graph", "Timeline", "Logs", "Runs"]


def test_a_node_of_two_lines_holds_all_that_it_says_of_a_result_from_an_earlier_output(
    opened: Callable[[Path], Page], tmp_path: Path
) -> None:
    @task
    def load() -> int:
        return 1

    @task
    def double(x: int) -> int:
        return 2 * x

    with Flow("small") as flow:
        double(load())
    flow.run(record=True)
    flow.as_of("now").run_below("load", record=True)
    write_report(flow.last_run, tmp_path / "report.html")  # type: ignore[arg-type]  # it ran

    node = opened(tmp_path / "report.html").locator("g.node[data-task='load']")

    assert node.locator(".end.time").text_content().startswith("kept from ")
    word, end = (node.locator(part).bounding_box() for part in (".word", ".end.time"))
    assert word is not None
    assert end is not None
    assert word["x"] + word["width"] < end["x"]


def test_the_timeline_says_of_a_task_whose_process_was_killed_that_it_was(
    opened: Callable[[Path], Page],
    home: Path,  # noqa: F811  # the fixture
    tmp_path: Path,
) -> None:
    run = flowbook.run(killed_run(home, tmp_path, KILLED))
    write_report(run, tmp_path / "killed.html")

    page = opened(tmp_path / "killed.html")
    page.locator('[data-tab="timeline"]').click()

    lane = page.locator('.lane[data-task="each[1]"]')
    expect(lane).to_have_attribute("aria-label", "each[1]: Pending: its process ended while it ran")
    expect(lane.locator(".gbar")).to_have_attribute("title", "its process ended while it ran")
    expect(page.locator('.gbar[data-state="Running"]')).to_have_count(0)
