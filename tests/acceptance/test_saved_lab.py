"""Five panels of a hundred tasks in a saved notebook: how large it is, and what it shows without a kernel, trusted or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import nbformat.sign
import pytest
from nbconvert import HTMLExporter

from tests.acceptance.books import write_notebook
from tests.acceptance.lab import without_kernel
from tests.acceptance.test_hosts_lab import RUN_MIME, SAVED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TASKS = """
import pandas as pd
from flowbook import task


@task
def load(n):
    return pd.DataFrame({"city": [f"city {i}" for i in range(200)], "degrees": [i * n % 37 / 2 for i in range(200)]})


@task
def mixed(one, other):
    return pd.concat([one, other]).sort_values("degrees").head(200)


def layers():
    above = [load(n, task_args={"name": f"load_{n}"}) for n in range(10)]
    for layer in range(1, 10):
        pairs = zip(above, [*above[1:], above[0]])
        above = [mixed(a, b, task_args={"name": f"mixed_{layer}_{n}"}) for n, (a, b) in enumerate(pairs)]
"""
FLOWS = {f"flow{n}": f"%%flow layers{n} --executor threads\nlayers()" for n in range(5)}
FIVE_AT_MOST = 300_000
JSON_AT_MOST = 60_000
ARE_THERE = "selector => document.querySelectorAll(selector).length === 5"


def saved_notebook(notebook: Notebook) -> Path:
    """Run all five flows, wait until each has ended in its panel, and save the notebook."""
    notebook.run_all()
    for name in FLOWS:
        notebook.wait_run("Success", name)
    notebook.wait_idle()
    # What the notebook keeps follows what is seen.
    notebook.page.wait_for_function(
        "() => new Set(JSON.stringify(lab.current().model.toJSON()).match(/layers\\d: Success/g)).size === 5"
    )
    return notebook.save()


def _outputs(path: Path) -> list[dict[str, Any]]:
    book = nbformat.read(path, as_version=4)
    return [output["data"] for cell in book.cells for output in cell.get("outputs", []) if RUN_MIME in output["data"]]


def test_five_panels_of_a_hundred_tasks_are_small_and_shown_trusted_untrusted_and_converted(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer, browser: Browser, tmp_path: Path
) -> None:
    cells = {"extension": "%load_ext flowbook", "tasks": TASKS, **FLOWS}
    saved = saved_notebook(open_notebook(write_notebook(jupyter_server.folder / "five.ipynb", cells)))
    outputs = _outputs(saved)
    sizes = [(len(json.dumps(each[RUN_MIME])), len(each["text/html"])) for each in outputs]
    untrusted = without_kernel(saved)

    shown = [_walk(open_notebook(untrusted, kernel=False))]
    _trust(trusted := untrusted.with_name("trusted.ipynb"), untrusted, jupyter_server)
    shown.append(_walk(open_notebook(trusted, kernel=False)))
    html, _ = HTMLExporter().from_filename(str(saved))
    (tmp_path / "five.html").write_text(html, "utf-8")
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/five.html")
    page.wait_for_function("() => [...document.images].every((image) => image.complete)")
    widths = page.evaluate(
        "() => [...document.querySelectorAll('[data-flowbook=picture]')].map((image) => image.naturalWidth)"
    )
    page.locator("[data-flowbook=picture]").first.screenshot(path=tmp_path / "picture.png")
    page.close()

    assert saved.stat().st_size < FIVE_AT_MOST, sizes
    assert [size for size, _ in sizes if size > JSON_AT_MOST] == []
    assert shown == [(False, 0), (True, 0)]
    assert len(widths) == 5
    assert min(widths) > 1000


def _walk(notebook: Notebook) -> tuple[bool, int]:
    """Walk through a Saved panel; return whether its notebook is trusted, and how many errors it shows."""
    notebook.page.wait_for_function(ARE_THERE, arg=SAVED)
    notebook.inspect("mixed_1_0", "flow3").get_by_text("city").first.wait_for()
    notebook.panel("flow3").locator('[role="tab"][data-tab="timeline"]').first.click()
    notebook.panel("flow3").locator('[data-flowbook="timeline"] [data-task="load_0"]').first.wait_for()
    is_trusted = notebook.page.evaluate(
        "() => [...lab.current().model.cells].every((cell) => cell.trusted || cell.type !== 'code')"
    )
    return is_trusted, notebook.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count()


def _trust(path: Path, source: Path, server: JupyterServer) -> None:
    """Write a copy that its reader has signed, as `jupyter trust` does."""
    book = nbformat.read(source, as_version=4)
    book.cells.append(nbformat.v4.new_markdown_cell("Trusted.", id="trusted"))
    nbformat.write(book, path)
    notary = nbformat.sign.NotebookNotary(data_dir=str(server.home.parent / "data"))
    notary.sign(book)
    notary.store.close()
