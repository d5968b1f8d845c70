"""Finds out whether other processes have a store open: each holds a shared lock on a file while it does.

The kernel releases the lock when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["StoreUsers"]

_FILE = "users"


class StoreUsers:
    """The processes that have the store in `folder` open; this one is among them until `close`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._descriptor = -1
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # then others can't tell, and nothing that they need goes by age alone
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Yield whether no other process has the store open; if so, none can open it before the block ends.

        Yields False if this can't be found out.
        """
        if self._process != os.getpid():
            self._begin()  # the inherited descriptor shares its lock with the parent: it stays as it is
        is_alone = self._try_exclusive()
        try:
            yield is_alone
        finally:
            if sys.platform != "win32":
                with contextlib.suppress(OSError):
                    fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def _try_exclusive(self) -> bool:
        if sys.platform == "win32" or self._descriptor < 0:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Leave the store's users."""
        if self._descriptor >= 0 and self._process == os.getpid():
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1
