"""Marks on an argument: how it is given to a task that is mapped."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Annotation", "flatten", "mapped", "unmapped"]

T = TypeVar("T")


class Annotation(Generic[T]):
    """Base of the marks; `value` is what is marked."""

    def __init__(self, value: T) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class unmapped(Annotation[T]):  # noqa: N801  # used like a function
    """In `task.map(...)`: every child gets the whole value."""


class mapped(Annotation[T]):  # noqa: N801
    """In a plain call: each child gets one element, as in `task.map(...)`."""


class flatten(Annotation[T]):  # noqa: N801
    """One level of nesting is taken off, then each child gets one element."""
