"""A mutable value as it is now, to see later in the same process whether somebody changed it in place.

A snapshot is a pickle in which an object of a user's class counts by its public attributes, so that neither caches in private
ones nor cached properties look like changes. Nothing is said of values whose content can't be seen that way.
"""

from __future__ import annotations

import enum
import pickle
from functools import cached_property
from typing import Any

from flowbook.results.encoding import qualified_name

__all__ = ["differs", "snapshot"]

#: Packages whose classes are pickled as they themselves do it.
_KNOWN = frozenset({
    "abc", "builtins", "collections", "copyreg", "datetime", "decimal", "enum", "fractions", "numpy", "pandas", "pathlib",
    "polars", "pyarrow", "types", "uuid", "zoneinfo",
})  # fmt: skip
#: Modules of the functions that frames name in their pickles.
_FUNCTIONS = "_cython_"
_PICKLING = ("__reduce_ex__", "__reduce__", "__getstate__")
_CONTAINERS = (list, dict, set, bytearray, tuple, frozenset)


def snapshot(value: object, limit_bytes: int) -> bytes | None:
    """Return `value` as it is now; None if it has more than `limit_bytes`, or can't be compared. Raises nothing."""
    stream = _Stream(limit_bytes)
    try:
        _Pickler(stream, limit_bytes).dump(value)
    except BaseException:  # noqa: BLE001  # pickling runs user code
        return None
    return b"".join(stream.parts)


def differs(before: bytes, after: bytes) -> bool:
    """Return whether two snapshots of one value differ in content, and not only in the order of a set or the like."""
    if before == after:
        return False
    from flowbook.results.content_hash import content_hash  # noqa: PLC0415  # heavy: only where something changed

    try:
        return content_hash(pickle.loads(before)) != content_hash(pickle.loads(after))  # noqa: S301  # made here
    except BaseException:  # noqa: BLE001  # unpickling runs user code
        return False


class _UncomparableError(Exception):
    """Ends a snapshot."""


class _Stream:
    """Takes the bytes of a snapshot up to a limit."""

    def __init__(self, limit_bytes: int) -> None:
        self.parts: list[bytes] = []
        self._left = limit_bytes

    def write(self, part: bytes) -> None:
        self._left -= len(part)
        if self._left < 0:
            raise _UncomparableError
        self.parts.append(bytes(part))


class _Pickler(pickle.Pickler):
    def __init__(self, stream: _Stream, limit_bytes: int) -> None:
        super().__init__(stream, protocol=5)
        self._limit_bytes = limit_bytes

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401  # anything but the plainest kinds
        kind = type(obj)
        package = str(kind.__module__).partition(".")[0]
        if package in _KNOWN or package.startswith(_FUNCTIONS):
            if _changes_by_use(kind) or (package == "numpy" and getattr(obj, "nbytes", 0) > self._limit_bytes):
                raise _UncomparableError
            return NotImplemented
        if issubclass(kind, (*_CONTAINERS, enum.Enum, type)):
            return NotImplemented
        if not _is_pickled_by_attributes(kind):
            raise _UncomparableError
        return dict, (), None, None, iter([("", qualified_name(kind)), *_public_attributes(obj)])


def _changes_by_use(kind: type) -> bool:
    return hasattr(kind, "__next__") or str(kind.__module__).startswith("numpy.random")


def _is_pickled_by_attributes(kind: type) -> bool:
    """Return whether a class leaves pickling to `object`."""
    return all(getattr(kind, name) is getattr(object, name) for name in _PICKLING)


def _public_attributes(value: object) -> list[tuple[str, object]]:
    state: object = tuple(value.__reduce_ex__(2))[2]  # raises where `object` can't pickle it: a lock, say
    parts = state if isinstance(state, tuple) else (state,)
    named = [item for part in parts if isinstance(part, dict) for item in part.items()]
    kind = type(value)
    return [
        (name, member)
        for name, member in named
        if not name.startswith("_") and not isinstance(getattr(kind, name, None), cached_property)
    ]
