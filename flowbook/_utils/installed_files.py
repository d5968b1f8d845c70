"""Tells what package a file was installed with where its folder doesn't say that, as after `pip install --target DIR`."""

from __future__ import annotations

import csv
import json
import sys
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Installed", "installed"]

#: How many states of folders of `sys.path` are remembered.
_FOLDERS_KEPT = 100


class Installed(NamedTuple):
    """What a file was installed with.

    Attributes:
        package: name of its topmost package, or of the module that it is.
        folder: the absolute folder of `sys.path` in which that is.
    """

    package: str
    folder: Path


def installed(file: str) -> Installed | None:
    """Return what `file` was installed with, if an installer wrote it into a folder of `sys.path`; else None.

    What an installer wrote, it lists in a file `*.dist-info/RECORD` of the same folder. The code of an editable install lies
    elsewhere and isn't listed; nor is what a person put beside installed packages.

    Args:
        file: its path, as the interpreter has it.
    """
    path = Path(file).absolute()
    for entry in list(sys.path):
        folder = Path(entry).absolute()
        if not path.is_relative_to(folder):
            continue
        inside = path.relative_to(folder)
        if _place(inside.as_posix()) in _installed_in(folder):
            return Installed(PurePath(inside.parts[0]).stem, folder)
    return None


def _installed_in(folder: Path) -> frozenset[str]:
    try:
        changed_ns = folder.stat().st_mtime_ns
    except OSError:
        return frozenset()
    return _places(folder, changed_ns)


@lru_cache(maxsize=_FOLDERS_KEPT)
def _places(folder: Path, changed_ns: int) -> frozenset[str]:
    """Return the places where installers put files, relative to `folder`. Another time of change means another content."""
    del changed_ns
    return frozenset(
        _place(row[0])
        for record in folder.glob("*.dist-info/RECORD")
        if not _is_editable(record)
        for row in _rows(record)
    )


def _place(file: str) -> str:
    """Return the folder of a listed file, since those of a package are many; a file at the top is its own place."""
    return file.rpartition("/")[0] or file


def _is_editable(record: Path) -> bool:
    try:
        origin = json.loads(record.with_name("direct_url.json").read_text(encoding="utf-8"))
        return bool(origin["dir_info"]["editable"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _rows(record: Path) -> Iterator[list[str]]:
    try:
        text = record.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    yield from filter(None, csv.reader(text.splitlines()))
