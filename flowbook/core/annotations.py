"""Marks on an argument: how a mapped task gets it."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from flowbook.exceptions import DefinitionError

__all__ = ["Annotation", "Marked", "flatten", "mapped", "marked", "unmapped"]

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
    """Remove one level of nesting, then give each child one element. A list that isn't nested stays as it is."""


class Marked(NamedTuple):
    """An argument without its marks, and what they say."""

    value: object
    is_mapped: bool
    is_flattened: bool


def marked(written: object, *, by_default: bool) -> Marked:
    """Return what an argument says.

    Args:
        written: a value, or one with marks, also nested: `mapped(flatten(x))`.
        by_default: whether a value without marks is mapped.

    Raises:
        DefinitionError: if the marks contradict each other.
    """
    if not isinstance(written, Annotation):
        return Marked(written, by_default, is_flattened=False)
    value: object = written
    kinds: set[type] = set()
    while isinstance(value, Annotation):
        kinds.add(type(value))
        value = value.value
    if unmapped in kinds and len(kinds) > 1:
        msg = f"{written!r} is to be mapped and not to be. Write unmapped(x), or mapped(x), or flatten(x)."
        raise DefinitionError(msg, value=repr(written))
    return Marked(value, unmapped not in kinds, flatten in kinds)
