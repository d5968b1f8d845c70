"""Notebooks whose tasks note their calls: only the tasks do, and all else stays as it was."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import nbformat

from tests.acceptance.books import calls, counting, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '''
def task(function=None, **options):
    return function or (lambda each: each)


@task
def add(x):
    """Say more."""
    return x + 1


def plain(x):
    return x


@task(max_retries=2)
def twice(x):
    return 2 * x
'''


def test_a_counted_notebook_notes_each_call_of_its_tasks_and_of_nothing_else(tmp_path: Path) -> None:
    plain = write_notebook(tmp_path / "plain.ipynb", {"magic": "%load_ext nothing", "tasks": SOURCE})

    counted = nbformat.read(counting(plain, tmp_path / "counted.ipynb"), as_version=4)
    names: dict[str, object] = {}
    exec(counted.cells[1].source, names)
    results = [names["add"](1), names["add"](2), names["plain"](3)]

    assert counted.cells[0].source == "%load_ext nothing"
    assert results == [2, 3, 3]
    assert names["add"].__doc__ == "Say more."
    assert calls(tmp_path) == Counter(add=2)


def test_before_anything_ran_nothing_is_counted(tmp_path: Path) -> None:
    assert calls(tmp_path) == Counter()
