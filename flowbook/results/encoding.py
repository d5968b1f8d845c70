"""A value as bytes that say its type and content, the same in every process; what content hashes are taken of.

Each part has a tag of its type before it, so that `1`, `1.0`, `True` and `"1"` differ. Pure: nothing is pickled or read here;
a value of a type that has no encoding is left to the caller.
Source: type tags as in redun's value hashing; canonical length-prefixed encoding as in bencode.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import struct
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from flowbook.results.table_encoding import encode_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Fallback = Callable[[object], bytes]

__all__ = ["DEPTH", "TooDeepError", "encode", "encode_plain", "qualified_name", "tagged"]

#: The deepest nesting that is encoded.
DEPTH = 50
#: Longer texts and bytes, and collections of more members, count by a digest.
_LONG = 1 << 20
_PART = 1 << 18
_MANY = 10_000


class TooDeepError(Exception):
    """The value is nested more than `DEPTH` deep, or holds itself."""


def encode(value: object, fallback: Fallback, depth: int = DEPTH) -> bytes:
    """Return `value` as a tag, a length and its content.

    Args:
        value: anything.
        fallback: encodes a value of a type that has no encoding here.
        depth: how deep it may be nested.

    Raises:
        TooDeepError: if it is nested deeper.
    """
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if depth == 0:
        raise TooDeepError
    write_members = _CONTAINERS.get(type(value))
    if write_members is not None:
        return write_members(value, lambda member: encode(member, fallback, depth - 1))
    return _encode_object(value, fallback, depth)


def encode_plain(value: object) -> bytes | None:
    """Return what `encode` does for a number, text and the like; None for anything else."""
    write = _WRITERS.get(type(value))
    return None if write is None else write(value)


def _encode_object(value: object, fallback: Fallback, depth: int) -> bytes:
    kind = type(value)
    if isinstance(value, enum.Enum):
        return tagged(b"e", f"{qualified_name(kind)}.{value.name}".encode())
    if isinstance(value, PurePath):
        return tagged(b"p", f"{kind.__name__}:{value}".encode(errors="surrogatepass"))
    if isinstance(value, dt.date | dt.time | dt.timedelta) and kind.__module__ == "datetime":
        return tagged(b"D", repr(value).encode())
    table = encode_table(value, lambda part: encode(part, fallback, depth - 1))
    return fallback(value) if table is None else tagged(b"T", qualified_name(kind).encode() + b":" + table)


def tagged(tag: bytes, content: bytes) -> bytes:
    """Return `content` with its tag and length before it."""
    return b"%b%d:%b" % (tag, len(content), content)


def qualified_name(kind: type) -> str:
    """Return the name of a class, its module first."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _sequence(tag: bytes, count: int, parts: Iterable[bytes | bytearray]) -> bytes:
    """Return the parts one after another; of very many only a digest, so that little memory is taken beside the value."""
    if count <= _MANY:
        return b"%b%d[%b]" % (tag, count, b"".join(parts))
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return b"%b%d#%b" % (tag, count, found.digest())


def _unordered(tag: bytes, count: int, parts: Iterable[bytes]) -> bytes:
    if count <= _MANY:
        return _sequence(tag, count, sorted(parts))
    total = sum(int.from_bytes(hashlib.sha256(part).digest(), "big") for part in parts) % (1 << 256)
    return b"%b%d#%b" % (tag, count, total.to_bytes(32, "big"))


def _text(value: str) -> bytes:
    if len(value) <= _LONG:
        return tagged(b"s", value.encode("utf-8", "surrogatepass"))
    parts = (value[start : start + _PART] for start in range(0, len(value), _PART))
    return _sequence(b"s", len(value), (part.encode("utf-8", "surrogatepass") for part in parts))


def _bytes(tag: bytes, value: bytes | bytearray) -> bytes:
    return tagged(tag, bytes(value)) if len(value) <= _LONG else _sequence(tag, len(value), [value])


_WRITERS: dict[type, Callable[..., bytes]] = {
    type(None): lambda _: b"n",
    type(...): lambda _: b".",
    bool: lambda value: b"b1" if value else b"b0",
    int: lambda value: b"i%d;" % value if -(1 << 62) < value < 1 << 62 else tagged(b"i", hex(value).encode()),
    float: lambda value: b"f" + struct.pack(">d", value),
    complex: lambda value: b"c" + struct.pack(">dd", value.real, value.imag),
    str: _text,
    bytes: lambda value: _bytes(b"y", value),
    bytearray: lambda value: _bytes(b"Y", value),
}


def _items(value: dict[Any, Any]) -> Iterable[object]:
    return (part for item in value.items() for part in item)


_CONTAINERS: dict[type, Callable[[Any, Callable[[object], bytes]], bytes]] = {
    tuple: lambda value, member: _sequence(b"t", len(value), map(member, value)),
    list: lambda value, member: _sequence(b"l", len(value), map(member, value)),
    dict: lambda value, member: _sequence(b"d", 2 * len(value), map(member, _items(value))),
    set: lambda value, member: _unordered(b"S", len(value), map(member, value)),
    frozenset: lambda value, member: _unordered(b"Z", len(value), map(member, value)),
}
