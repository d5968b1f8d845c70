"""What ends a notebook that is run without a person: nbclient, and so papermill and `jupyter execute`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

SETUP = """%load_ext flowbook
from flowbook import task

@task
def fail():
    raise ValueError("August is missing")
"""


@pytest.mark.parametrize(
    ("cell", "name", "value"),
    [
        ("%%flow delays\nfail()\n1 / 0", "ZeroDivisionError", "division by zero"),
        ("%%flow delays\nfail(]", "SyntaxError", "closing parenthesis ']' does not match"),
        ("%%flow delays\nfail(1)", "ArgumentError", "Task 'fail' takes 0 "),
        (
            "%%flow delays --raise\nfail()",
            "RunFailedError",
            "Run 1 of 'delays' failed: fail failed: ValueError: August is",
        ),
    ],
    ids=["raises", "syntax", "definition", "run"],
)
def test_a_notebook_ends_with_the_cells_own_error_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, name: str, value: str
) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in (SETUP, cell)])

    with pytest.raises(CellExecutionError) as raised:
        NotebookClient(book, timeout=60, kernel_name="python3").execute()

    errors = [output for output in book.cells[1].outputs if output.output_type == "error"]
    assert [output.ename for output in errors] == [raised.value.ename] == [name]
    assert raised.value.evalue[: len(value)] == value


def test_a_notebook_whose_run_failed_goes_on_where_no_error_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))
    cells = [nbformat.v4.new_code_cell(text) for text in (SETUP, "%%flow delays --wait\nfail()", "print('on')")]
    book = nbformat.v4.new_notebook(cells=cells)

    NotebookClient(book, timeout=60, kernel_name="python3").execute()

    assert [output.text for output in book.cells[2].outputs] == ["on\n"]
