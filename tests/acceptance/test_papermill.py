"""papermill runs a notebook with a flow: parameters reach it, it ends, and its copy keeps what a panel would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import papermill
import pytest

from tests.acceptance.books import KERNEL
from tests.acceptance.test_hosts_lab import RUN_MIME

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.acceptance,
    # papermill's own, on Python 3.12 and newer.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]

TASKS = """
%load_ext flowbook
from flowbook import Parameter, task, triggers

@task
def numbers(n):
    return list(range(n))

@task
def total(numbers):
    return sum(numbers)

@task(trigger=triggers.manual_only)
def approve(total):
    return total
"""
FLOW = """
%%flow sums --param n=$count
found = total(numbers(Parameter("n", default=1)))
approve(found)
"""


def test_papermill_runs_a_flow_with_its_parameters_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    cells = [
        nbformat.v4.new_code_cell(source.strip())
        for source in ("count = 2", TASKS, FLOW, 'print(sums.last_run["total"].result)')
    ]
    cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), tmp_path / "book.ipynb")

    papermill.execute_notebook(
        tmp_path / "book.ipynb", tmp_path / "done.ipynb", parameters={"count": 5}, progress_bar=False, cwd=tmp_path
    )

    *_, flow, result = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells
    (kept,) = [output["data"] for output in flow.outputs if "data" in output]
    assert [output["text"] for output in result.outputs] == ["10\n"]
    assert "approve waits for a person" in flow.outputs[0]["text"]
    assert list(kept) == [RUN_MIME, "text/html", "text/plain"]
