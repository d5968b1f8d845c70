"""The token of an API server: from the environment or a private file, made when it is first needed, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.exceptions import InfrastructureError
from flowbook.store.folder import check_file, prepare

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cookie_name", "cookie_value", "is_same", "read_token"]

_FILE = "api.token"
_BYTES = 32
_SHORTEST = 16


def read_token(home: Path | None = None) -> str:
    """Return the token: `FLOWBOOK_API_TOKEN`, else what the file `api.token` in the store's folder has; made if there is none.

    Raises:
        InfrastructureError: if it is too short to be safe, or has characters that no header can have.
        StoreError: if the folder or the file can't be used, or others could write to it.
    """
    if (given := config.api_token()) is not None:
        return _checked(given, "FLOWBOOK_API_TOKEN")
    folder = config.home() if home is None else home
    prepare(folder)
    path = folder / _FILE
    check_file(path)
    try:
        return _checked(path.read_text(encoding="utf-8").strip(), str(path))
    except FileNotFoundError:
        return _make(path)


def _make(path: Path) -> str:
    """Write a new token into a file (0600) that is there at once with all of it; another process may be quicker."""
    token = secrets.token_urlsafe(_BYTES)
    # Two threads of one process may make a token at once, so each has a file of its own.
    draft = path.with_name(f"{_FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{token}\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        return _checked(path.read_text(encoding="utf-8").strip(), str(path))
    finally:
        draft.unlink()
    return token


def _checked(token: str, where: str) -> str:
    if len(token) >= _SHORTEST and token.isascii() and token.isprintable() and " " not in token:
        return token
    msg = (
        f"The token in {where} has {len(token)} characters. Give {_SHORTEST} or more, letters and digits, "
        "or remove it: flowbook server start makes one."
    )
    raise InfrastructureError(msg, where=where)


def is_same(given: str, expected: str) -> bool:
    """Return whether two secrets are equal, in a time that tells nothing of where they differ; an empty one equals none."""
    return bool(expected) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def cookie_name(token: str) -> str:
    """Return the name of a browser's cookie: servers of one machine share their cookies, so each has a name of its own."""
    return f"flowbook-{hashlib.sha256(b'name' + token.encode()).hexdigest()[:12]}"


def cookie_value(token: str) -> str:
    """Return what a browser's cookie holds; the token can't be told from it."""
    return hmac.new(token.encode(), b"flowbook browser", hashlib.sha256).hexdigest()
