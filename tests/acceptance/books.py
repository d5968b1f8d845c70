"""Notebooks for the tests: written from cells, and with tasks that note each time their function really runs."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["calls", "counting", "write_notebook"]

CALLS = "calls.log"
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def write_notebook(path: Path, cells: Mapping[str, str]) -> Path:
    """Write a notebook of code cells, by their ids, and return its path."""
    made = [nbformat.v4.new_code_cell(source.strip(), id=name) for name, source in cells.items()]
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=KERNEL), path)
    return path


def counting(source: Path, target: Path, home: Path | None = None) -> Path:
    """Copy a notebook so that every task's function begins by adding its name to a file beside the copy.

    What ran is then counted by what it did, whatever the states say. With `home` the copy has a store of its own there,
    set before anything else.
    """
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and not cell.source.startswith("%"):
            cell.source = _noting_calls(cell.source, target.with_name(CALLS))
    if home is not None:
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        first.source = f"import os; os.environ['FLOWBOOK_HOME'] = {str(home)!r}\n{first.source}"
    nbformat.write(notebook, target)
    return target


def calls(folder: Path) -> Counter[str]:
    """Return how often each task's function has run in the notebooks of `folder`."""
    log = folder / CALLS
    return Counter(log.read_text().split()) if log.exists() else Counter()


def _noting_calls(source: str, log: Path) -> str:
    lines = source.splitlines()
    tasks = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and _is_task(node)]
    for task in reversed(tasks):
        first = task.body[1 if ast.get_docstring(task) else 0]
        # One short line, appended in one write: two threads can't mix theirs.
        note = f"{' ' * first.col_offset}with open({str(log)!r}, 'a') as _log: _log.write({task.name + chr(10)!r})"
        lines.insert(first.lineno - 1, note)
    return "\n".join(lines)


def _is_task(node: ast.FunctionDef) -> bool:
    names = [decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list]
    return any(isinstance(name, ast.Name) and name.id == "task" for name in names)
