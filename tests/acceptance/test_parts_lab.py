"""Parts of a flow in JupyterLab: a node's menu by mouse and keyboard, the plan before, and the run that does what it said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TASKS = """
import datetime as dt

from flowbook import Parameter, task

RAN = []


@task(cache_for=dt.timedelta(days=1))
def load(origin):
    return list(range(3))


@task
def double(x):
    return 2 * x


@task
def total(xs):
    return sum(xs)


@task
def publish(value):
    return f"published {value}"
"""
FLOW = """
%%flow delays
publish(total(double.map(load(Parameter("origin", default="JFK")))))
"""


@pytest.fixture
def parts(jupyter_server: JupyterServer) -> Path:
    before = FLOW.replace("%%flow delays", "%%flow before --plan --param origin=LGA")
    cells = {"extension": "%load_ext flowbook", "tasks": TASKS, "flow": FLOW, "planned": before}
    return write_notebook(jupyter_server.folder / "parts.ipynb", cells)


def menu_lines(notebook: Notebook) -> dict[str, str]:
    """Wait until the kernel has told what each choice would run; return the lines by action, the refused ones in brackets."""
    menu = notebook.panel().locator('[role="menu"]:visible')
    menu.wait_for()
    menu.locator("button span", has_text="task").first.wait_for()
    lines = menu.get_by_role("menuitem").all()
    return {line.get_attribute("data-action"): line.inner_text().replace("\n", " | ") for line in lines}


def planned(notebook: Notebook, cell: str | None = None) -> dict[str, str]:
    plan = notebook.panel(cell).locator('[data-flowbook="plan"]')
    plan.locator('[data-action="run-plan"]').wait_for()
    found = plan.locator('g.node[data-outcome]:not([data-outcome="given"])')
    found.first.wait_for()
    nodes = found.all()
    return {node.get_attribute("data-task"): node.get_attribute("data-outcome") for node in nodes}


def wait_number(notebook: Notebook, number: int, state: str = "Success") -> Locator:
    found = notebook.page.locator(f'[data-flowbook="panel"][data-run="{number}"][data-state="{state}"]')
    found.wait_for()
    return found


def wait_focus(page: Page, what: str, name: str) -> None:
    """Wait until what has the focus is of this action, or of this task."""
    page.wait_for_function("([what, name]) => document.activeElement.dataset[what] === name", arg=[what, name])


def test_a_part_of_a_flow_is_planned_from_a_nodes_menu_and_then_runs(
    open_notebook: Callable[..., Notebook], parts: Path
) -> None:
    notebook = open_notebook(parts)
    page = notebook.page
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    wait_number(notebook, 1)

    notebook.open_menu("total")
    lines = menu_lines(notebook)
    notebook.screenshot("menu-of-a-node-light", of=notebook.panel())
    page.evaluate("lab.current().content.activate()")  # as after Shift+Enter, once JupyterLab has scrolled
    page.keyboard.press("Enter")
    outcomes = planned(notebook)
    notebook.screenshot("plan-of-a-part-light", of=notebook.panel())
    wait_focus(page, "action", "run-plan")
    page.keyboard.press("Enter")
    alone = wait_number(notebook, 2)
    notebook.screenshot("only-one-ran-light", of=notebook.panel())

    assert {key: text.partition(",")[0] for key, text in lines.items()} == {
        "only-this": "Only this | 1 task",
        "run-from": "From here | 2 tasks",
        "up-to": "Up to here | 3 tasks",
        "only-changed": "Only what changed | nothing did",
    }
    assert outcomes == {"load": "keep", "double": "keep", "total": "run", "publish": "out"}
    assert alone.locator('g.node[data-task="publish"]').get_attribute("data-state") == "Skipped"

    notebook.set_theme("dark")
    inspector = notebook.inspect("publish")
    inspector.locator('[data-action="node-menu"]').click()
    menu_lines(notebook)
    notebook.screenshot("menu-of-a-card-dark", of=notebook.panel())
    page.keyboard.press("Escape")
    wait_focus(page, "action", "node-menu")
    page.keyboard.press("Escape")
    notebook.node("double").focus()
    page.keyboard.press("Shift+F10")
    menu_lines(notebook)
    page.keyboard.press("ArrowDown")
    wait_focus(page, "action", "run-from")
    page.keyboard.press("Enter")
    outcomes = planned(notebook)
    page.get_by_role("button", name="Not now").click()
    wait_focus(page, "task", "double")
    notebook.set_theme("light")

    assert outcomes == {"load": "keep", "double": "run", "total": "run", "publish": "run"}
    assert notebook.panel().get_attribute("data-run") == "2"

    notebook.click("run-menu")
    menu_lines(notebook)
    notebook.screenshot("menu-of-run-light", of=notebook.panel())
    page.get_by_role("menuitem", name="Without the cache").click()
    outcomes = planned(notebook)
    notebook.click("run-plan")
    wait_number(notebook, 3)

    assert set(outcomes.values()) == {"run"}
    assert notebook.errors == []


def test_a_cell_begins_with_the_plan_and_runs_it_with_what_was_typed_last(
    open_notebook: Callable[..., Notebook], parts: Path
) -> None:
    notebook = open_notebook(parts)
    for cell in ("extension", "tasks", "planned"):
        notebook.run_cell(cell)

    outcomes = planned(notebook)
    notebook.screenshot("plan-before-a-run-light", of=notebook.panel())
    notebook.panel().locator('[data-flowbook="plan"] [name="origin"]').fill("JFK")
    run = notebook.control("run-plan")
    run.hover()
    pressed = run.element_handle()
    notebook.page.mouse.down()  # the form is left by it, so another plan comes, and draws the button anew
    notebook.page.wait_for_function("button => !button.isConnected", arg=pressed)
    notebook.page.mouse.up()
    wait_number(notebook, 1)
    given = (
        notebook.panel().locator('[aria-label="Parameters"], [aria-label="This run"]').locator("input").input_value()
    )
    notebook.run_cell("planned")
    again = planned(notebook)

    assert outcomes == {"load": "run", "double": "run", "total": "run", "publish": "run"}
    assert given == "JFK"
    assert again["load"] == "hit"
    assert notebook.errors == []
