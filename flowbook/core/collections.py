"""Tasks that gather other tasks' results: a list, tuple, set or dict that holds tasks becomes one of these."""

from __future__ import annotations

from typing import Any

from flowbook.core.task import Task
from flowbook.engine.gathering import item_name
from flowbook.engine.triggers import all_finished
from flowbook.exceptions import DefinitionError

__all__ = ["Dict", "List", "Set", "Tuple", "as_task", "holds_tasks"]


class _Gathers(Task):
    """A task that gathers. It runs whatever the states of its inputs: the task that takes them decides by its trigger."""

    _gathers = True

    def __init__(self) -> None:
        super().__init__(trigger=all_finished, skip_on_upstream_skip=False)


class List(_Gathers):
    """Gathers its inputs into a list."""

    def run(self, **items: Any) -> Any:  # noqa: ANN401
        """Return the items in their order."""
        return _ordered(items)


class Tuple(_Gathers):
    """Gathers its inputs into a tuple."""

    def run(self, **items: Any) -> Any:  # noqa: ANN401
        """Return the items in their order."""
        return tuple(_ordered(items))


class Set(_Gathers):
    """Gathers its inputs into a set."""

    def run(self, **items: Any) -> Any:  # noqa: ANN401
        """Return the items."""
        return set(_ordered(items))


class Dict(_Gathers):
    """Gathers its inputs into a dict with the keys that were written."""

    def __init__(self, keys: tuple[object, ...]) -> None:
        super().__init__()
        self.keys = keys

    def run(self, **items: Any) -> Any:  # noqa: ANN401
        """Return the items under their keys."""
        return dict(zip(self.keys, _ordered(items), strict=True))


_GATHER: dict[type, type[Task]] = {list: List, tuple: Tuple, set: Set}


def holds_tasks(value: object) -> bool:
    """Return whether `value` is a task, or a list, tuple, set or dict with one inside.

    Raises:
        DefinitionError: if a task is a dict's key, or in a collection of another type: it can't be gathered there.
    """
    if isinstance(value, Task):
        return True
    if type(value) in _GATHER:
        return any(holds_tasks(item) for item in value)  # type: ignore[attr-defined]  # a list, tuple or set
    if type(value) is dict:
        for key in value:
            if isinstance(key, Task):
                msg = (
                    f"Task {key.name!r} is the key of a dict, and keys must be known when the flow is written. "
                    "Make the dict in a task."
                )
                raise DefinitionError(msg, task=key.name)
        return any(holds_tasks(item) for item in value.values())
    if isinstance(value, list | tuple | set | frozenset | dict):
        _refuse_kind(value)
    return False


def _refuse_kind(value: Any) -> None:  # noqa: ANN401  # an OrderedDict, a named tuple, a frozenset
    for item in (*value, *value.values()) if isinstance(value, dict) else value:
        if holds_tasks(item):
            msg = (
                f"Task {getattr(item, 'name', '')!r} is in a value of type {type(value).__name__}, and only plain lists, "
                "tuples, sets and dicts are gathered. Use one of these, or make it in a task."
            )
            raise DefinitionError(msg, kind=type(value).__name__)


def as_task(value: object) -> tuple[Task, dict[str, object]]:
    """Return the task that stands for `value`, which holds tasks, and the inputs to bind to it; a task stands for itself."""
    if isinstance(value, Task):
        return value, {}
    if isinstance(value, dict):
        return Dict(tuple(value)), _numbered(value.values())
    return _GATHER[type(value)](), _numbered(value)


def _numbered(items: Any) -> dict[str, object]:  # noqa: ANN401
    ordered = sorted(items, key=repr) if isinstance(items, set) else list(items)
    return {item_name(index): item for index, item in enumerate(ordered)}


def _ordered(items: dict[str, Any]) -> list[Any]:
    return [items[item_name(index)] for index in range(len(items))]
