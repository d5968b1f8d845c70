"""A lock between processes: `flock` on a descriptor that stays open or, on systems without it, the filelock library.

The kernel releases it when its process ends, however that ends. It doesn't exclude threads of one process.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ProcessLock", "open_lock"]


class ProcessLock(Protocol):
    """One process at a time."""

    def is_intact(self) -> bool:
        """Return whether its descriptor is still its own: no other code has closed it or opened another file in its place."""
        ...

    def acquire(self) -> None:
        """Wait until this process has the lock. Raises OSError if the system refuses it."""
        ...

    def release(self) -> None:
        """Release the lock."""
        ...

    def close(self) -> None:
        """Close the descriptor."""
        ...


def open_lock(path: Path) -> ProcessLock:
    """Return the lock of the file at `path`."""
    return LibraryLock(path) if sys.platform == "win32" else DescriptorLock(path)


if sys.platform != "win32":

    class DescriptorLock:
        """`flock`: 1 µs."""

        def __init__(self, path: Path) -> None:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._file = _identity(self._descriptor)

        def is_intact(self) -> bool:
            """See `ProcessLock`."""
            try:
                return _identity(self._descriptor) == self._file
            except OSError:
                return False

        def acquire(self) -> None:
            """See `ProcessLock`."""
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

        def release(self) -> None:
            """See `ProcessLock`."""
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

        def close(self) -> None:
            """See `ProcessLock`."""
            if self._descriptor >= 0 and self.is_intact():
                os.close(self._descriptor)
            self._descriptor = -1

    def _identity(descriptor: int) -> tuple[int, int]:
        status = os.fstat(descriptor)
        return status.st_dev, status.st_ino


class LibraryLock:
    """The filelock library: 65 µs, for systems without `flock`."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock  # noqa: PLC0415  # only where there is no flock

        self._lock = FileLock(path, thread_local=False)

    def is_intact(self) -> bool:
        """See `ProcessLock`: the library opens it each time."""
        return True

    def acquire(self) -> None:
        """See `ProcessLock`."""
        self._lock.acquire()

    def release(self) -> None:
        """See `ProcessLock`."""
        self._lock.release()

    def close(self) -> None:
        """See `ProcessLock`."""
        self._lock.release(force=True)
