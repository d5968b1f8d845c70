"""Content hashes of values: equal values have equal hashes, in every process.

A value is written down with a tag of its type before each part, so that `1`, `1.0`, `True` and `"1"` differ, and hashed
with SHA-256. Frames and arrays go through dask's `tokenize`; values of other types are pickled.
Source: type tags as in redun's value hashing; canonical length-prefixed encoding as in bencode.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import struct
from pathlib import PurePath
from typing import TYPE_CHECKING

from flowbook.exceptions import UnpicklableError
from flowbook.results import serializer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TooDeepError", "content_hash", "portable_hash", "qualified_name", "write_down"]

_TOKENIZED = frozenset({"numpy", "pandas", "scipy", "pyarrow", "polars", "dask", "xarray"})
#: The deepest nesting that is written down; deeper (or circular) values are pickled instead.
_DEPTH = 50


def content_hash(value: object) -> str:
    """Return the SHA-256 of `value`'s type and content, hex; the same in every process.

    Sets and frozensets hash alike in any order, dicts by their items in order of insertion, as tasks may depend on it.

    Raises:
        UnpicklableError: if it is of a kind that nobody knows and can't be pickled.
    """
    try:
        written = write_down(value, _DEPTH)
    except (TooDeepError, UnpicklableError):
        #: Pickling all of it names the whole path to a member at fault.
        written = _pickled(value)
    return hashlib.sha256(written).hexdigest()


def portable_hash(value: object) -> str | None:
    """Return `content_hash(value)` where it does not depend on which modules are at hand, None where it may.

    What nobody knows is pickled, and a class then goes by its name, or whole where its module is missing.
    """
    try:
        return hashlib.sha256(write_down(value, _DEPTH, _refused)).hexdigest()
    except TooDeepError:
        return None


def _refused(value: object) -> bytes:
    raise TooDeepError(type(value))


class TooDeepError(Exception):
    """The value is nested too deeply, or holds itself."""


def write_down(value: object, depth: int = _DEPTH, other: Callable[[object], bytes] | None = None) -> bytes:  # noqa: PLR0911  # a table of kinds
    """Write `value` down: a tag, a length, the content; by `other` what nobody knows, else pickled."""
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if depth == 0:
        raise TooDeepError
    kind = type(value)
    if kind is tuple or kind is list:
        return _sequence(b"t" if kind is tuple else b"l", [write_down(part, depth - 1, other) for part in value])  # type: ignore[attr-defined]  # a sequence
    if kind is dict:
        return _sequence(b"d", [write_down(part, depth - 1, other) for item in value.items() for part in item])  # type: ignore[attr-defined]  # a dict
    if kind is set or kind is frozenset:
        return _sequence(b"S" if kind is set else b"Z", sorted(write_down(part, depth - 1, other) for part in value))  # type: ignore[attr-defined]  # a set
    if isinstance(value, enum.Enum):
        return _tagged(b"e", f"{qualified_name(kind)}.{value.name}".encode())
    if isinstance(value, PurePath):
        return _tagged(b"p", f"{kind.__name__}:{value}".encode(errors="surrogatepass"))
    if isinstance(value, dt.date | dt.time | dt.timedelta) and kind.__module__ == "datetime":
        return _tagged(b"D", repr(value).encode())
    if any(base.__module__.partition(".")[0] in _TOKENIZED for base in kind.__mro__) and (token := _token(value)):
        return _tagged(b"k", f"{qualified_name(kind)}:{token}".encode())
    return _pickled(value) if other is None else other(value)


def _tagged(tag: bytes, content: bytes) -> bytes:
    return b"%b%d:%b" % (tag, len(content), content)


def _sequence(tag: bytes, parts: list[bytes]) -> bytes:
    return b"%b%d[%b]" % (tag, len(parts), b"".join(parts))


_WRITERS: dict[type, Callable[..., bytes]] = {
    type(None): lambda _: b"n",
    type(...): lambda _: b".",
    bool: lambda value: b"b1" if value else b"b0",
    int: lambda value: b"i%d;" % value if -(1 << 62) < value < 1 << 62 else _tagged(b"i", hex(value).encode()),
    float: lambda value: b"f" + struct.pack(">d", value),
    complex: lambda value: b"c" + struct.pack(">dd", value.real, value.imag),
    str: lambda value: _tagged(b"s", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: _tagged(b"y", value),
    bytearray: lambda value: _tagged(b"Y", bytes(value)),
}


def _token(value: object) -> str | None:
    """Return dask's token where that is the same in every process, otherwise None."""
    from dask.base import tokenize  # noqa: PLC0415  # heavy
    from dask.tokenize import TokenizationError  # noqa: PLC0415  # heavy

    try:
        return str(tokenize(value, ensure_deterministic=True))
    except (TokenizationError, TypeError, ValueError):
        return None


def _pickled(value: object) -> bytes:
    out = _Hashing()
    serializer.dump(value, out)
    return _tagged(b"o", out.hash.digest())


class _Hashing:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, part: bytes | memoryview) -> None:
        self.hash.update(part)


def qualified_name(kind: type) -> str:
    """Return the name of a class, its module first."""
    return f"{kind.__module__}.{kind.__qualname__}"
