"""Counts the changes of tasks in this process, so that a flow can tell at a glance that none of its own has changed.

A flow that sees another count looks at its tasks one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHANGES", "HandlerList"]


class _Changes:
    """A count; read it before what it counts, and raise it after."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


CHANGES = _Changes()


def _counted(name: str) -> Callable[..., Any]:
    """Return the method of `list` of that name, which also counts a change."""
    method: Callable[..., Any] = getattr(list, name)

    def change(self: HandlerList, *args: Any, **options: Any) -> Any:  # noqa: ANN401  # as of `list`
        try:
            return method(self, *args, **options)
        finally:
            CHANGES.count += 1

    change.__name__ = change.__qualname__ = name
    return change


class HandlerList(list["Callable[..., object]"]):
    """The state handlers of one task: a list that counts its changes. A copy or slice is a plain list."""

    __slots__ = ()


for _name in (
    "__delitem__",
    "__iadd__",
    "__imul__",
    "__setitem__",
    "append",
    "clear",
    "extend",
    "insert",
    "pop",
    "remove",
    "reverse",
    "sort",
):
    setattr(HandlerList, _name, _counted(_name))
