"""A value of parts as a tree for people: dicts, lists, dataclasses and the like. Plain JSON data (docs/wire.md's TREE).

Calls a user's code only for short texts of leaves, and takes whatever that raises. Changes nothing of the value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook._utils.loaded import LoadedClasses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["is_tree", "leaf_text", "tree"]

#: The most nodes of a tree, the most members of one node, and the deepest level.
_NODES, _MEMBERS, _LEVELS = 40, 12, 5
_TEXT_CHARACTERS = 120
_LEAVES = (str, bytes, bytearray, range, memoryview)
_MODEL = LoadedClasses("sklearn.base", "BaseEstimator")


class _Room:
    """How many nodes may still be made, and the containers that are open, so that a ring ends."""

    def __init__(self) -> None:
        self.left = _NODES
        self.open: set[int] = set()


class _Member(NamedTuple):
    label: str
    value: object


def is_tree(value: object) -> bool:
    """Return whether `value` is shown by its parts. Calls nothing of the user's."""
    if isinstance(value, _LEAVES):
        return False
    if isinstance(value, Mapping | AbstractSet | list | tuple):
        return True
    if isinstance(value, type):
        return False
    return dataclasses.is_dataclass(value) or _is_model(value)


def tree(value: object) -> list[dict[str, Any]]:
    """Return the parts of `value`: each with `label`, `type`, `text`, and with `parts` if it has parts itself.

    A part that stands for more than is shown has a `text` that says so and no `label`.
    """
    return _parts(value, 1, _Room())


def leaf_text(value: object) -> str:
    """Return a short text of a value: a frame by its shape, another value by its repr. Never raises."""
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and shape and all(isinstance(each, int) for each in shape):
            return " \u00d7 ".join(f"{each:,}" for each in shape)
        if isinstance(value, str | bytes | bytearray):
            text = repr(value[: _TEXT_CHARACTERS + 1])
        elif is_tree(value):
            text = _sum(value)
        else:
            text = repr(value)
    except BaseException as exc:  # noqa: BLE001  # a user's __repr__ may raise anything
        return f"its repr raised {type(exc).__name__}"
    text = text.partition("\n")[0]
    return text if len(text) <= _TEXT_CHARACTERS else f"{text[: _TEXT_CHARACTERS - 1]}…"


def _parts(value: object, level: int, room: _Room) -> list[dict[str, Any]]:
    if id(value) in room.open:
        return [{"text": "this is the value that it stands in"}]
    room.open.add(id(value))
    found: list[dict[str, Any]] = []
    try:
        for member in _members(value):
            if len(found) >= _MEMBERS or room.left <= 0:
                found.append({"text": _rest_text(value, len(found))})
                break
            room.left -= 1
            found.append(_node(member, level, room))
    except BaseException as exc:  # noqa: BLE001  # a mapping of the user's may raise anything
        found.append({"text": f"its parts can't be shown: {type(exc).__name__}"})
    room.open.discard(id(value))
    return found


def _node(member: _Member, level: int, room: _Room) -> dict[str, Any]:
    value = member.value
    node: dict[str, Any] = {"label": member.label, "type": _type(value), "text": leaf_text(value)}
    if level < _LEVELS and is_tree(value) and _length(value):
        node["parts"] = _parts(value, level + 1, room)
    return node


def _members(value: Any) -> Iterator[_Member]:  # noqa: ANN401  # a container of any kind
    if isinstance(value, Mapping):
        return (_Member(leaf_text(key) if not isinstance(key, str) else _cut(key), each) for key, each in value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return (_Member(name, each) for name, each in zip(value._fields, value, strict=False))
    if isinstance(value, Sequence):
        return (_Member(str(number), each) for number, each in enumerate(value))
    if isinstance(value, AbstractSet):
        return (_Member("", each) for each in _ordered(value))
    if dataclasses.is_dataclass(value):
        return (_Member(field.name, getattr(value, field.name, "not set")) for field in dataclasses.fields(value))
    return (_Member(name, each) for name, each in sorted(value.get_params(deep=False).items()))


def _ordered(values: Iterable[object]) -> list[object]:
    try:
        return sorted(values)  # type: ignore[type-var]  # where they can be compared
    except BaseException:  # noqa: BLE001  # a user's comparison
        return list(values)


def _is_model(value: object) -> bool:
    """Return whether `value` is a model of scikit-learn's, or one that keeps to its protocol."""
    return isinstance(value, _MODEL.now())


def _length(value: Any) -> int:  # noqa: ANN401  # a container of any kind
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return len(dataclasses.fields(value))
    return len(value) if hasattr(value, "__len__") and not _is_model(value) else 1


def _sum(value: object) -> str:
    if dataclasses.is_dataclass(value) or _is_model(value):
        return ""
    count = _length(value)
    return f"{count:,} {'item' if count == 1 else 'items'}"


def _rest_text(value: object, shown: int) -> str:
    try:
        more = _length(value) - shown
    except BaseException:  # noqa: BLE001  # a user's __len__
        more = 0
    return f"and {more:,} more" if more > 0 else "and more"


def _type(value: object) -> str:
    return type(value).__name__


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_CHARACTERS else f"{text[: _TEXT_CHARACTERS - 1]}…"
