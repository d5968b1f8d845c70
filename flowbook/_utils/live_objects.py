"""Objects for as long as somebody else holds them, listed while other threads add to them.

Not a `WeakSet`: going through one fails when another thread adds to it ("Set changed size during iteration").
"""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

__all__ = ["LiveObjects"]

T = TypeVar("T")


class LiveObjects(Generic[T]):
    """A set of objects, each by its identity, that holds none of them. From any thread."""

    def __init__(self) -> None:
        self._objects: weakref.WeakValueDictionary[int, T] = weakref.WeakValueDictionary()

    def add(self, each: T) -> None:
        """Add an object; one that is there stays."""
        self._objects[id(each)] = each

    def discard(self, each: T) -> None:
        """Remove an object, if it is there."""
        self._objects.pop(id(each), None)

    def listed(self) -> list[T]:
        """Return the objects that are there at one moment, in the order in which they were added."""
        return [each for found in self._objects.valuerefs() if (each := found()) is not None]

    def __len__(self) -> int:
        return len(self._objects)
