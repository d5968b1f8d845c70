"""The folder of a process that runs tests: what a test without folders of its own writes, gone when the process ends."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

from tests.removal import remove_folder

__all__ = ["HOME", "IPYTHON"]


def _made() -> Path:
    """Make the folder; a worker's lies in that of the process that started it, which may end the worker at once."""
    started_by = Path(os.environ["FLOWBOOK_HOME"]).parent if "PYTEST_XDIST_WORKER" in os.environ else None
    folder = Path(tempfile.mkdtemp(prefix="flowbook-tests-", dir=started_by))
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    """Remove a folder, in which a process that was left behind may write, unless this one is a copy of its maker."""
    if os.getpid() == owner:
        remove_folder(folder)


_FOLDER = _made()
HOME = _FOLDER / "home"
IPYTHON = _FOLDER / "ipython"
HOME.mkdir()
IPYTHON.mkdir()
