"""Removes a folder in which somebody may be writing: under its name it is gone at once, so nobody puts anything more into it."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["remove_folder"]


def remove_folder(folder: Path) -> None:
    """Remove a folder with all in it. Who has a file of it open can go on writing into that."""
    gone = folder.with_name(f"{folder.name}-{os.urandom(4).hex()}-gone")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
