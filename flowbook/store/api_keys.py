"""Signatures of values on their way between the server of a store and who uses it.

The server signs with a key of its own what it keeps; nobody else has that key. What it sends it signs under a key that both
ends make from the token, so whoever can write to a folder of blobs, but doesn't know the token, plants nothing. What
arrives it signs with its own key, once it has seen that the bytes match their digest; it unpickles nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from flowbook.exceptions import DamagedValueError, StoreError
from flowbook.results import serializer
from flowbook.results.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.results.blobs import Blobs, BlobWriter

__all__ = ["ValueRow", "ValueTransit", "token_signer"]

#: A row of values as `Values.insert_statement` takes it: digest, size, content, signature, preview, time.
ValueRow = tuple[object, ...]
_DIGEST_BYTES = 32


def token_signer(token: str) -> Signer:
    """Return what signs values for everybody who knows the token."""
    key = hmac.digest(token.encode(), b"flowbook values on their way 1", "sha256")
    return Signer(lambda: key, "sent value")


class ValueTransit:
    """Checks and signs values that come in and go out, for the server. From any thread; unpickles nothing.

    Args:
        signer: with the store's own key.
        token: of the API.
        blobs: of the store.
    """

    def __init__(self, signer: Signer, token: str, blobs: Blobs) -> None:
        self._signer = signer
        self._receipts = signer.of_kind("uploaded value")
        self._outgoing = token_signer(token)
        self._blobs = blobs

    def receipt(self, digest: str, size_bytes: int) -> bytes:
        """Return what shows that a blob was uploaded; its row is taken with this."""
        return self._receipts.sign(_receipt_text(bytes.fromhex(digest), size_bytes))

    def writer(self, limit_bytes: int) -> BlobWriter:
        """Return what takes the bytes of a large value."""
        return self._blobs.writer(inline_bytes=0, limit_bytes=limit_bytes)

    def blob(self, digest: str, size_bytes: int) -> memoryview:
        """Return the bytes of a large value, their hash checked. Raises ResultGoneError, DamagedValueError."""
        return self._blobs.read(digest, size_bytes)

    def received(self, rows: Sequence[ValueRow]) -> list[ValueRow]:
        """Return rows of values with this store's signature. Raises StoreError: if one isn't what it says."""
        return [self._received(row) for row in rows]

    def _received(self, row: ValueRow) -> ValueRow:
        if len(row) != 6:  # noqa: PLR2004  # the columns
            raise _refused("it isn't a row of a value")
        digest, size_bytes, content, signature, preview, created = row
        if not isinstance(digest, bytes) or len(digest) != _DIGEST_BYTES or not isinstance(size_bytes, int):
            raise _refused("it has no digest and size")
        if not isinstance(preview, str | None) or not isinstance(created, int | float):
            raise _refused("its preview is no text, or its time no number")
        if content is None:
            given = signature if isinstance(signature, bytes) else None
            if not self._receipts.is_signed(_receipt_text(digest, size_bytes), given):
                raise _refused("its bytes weren't uploaded")
            return digest, size_bytes, None, self._signer.sign(digest), preview, created
        if not isinstance(content, bytes) or len(content) != size_bytes or hashlib.sha256(content).digest() != digest:
            raise _refused("its bytes don't match its digest")
        own = self._signer.sign(digest) if serializer.is_pickle(content) else None
        return digest, size_bytes, content, own, preview, created

    def sent(self, digest: bytes, size_bytes: int, content: bytes | None, signature: bytes | None) -> bytes | None:
        """Return the signature under which a stored value is sent; None for one that is never unpickled.

        Raises:
            DamagedValueError: if it is a pickle without this store's signature, or its bytes changed.
        """
        stored = self._blobs.read(digest.hex(), size_bytes) if content is None else content
        if content is not None and hashlib.sha256(content).digest() != digest:
            msg = f"The stored value {digest.hex()[:12]} is damaged: its bytes changed. Run its task again."
            raise DamagedValueError(msg, digest=digest.hex())
        if not serializer.is_pickle(stored):
            return None
        if not self._signer.is_signed(digest, signature):
            msg = (
                f"The stored value {digest.hex()[:12]} does not carry the signature of the server's store, so it is not sent: "
                "it could run code. Run its task again."
            )
            raise DamagedValueError(msg, digest=digest.hex())
        return self._outgoing.sign(digest)


def _receipt_text(digest: bytes, size_bytes: int) -> bytes:
    return digest + size_bytes.to_bytes(8, "big", signed=True)


def _refused(why: str) -> StoreError:
    msg = f"A value can't be stored: {why}. Use the same flowbook here and for the server."
    return StoreError(msg)
