"""A run on a Dask cluster in JupyterLab: its panel says what it waits for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.books import write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TASKS = """
from distributed import LocalCluster
from flowbook import task
from flowbook.executors import DaskExecutor

cluster = LocalCluster(n_workers=0, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50)
here = DaskExecutor(cluster.scheduler_address)


@task
def extract():
    return 1
"""
CELLS = {
    "extension": "%load_ext flowbook",
    "tasks": TASKS,
    "flow": "%%flow weather --executor here\nextract()",
    "scale": "cluster.scale(1)",
    "close": "cluster.close()",
}


def test_the_panel_says_that_a_run_waits_for_workers_and_no_more_once_it_goes_on(
    open_notebook: Callable[..., Notebook], jupyter_server: JupyterServer
) -> None:
    folder = jupyter_server.folder / "cluster"
    folder.mkdir()
    notebook = open_notebook(write_notebook(folder / "cluster.ipynb", CELLS))
    notice = notebook.page.locator(".notice")

    for cell in ("extension", "tasks", "flow"):
        notebook.run_cell(cell)
    notebook.wait_idle()
    notice.filter(has_text=re.compile("has no workers")).wait_for()
    said = notice.text_content() or ""
    picture = notebook.screenshot("panel-waits-for-workers", of=notebook.panel())
    notebook.set_theme("dark")
    notebook.screenshot("panel-waits-for-workers-dark", of=notebook.panel())
    notebook.run_cell("scale")
    notebook.wait_run("Success")
    notebook.wait_idle()
    notice.wait_for(state="hidden")
    notebook.run_cell("close")
    notebook.wait_idle()

    assert said.startswith("A task run ('extract') waits for a worker: the Dask cluster at ")
    assert "dask worker" in said
    assert picture.stat().st_size > 5_000
