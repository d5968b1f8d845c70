"""The key that signs pickles, so that nobody else can plant code in the store or in a folder of outputs.

Each user has one (mode 0600), outside both.
"""

from __future__ import annotations

import hmac
import os
import stat
from typing import TYPE_CHECKING

from flowbook.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["SIGNATURE_BYTES", "Signer", "read_key"]

SIGNATURE_BYTES = 32

_KEY_BYTES = 32
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Signer:
    """Signs and verifies digests with HMAC-SHA256.

    Args:
        key: returns the key; called when it is first needed.
        kind: what is signed; a signature for one kind isn't valid for another.
    """

    def __init__(self, key: Callable[[], bytes], kind: str = "value") -> None:
        self._read_key = key
        self._domain = f"flowbook {kind} 1\0".encode()
        self._key: bytes | None = None

    def of_kind(self, kind: str) -> Signer:
        """Return what signs something else with the same key."""
        return Signer(self._read_key, kind)

    def sign(self, digest: bytes) -> bytes:
        """Return the signature of a digest."""
        if self._key is None:
            self._key = self._read_key()
        return hmac.digest(self._key, self._domain + digest, "sha256")

    def is_signed(self, digest: bytes, signature: bytes | None) -> bool:
        """Return whether `signature` was made with this key."""
        return signature is not None and hmac.compare_digest(self.sign(digest), signature)


def read_key(path: Path) -> bytes:
    """Return the key in `path`; if there is none, make one.

    Raises:
        StoreError: if it can't be read or made, isn't yours alone, or isn't a key.
    """
    try:
        try:
            return _checked(path)
        except FileNotFoundError:
            _make(path)
            return _checked(path)
    except OSError as exc:
        msg = f"The signing key {path} can't be used: {exc.strerror}. Set FLOWBOOK_KEY_FILE to one that you can."
        raise StoreError(msg, path=str(path)) from exc


def _checked(path: Path) -> bytes:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        key = file.read(_KEY_BYTES + 1)
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & _OPEN_TO_OTHERS):
        msg = (
            f"The signing key {path} is open to others. Make it yours alone (chmod 600), or delete it to get a new one."
        )
        raise StoreError(msg, path=str(path))
    if len(key) != _KEY_BYTES:
        msg = (
            f"The signing key {path} has {len(key)} bytes, not {_KEY_BYTES}. Restore it, or delete it to get a new one."
        )
        raise StoreError(msg, path=str(path))
    return key


def _make(path: Path) -> None:
    """Make a key. If two processes do so at once, the first link wins and both read that key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(descriptor, os.urandom(_KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
