"""The store's folder: created private, and refused if others can write to it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from flowbook.exceptions import StoreError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_file", "make_private", "prepare"]

_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def prepare(path: Path) -> bool:
    """Create folder `path` (0700) or check the one that exists; return whether it can only be read.

    Raises:
        StoreError: if it isn't a folder, belongs to somebody else, others can write to it, or you can't.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except (FileExistsError, NotADirectoryError) as exc:
        msg = f"The store can't be at {path}: there is a file in its place. Move it, or set FLOWBOOK_HOME to a folder."
        raise StoreError(msg, path=str(path)) from exc
    except OSError as exc:
        msg = (
            f"The store's folder {path} can't be made: {exc.strerror}. Set FLOWBOOK_HOME to one that you can write to."
        )
        raise StoreError(msg, path=str(path)) from exc
    _check_owner(path, status)
    if os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return False
    if not (path / "store.sqlite").is_file() or not os.access(path / "store.sqlite", os.R_OK):
        msg = (
            f"The store's folder {path} can't be written to. "
            f"Make it writable (chmod u+rwx {path}), or set FLOWBOOK_HOME to another folder."
        )
        raise StoreError(msg, path=str(path))
    return True


def check_file(path: Path, *, is_read_only: bool = False) -> None:
    """Refuse a file of the store that is a link, or that others own or can write to; a missing file is fine.

    A file that others can read (a copy, a restored backup) is made private.

    Raises:
        StoreError: if it is refused.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        msg = f"{path} is not an ordinary file, so the store is not opened. Move it away."
        raise StoreError(msg, path=str(path))
    _check_owner(path, status)
    if is_read_only:
        return
    if os.name != "nt" and status.st_mode & _OPEN_TO_OTHERS:
        path.chmod(0o600)
    if not os.access(path, os.R_OK | os.W_OK):
        msg = f"{path} can't be written to. Make it writable (chmod u+rw), or set FLOWBOOK_HOME to another folder."
        raise StoreError(msg, path=str(path))


def make_private(path: Path) -> None:
    """Create the file `path` (0600) if there is none: SQLite gives the files beside it the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        check_file(path)
    except OSError as exc:
        msg = f"The file {path} can't be made: {exc.strerror}. Free some room, or set FLOWBOOK_HOME to another folder."
        raise StoreError(msg, path=str(path)) from exc


def _check_owner(path: Path, status: os.stat_result) -> None:
    if not hasattr(os, "getuid"):
        return
    if status.st_uid != os.getuid():
        msg = (
            f"{path} belongs to user {status.st_uid}, not to you ({os.getuid()}), so the store is not opened. "
            "Set FLOWBOOK_HOME to a folder of your own."
        )
        raise StoreError(msg, path=str(path), owner=status.st_uid)
    if status.st_mode & _WRITABLE_BY_OTHERS:
        msg = (
            f"{path} can be written to by others (mode {stat.S_IMODE(status.st_mode):04o}), so it is not opened: "
            f"what it loads could run their code. Make it yours alone (chmod go-w {path})."
        )
        raise StoreError(msg, path=str(path), mode=stat.S_IMODE(status.st_mode))
