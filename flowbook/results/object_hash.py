"""A digest of an object that has no encoding, taken of its pickle, the same in every process where that is possible.

A pickle as it is says more than the content: which texts are one object, in which order a set is, where a function
stands in its file, a random number for each class of a notebook. Here each of these is replaced by its own hash.
"""

from __future__ import annotations

import hashlib
import types
from typing import TYPE_CHECKING, Any

import cloudpickle

from flowbook.results.encoding import TooDeepError, encode
from flowbook.results.file import File
from flowbook.results.table_encoding import encode_table
from flowbook.results.unpicklable import unpicklable
from flowbook.results.user_code import is_user_module

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["pickle_digest"]

_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})


def pickle_digest(value: object, hash_code: Callable[[Any], str]) -> bytes:
    """Return a digest of what `value` pickles to.

    Args:
        value: anything.
        hash_code: hashes a function or class of the user's modules.

    Raises:
        UnpicklableError: if it can't be pickled; names the member at fault.
    """
    out = _HashingWriter()
    try:
        _HashingPickler(out, hash_code).dump(value)
    except BaseException as exc:  # a user's __reduce__ may exit
        raise unpicklable(value, exc) from exc
    return out.hash.digest()


class _HashingWriter:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, part: bytes | memoryview) -> None:
        self.hash.update(part)


class _HashingPickler(cloudpickle.Pickler):  # type: ignore[misc]  # no stubs
    def __init__(self, out: _HashingWriter, hash_code: Callable[[Any], str]) -> None:
        super().__init__(out, protocol=5)
        self._hash_code = hash_code

    def persistent_id(self, thing: Any) -> bytes | None:  # noqa: ANN401, PLR0911  # whatever is pickled, by its kind
        """Return what stands for `thing` in the pickle: new bytes each time, so that none is referred back to."""
        kind = type(thing)
        if kind is str:
            text: bytes = thing.encode("utf-8", "surrogatepass")
            return b"s" + text
        if kind is tuple and all(type(member) in _ATOMS for member in thing):
            return self._encode(thing)
        #: Members that are objects may hold the set in turn; they are left to pickle, which ends such circles.
        if (kind is set or kind is frozenset) and all(type(member) in _ATOMS for member in thing):
            return hashlib.sha256(self._encode(thing)).digest()
        if isinstance(thing, type | types.FunctionType):
            return str(self._hash_code(thing)).encode() if is_user_module(getattr(thing, "__module__", None)) else None
        if kind is File:
            digest: bytes = thing.digest()
            return digest
        try:
            return encode_table(thing, lambda part: encode(part, _refuse))
        except TooDeepError:  # cells that are objects, for which the same holds as for members of a set
            return None

    def _encode(self, thing: object) -> bytes:
        return encode(thing, lambda other: pickle_digest(other, self._hash_code))


def _refuse(value: object) -> bytes:
    raise TooDeepError(type(value))
