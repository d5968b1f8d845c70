"""Files that `pip install --target` wrote, files beside them, and files of editable installs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from flowbook._utils.installed_files import Installed, installed

if TYPE_CHECKING:
    from pathlib import Path

RECORD = """tool/__init__.py,sha256=x,10
"tool/parts, old/table.py",sha256=x,10
single.py,sha256=x,10
shared/inner/__init__.py,sha256=x,10
../../bin/tool,sha256=x,10
tool-1.0.dist-info/RECORD,,

"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def _install(folder: Path, record: str = RECORD, *, editable: bool = False) -> None:
    info = folder / "tool-1.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text(record)
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///tool", "dir_info": {"editable": editable}}))


@pytest.mark.parametrize(
    ("file", "package"),
    [
        ("tool/__init__.py", "tool"),
        ("tool/made_by_the_build.py", "tool"),
        ("tool/parts, old/table.py", "tool"),
        ("single.py", "single"),
        ("shared/inner/__init__.py", "shared"),
        ("shared/mine/__init__.py", None),
        ("mine.py", None),
        ("steps/tool/__init__.py", None),
    ],
)
def test_only_what_an_installer_listed_was_installed(folder: Path, file: str, package: str | None) -> None:
    _install(folder)

    assert installed(str(folder / file)) == (Installed(package, folder) if package else None)


def test_an_editable_install_is_somebodys_own_code(folder: Path) -> None:
    _install(folder, editable=True)

    assert installed(str(folder / "tool/__init__.py")) is None


def test_what_is_installed_later_is_noticed(folder: Path) -> None:
    before = installed(str(folder / "single.py"))

    _install(folder)

    assert (before, installed(str(folder / "single.py"))) == (None, Installed("single", folder))


def test_a_folder_from_which_nothing_is_imported_says_nothing(tmp_path: Path) -> None:
    _install(tmp_path)

    assert installed(str(tmp_path / "single.py")) is None


def test_what_can_not_be_read_says_nothing(folder: Path) -> None:
    _install(folder)
    (folder / "tool-1.0.dist-info" / "RECORD").write_bytes(b"single.py,\xff")

    assert installed(str(folder / "single.py")) is None
