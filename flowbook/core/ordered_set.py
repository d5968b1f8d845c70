"""A set that keeps the order in which its members were added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar, overload

__all__ = ["OrderedSet"]

S = TypeVar("S")
T = TypeVar("T")


class OrderedSet(AbstractSet[T], Generic[T]):
    """Immutable set with an order: it equals any set of the same members, iterates in order, and takes an index.

    `flow.tasks == {a, b}` and `flow.tasks[0]` both work. Membership and equality don't depend on the order.

    Args:
        members: taken in this order; the first of equal ones stays.
    """

    __slots__ = ("_items", "_members")

    def __init__(self, members: Iterable[T] = ()) -> None:
        self._members = dict.fromkeys(members)
        #: A tuple of the members, made at the first index.
        self._items: tuple[T, ...] | None = None

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def __iter__(self) -> Iterator[T]:
        return iter(self._members)

    def __reversed__(self) -> Iterator[T]:
        return reversed(self._members)

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if self._items is None:
            self._items = tuple(self._members)
        return self._items[index]

    def __hash__(self) -> int:
        return self._hash()

    @classmethod
    def _from_iterable(cls, it: Iterable[S]) -> OrderedSet[S]:
        return OrderedSet(it)

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self._members))}}}"
