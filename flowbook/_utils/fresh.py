"""Copies literals, so that a task that changes its input doesn't change the flow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fresh", "fresh_values"]

_MUTABLE = frozenset({list, dict, set})
#: Deeper levels are shared, not copied, so that copying a literal that contains itself ends.
_DEPTH = 20


def fresh(value: Any, depth: int = _DEPTH) -> Any:  # noqa: ANN401  # of the same type
    """Return `value`, with lists, dicts and sets copied at each level; other objects are shared."""
    kind = type(value)
    if kind not in _MUTABLE or not depth:
        return value
    if kind is set:
        return value.copy()
    if kind is list:
        return [fresh(member, depth - 1) if type(member) in _MUTABLE else member for member in value]
    return {key: fresh(member, depth - 1) if type(member) in _MUTABLE else member for key, member in value.items()}


def fresh_values(values: Mapping[str, object] | None) -> dict[str, object]:
    """Return a dict of these values, each copied by `fresh`."""
    if not values:
        return {}
    return {name: fresh(value) if type(value) in _MUTABLE else value for name, value in values.items()}
