"""The quickstart's cells and tasks, as the notebook file has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
TASK_CELLS = ("load-tasks", "work-tasks", "publish-tasks")


@pytest.fixture(scope="session")
def quickstart() -> nbformat.NotebookNode:
    """Return the notebook as it is committed."""
    return nbformat.read(QUICKSTART, as_version=4)


@pytest.fixture(scope="session")
def cells(quickstart: nbformat.NotebookNode) -> dict[str, str]:
    """Return each cell's source by its id."""
    return {cell.id: cell.source for cell in quickstart.cells}


@pytest.fixture(scope="session")
def tasks(cells: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run the cells that define tasks, in a folder of their own, and return the names they made."""
    namespace: dict[str, Any] = {"__name__": "quickstart"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("quickstart"))
        for cell in TASK_CELLS:
            exec(compile(cells[cell], cell, "exec"), namespace)  # the notebook is ours
        yield namespace
