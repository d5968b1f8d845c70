"""A flow with a task in each state, and a walk through every view of its panel: for pictures, axe and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

__all__ = ["CELLS", "CLOCK", "panel_views"]

TASKS = """
import logging
import pandas as pd
from flowbook import case, task, triggers

FLIGHTS = pd.DataFrame({"carrier": ["AA", "B6", "EV", "UA"] * 50, "delay": [n % 37 - 5.5 for n in range(200)]})


@task(log_stdout=True)
def load(origin):
    print("loading", origin)
    logging.getLogger("flowbook.task_run").warning("two rows have no time")
    return FLIGHTS.assign(origin=origin)


@task(cache_for=3600)
def cleaned(frame):
    return frame[frame.delay > 0]


@task
def parsed(n):
    if n == 3:
        raise ValueError("n/a isn't a number")
    return n


@task
def failing(frame):
    rows = len(frame)
    raise ValueError(f"{rows} rows are too many")


@task(trigger=triggers.manual_only)
def approve(frame):
    return frame


@task
def publish(frame):
    return len(frame)


@task
def is_weekend():
    return False


@task
def weekend_report():
    return "weekend"
"""
FLOW = """
%%flow views --executor local --param origin=JFK
flights = load(Parameter("origin", default="EWR"))
tidy = cleaned(flights)
numbers = parsed.map(list(range(12)))
failing(tidy)
publish(approve(tidy))
with case(is_weekend(), True):
    weekend_report()
"""
CELLS = {
    "extension": "%load_ext flowbook",
    "imports": "from flowbook import Parameter",
    "tasks": TASKS,
    "flow": FLOW,
    "cache": "%cache",
}
#: What a tab shows once the kernel has answered.
DRAWN = {
    "timeline": '[data-flowbook="timeline"] .lane[data-task]',
    "logs": '[data-flowbook="logs"] .logs > div',
    "runs": '[data-flowbook="runs"] tr[data-run]',
    "plan": '[data-action="run-plan"]',
}
#: Drawn twice, so that what follows a click is there.
CLOCK = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


def panel_views(page: Page, panel: Locator, *, orders_children: bool = True) -> Iterator[str]:
    """Show one view of a panel after another, and yield the name of each while it is shown.

    A saved panel keeps the first children in one order only (`orders_children`).
    """
    yield "graph"
    for task in ("cleaned", "failing", "approve"):
        panel.locator(f'g.node[data-task="{task}"]').click(position={"x": 80, "y": 12})
        panel.locator(f'[data-flowbook="inspector"][data-task="{task}"] :is([role="tab"], .inputs)').first.wait_for()
        page.evaluate(CLOCK)
        yield f"card of {task}"
        for tab in panel.locator('[data-flowbook="inspector"] [role="tab"]').all():
            tab.click()
            expect(tab).to_have_attribute("aria-selected", "true")
            page.evaluate(CLOCK)
            yield f"card of {task}, {tab.inner_text()}"
    page.keyboard.press("Escape")
    panel.locator('g.node[data-task="parsed"]').click(position={"x": 80, "y": 12})
    panel.locator('[data-flowbook="children"] tbody tr').first.wait_for()
    if orders_children:
        panel.locator('[data-action="child-order"]').select_option("index")
        panel.locator('[data-flowbook="children"] tbody tr:first-child[data-task="parsed[0]"]').wait_for()
    yield "children"
    panel.locator('[data-action="back-to-graph"]').click()
    for tab in panel.locator(".tablist [data-tab]:visible").all()[1:]:
        name = str(tab.get_attribute("data-tab"))
        tab.click()
        panel.locator(DRAWN[name]).first.wait_for()
        page.evaluate(CLOCK)
        yield name
        if name == "plan":
            yield from _plan_views(panel)
    panel.locator('.tablist [data-tab="graph"]').click()
    panel.locator('[data-action="as-table"]').click()
    panel.locator("tr[data-task]").first.wait_for()
    yield "table"
    panel.locator('[data-action="as-table"]').click()


def _plan_views(panel: Locator) -> Iterator[str]:
    panel.locator('[data-flowbook="plan"] g.node[data-task="publish"]').click(position={"x": 80, "y": 12})
    yield "plan of a task"
    panel.locator('[data-tools="plan"] [data-action="as-table"]').click()
    yield "plan as a table"
    panel.locator('[data-tools="plan"] [data-action="as-table"]').click()
