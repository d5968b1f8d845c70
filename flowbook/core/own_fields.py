"""The attributes of a task that are its author's, not options that every task has."""

from __future__ import annotations

from functools import cache

from flowbook.core.function_task import FunctionTask

__all__ = ["own_fields"]


def own_fields(task: object) -> dict[str, object]:
    """Return the attributes by name, sorted; a resource to a subclass's `__init__` is one, `max_retries` isn't."""
    fields, known = vars(task), _fields_of_every_task()
    if known.issuperset(fields):
        return {}
    return {name: fields[name] for name in sorted(fields.keys() - known)}


@cache
def _fields_of_every_task() -> frozenset[str]:
    """Return the options, which change nothing in what a task returns, and its code."""
    given = {"_version", "_written_as", "_written_in", "asks", "deadline", "otherwise"}
    return frozenset(vars(FunctionTask(lambda: None, name="any"))) | given
