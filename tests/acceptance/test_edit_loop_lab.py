"""The loop of a notebook in JupyterLab: a task is edited, the panel marks it, and only what changed runs."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TASKS = """
from flowbook import task


def note(name):
    with open("notes", "a") as file:
        file.write(f"{name} ")


@task
def load():
    note("load")
    return [3, 1, 2]


@task
def clean(rows):
    note("clean")
    return sorted(rows)


@task
def count(rows):
    note("count")
    return len(rows)


@task
def report(rows):
    note("report")
    import matplotlib.pyplot as plt

    plt.plot(rows)
    return f"{rows[0]} comes first"
"""
FLOW = """
%%flow daily --cache
rows = load()
report(clean(rows))
count(rows)
"""


@pytest.fixture
def daily(jupyter_server: JupyterServer, request: pytest.FixtureRequest) -> Path:
    folder = jupyter_server.folder / re.sub(r"\W+", "-", request.node.name)
    folder.mkdir()
    first = f"import os; os.environ['FLOWBOOK_HOME'] = {str(folder / 'home')!r}\n%load_ext flowbook"
    return write_notebook(folder / "daily.ipynb", {"extension": first, "tasks": TASKS, "flow": FLOW})


def test_an_edited_task_is_marked_and_only_it_and_what_lies_below_run(
    open_notebook: Callable[..., Notebook], daily: Path
) -> None:
    notebook = open_notebook(daily)
    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_run("Success")

    notebook.rewrite("tasks", TASKS.replace("sorted(rows)", "sorted(rows, reverse=True)"))
    notebook.run_cell("tasks")
    button = notebook.control("only-changed")
    button.wait_for()
    for key, edit in (("clean", "edited"), ("report", "stale")):
        notebook.panel().locator(f'g.node[data-task="{key}"][data-edit="{edit}"]').wait_for()
    notebook.panel().locator(".saying", has_text="clean was edited since").wait_for()
    marks = {key: notebook.node(key).get_attribute("data-edit") for key in ("load", "clean", "report", "count")}
    said = notebook.panel().locator(".saying").text_content()
    notebook.screenshot("edited-since", of=notebook.panel())
    notebook.panel().locator('[data-tab="plan"]').click()
    notebook.panel().locator('[data-flowbook="plan"] g.node[data-outcome="hit"]').first.wait_for()
    notebook.screenshot("plan-of-a-run", of=notebook.panel())
    notebook.panel().locator('[data-tools="plan"] [data-action="as-table"]').click()
    rows = notebook.panel().locator('[data-flowbook="plan"] tbody tr')
    rows.first.wait_for()
    planned = [(row.get_attribute("data-task"), row.get_attribute("data-outcome")) for row in rows.all()]
    notebook.screenshot("plan-of-a-run", of=notebook.panel())
    notebook.panel().locator('[data-tab="graph"]').click()
    notebook.click("only-changed")
    button.wait_for(state="detached")
    notebook.wait_run("Success")
    card = notebook.inspect("report")
    card.locator(".shown img, .shown iframe").first.wait_for()
    notebook.screenshot("figure-of-a-task", of=notebook.panel())

    assert button.count() == 0
    assert planned == [("load", "hit"), ("clean", "run"), ("count", "hit"), ("report", "run")]
    assert marks == {"load": None, "clean": "edited", "report": "stale", "count": None}
    assert said is not None
    assert said == "All 4 ran: none of their outputs was cached yet; clean was edited since"
    assert "3 comes first" in (card.text_content() or "")
    ran = Counter(daily.with_name("notes").read_text().split())
    assert ran == {"load": 1, "clean": 2, "count": 1, "report": 2}
