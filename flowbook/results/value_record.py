"""The record of one value for the store: its bytes, their hash, and a preview. Made in the driver, or on a worker."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.exceptions import StoreError
from flowbook.results import serializer
from flowbook.results.preview import describe

if TYPE_CHECKING:
    from flowbook.results.blobs import Blobs

__all__ = ["INLINE_BYTES", "EncodedValue", "ValueRecord", "value_digest", "write_value"]

#: A value up to this size is stored in the database itself.
INLINE_BYTES = 64_000


class ValueRecord(NamedTuple):
    """A value whose bytes are written.

    Attributes:
        digest: SHA-256 of its bytes, hex.
        size_bytes: how many bytes it has.
        content: the bytes of a small value; None where they are a blob.
        is_plain: whether reading it runs no code but ours (JSON).
        preview: as JSON; None if the content itself is enough.
    """

    digest: str
    size_bytes: int
    content: bytes | None
    is_plain: bool
    preview: str | None


class EncodedValue:
    """The bytes of a small stored value, decoded by whoever reads it; each read of `value` makes a new one."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def value(self) -> Any:  # noqa: ANN401  # what a user's task returned
        """The value. Reading it runs user code and may raise anything."""
        return serializer.load(bytearray(self._content))


def write_value(value: object, blobs: Blobs, *, limit_bytes: int | None = None, by_value: bool = False) -> ValueRecord:
    """Write the bytes of `value`; large ones become a blob.

    Raises:
        UnpicklableError: naming the member at fault.
        TooLargeError: if it is larger than the limit.
        StoreError: if it can't be written.
    """
    plain = serializer.dump_plain(value)
    if plain is not None and len(plain) <= INLINE_BYTES:
        return ValueRecord(hashlib.sha256(plain).hexdigest(), len(plain), plain, is_plain=True, preview=None)
    writer = blobs.writer(inline_bytes=INLINE_BYTES, limit_bytes=limit_bytes)
    try:
        with writer:
            serializer.dump(value, writer, by_value=by_value)
            preview = json.dumps(describe(value), separators=(",", ":"))
            writer.commit()
    except OSError as exc:
        msg = (
            f"A {type(value).__name__} of {writer.size_bytes:,} bytes or more can't be written to the store: "
            f"{exc.strerror}. Free some room, or set FLOWBOOK_HOME to another folder."
        )
        raise StoreError(msg) from exc
    return ValueRecord(writer.digest, writer.size_bytes, writer.inline, is_plain=False, preview=preview)


def value_digest(value: object) -> str:
    """Return the digest under which `value` would be stored; writes nothing. Raises UnpicklableError."""
    plain = serializer.dump_plain(value)
    if plain is not None and len(plain) <= INLINE_BYTES:
        return hashlib.sha256(plain).hexdigest()
    hashed = _Hashed()
    serializer.dump(value, hashed)
    return hashed.digest()


class _Hashed:
    """A file that only hashes what is written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def write(self, part: bytes | memoryview) -> None:
        self._hash.update(part)

    def digest(self) -> str:
        return self._hash.hexdigest()
