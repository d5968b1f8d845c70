"""Content hashes of values: equal values have equal hashes, in every process.

The SHA-256 of a value's encoding (`encoding`, `table_encoding`), or of its pickle if it has no encoding (`object_hash`).
"""

from __future__ import annotations

import hashlib
import pickle
from typing import TYPE_CHECKING

from flowbook.exceptions import UnpicklableError
from flowbook.results.code_hash import code_hash
from flowbook.results.encoding import TooDeepError, encode, encode_plain, tagged
from flowbook.results.file import File
from flowbook.results.serializer import pickle_to

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["content_hash", "hash_value", "is_stable", "literal_hash", "portable_hash"]


def content_hash(value: object) -> str:
    """Return the SHA-256 of `value`'s type and content, hex; the same in every process.

    Sets and frozensets hash alike in any order, dicts by their items in order of insertion, as tasks may depend on it.
    Instances of the user's classes count with the code of the class, a `File` with what is in the file.

    Raises:
        UnpicklableError: if it has no encoding and can't be pickled.
        OSError: if a file isn't there.
    """
    return hash_value(value)[0]


def hash_value(value: object) -> tuple[str, bool]:
    """Return the `content_hash` of a value, and whether something in it counts by its pickle.

    Raises:
        UnpicklableError, OSError: as `content_hash` does.
    """
    plain = encode_plain(value)
    if plain is not None:
        return hashlib.sha256(plain).hexdigest(), False
    pickled: list[bytes] = []

    def pickle_part(part: object) -> bytes:
        if isinstance(part, File):
            return tagged(b"F", part.digest())
        pickled.append(_pickled(part))
        return pickled[-1]

    try:
        encoded = encode(value, pickle_part)
    except (TooDeepError, UnpicklableError):
        #: Pickling all of it names the whole path to a member at fault.
        encoded = pickle_part(value)
    return hashlib.sha256(encoded).hexdigest(), bool(pickled)


def portable_hash(value: object) -> str | None:
    """Return `content_hash(value)` if it doesn't depend on which modules can be imported, None if it may.

    A value without an encoding counts by its pickle, and what that is depends on the modules of its classes.
    """
    try:
        return hashlib.sha256(encode(value, _refuse)).hexdigest()
    except TooDeepError:
        return None


def literal_hash(value: object) -> str:
    """Return a hash of `value` as it was written: as `content_hash`, but a `File` counts by its path, and isn't read."""

    def write_part(part: object) -> bytes:
        return tagged(b"F", str(part.path).encode(errors="surrogatepass")) if isinstance(part, File) else _pickled(part)

    try:
        encoded = encode(value, write_part)
    except (TooDeepError, UnpicklableError):
        encoded = _pickled(value)
    return hashlib.sha256(encoded).hexdigest()


def is_stable(value: object) -> bool:
    """Return whether a copy of `value`, pickled and read back, has the same hash: only then is it found again.

    Takes a copy of it.

    Raises:
        UnpicklableError: if it can't be pickled.
    """
    stream, buffers = _Stream(), list[pickle.PickleBuffer]()
    pickle_to(value, stream, buffers, by_value=False)
    copied = pickle.loads(b"".join(stream.parts), buffers=buffers)  # noqa: S301  # pickled here
    return content_hash(copied) == content_hash(value)


class _Stream:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, part: bytes | memoryview) -> None:
        self.parts.append(bytes(part))


def _refuse(value: object) -> bytes:
    raise TooDeepError(type(value))


def _pickled(value: object) -> bytes:
    from flowbook.results.object_hash import pickle_digest  # noqa: PLC0415  # heavy

    known: dict[int, str] = {}

    def hash_code(code: Callable[..., object]) -> str:
        found = known.get(id(code))
        if found is None:
            found = known[id(code)] = code_hash(code)
        return found

    return tagged(b"o", pickle_digest(value, hash_code))
