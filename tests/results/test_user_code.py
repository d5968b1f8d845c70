"""Whose code a module is, and how what it defines travels to other processes."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest

from flowbook.results.user_code import is_user_module, modules_by_value, travels_by_value

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("own_part", "part_on_target")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of `sys.path` with a module that an installer wrote, and one that it didn't."""
    for name in NAMES:
        module = types.ModuleType(name)
        module.__file__ = str(tmp_path / f"{name}.py")
        monkeypatch.setitem(sys.modules, name, module)
    (tmp_path / "part_on_target-1.0.dist-info").mkdir()
    (tmp_path / "part_on_target-1.0.dist-info" / "RECORD").write_text("part_on_target.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_what_was_installed_into_some_folder_is_not_the_users() -> None:
    assert [is_user_module(name) for name in (*NAMES, "pytest", "json", "flowbook", "__main__", None)] == [
        True,
        False,
        False,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("is_on_pythonpath", [False, True])
def test_it_goes_by_value_unless_other_processes_find_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, is_on_pythonpath: bool
) -> None:
    if is_on_pythonpath:
        monkeypatch.setenv("PYTHONPATH", str(folder))

    assert [travels_by_value(name) for name in (*NAMES, "pytest", "json")] == [True, not is_on_pythonpath, False, False]
    assert [name for name in NAMES if name in modules_by_value()] == [*NAMES][: 2 - is_on_pythonpath]
