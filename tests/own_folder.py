"""The folder of a process that runs tests: what a test without folders of its own writes, gone when the process ends."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["HOME", "IPYTHON"]

#: How often to begin anew with a folder in which a process that was left behind still writes.
_REMOVALS = 100


def _made() -> Path:
    """Make the folder; a worker's lies in that of the process that started it, which may end the worker at once."""
    started_by = Path(os.environ["FLOWBOOK_HOME"]).parent if "PYTEST_XDIST_WORKER" in os.environ else None
    folder = Path(tempfile.mkdtemp(prefix="flowbook-tests-", dir=started_by))
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    """Remove a folder with all in it, unless this process is a copy of the one that made it."""
    for _ in range(_REMOVALS if os.getpid() == owner else 0):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


_FOLDER = _made()
HOME = _FOLDER / "home"
IPYTHON = _FOLDER / "ipython"
HOME.mkdir()
IPYTHON.mkdir()
