"""The errors of a database that can't be used: what happened, and what to do about it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from flowbook.exceptions import FlowbookError, StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "closed",
    "failed",
    "gone",
    "in_words",
    "invalid_unicode",
    "lock_failed",
    "refused",
    "unreadable",
    "unwritable",
]

P = ParamSpec("P")
R = TypeVar("R")


def failed(path: Path | None, error: Exception, what: str) -> StoreError:
    """Return the error of a database that can't be read, written to, opened (`what`)."""
    if _is_damaged(error):
        msg = (
            f"The store {path or 'in memory'} can't be {what}: {error}. Its file is damaged, or something other than "
            f"flowbook changed it. Move it away and put a backup in its place, or set FLOWBOOK_HOME to another folder."
        )
    else:
        msg = (
            f"The store {path or 'in memory'} can't be {what}: {error}. "
            "Check that its disk has room and its folder can be written to, or set FLOWBOOK_HOME to another folder."
        )
    return StoreError(msg, path=str(path))


def refused(path: Path | None, error: sqlite3.IntegrityError) -> StoreError:
    """Return the error of a change that breaks a rule of the schema, which none of flowbook's does."""
    msg = (
        f"The store {path or 'in memory'} refuses a change: {error}. Something other than flowbook changed the store. "
        "Move it away and put a backup in its place, or set FLOWBOOK_HOME to another folder."
    )
    return StoreError(msg, path=str(path))


def unreadable(error: Exception) -> StoreError:
    """Return the error of rows that flowbook can't have written."""
    msg = (
        f"What the store holds can't be read ({type(error).__name__}: {error}): something other than flowbook changed it. "
        "Move it away and put a backup in its place, or set FLOWBOOK_HOME to another folder."
    )
    return StoreError(msg)


def in_words(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function that reads rows raise StoreError if flowbook can't have written them."""

    @functools.wraps(function)
    def read(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except FlowbookError:
            raise
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            OSError,
            RuntimeError,
            StopIteration,
            TypeError,
            ValueError,
        ) as exc:
            raise unreadable(exc) from exc

    return read


def lock_failed(path: Path | None, error: OSError) -> StoreError:
    """Return the error of a store whose lock the system refuses."""
    msg = (
        f"The store {path} can't be locked: {error.strerror or error}. Nothing is written to it without its lock. "
        "Check the file system that it is on, or set FLOWBOOK_HOME to a folder on a local disk."
    )
    return StoreError(msg, path=str(path))


def closed(path: Path | None) -> StoreError:
    """Return the error of a store that was closed."""
    msg = f"The store {path or 'in memory'} is closed. Open it again with open_store()."
    return StoreError(msg, path=str(path))


def gone(path: Path | None) -> StoreError:
    """Return the error of a store whose file isn't there any more."""
    msg = (
        f"The store {path} was removed or replaced while it was open, so nothing is written to it. "
        "Put it back, or open it anew with open_store()."
    )
    return StoreError(msg, path=str(path))


def unwritable(path: Path | None) -> StoreError:
    """Return the error of a store that can only be read."""
    msg = (
        f"The store {path} can only be read: its folder or its disk can't be written to. "
        f"Make it writable (chmod u+rwx {path and path.parent}), make room if it is full, "
        "or set FLOWBOOK_HOME to another folder."
    )
    return StoreError(msg, path=str(path))


def invalid_unicode(error: UnicodeEncodeError) -> StoreError:
    """Return the error of a text with lone surrogates, which come with undecodable file names; SQLite takes none."""
    msg = f"A text that is no valid Unicode can't be kept or looked for: {error.object[:40]!r}. Give it another name."
    return StoreError(msg, text=error.object)


def _is_damaged(error: Exception) -> bool:
    """Return whether the file holds what flowbook never wrote: garbage, or other tables than its own."""
    if isinstance(error, UnicodeDecodeError):  # SQLite quotes what it can't read
        return True
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or name in {"SQLITE_ERROR", "SQLITE_SCHEMA"}
