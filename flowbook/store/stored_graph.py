"""A flow's graph as it was recorded, read back for showing it and deciding about its runs, without the flow itself.

It can't run: its specs have no functions, only what the record says of each task. Pure: no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.graph import Binding, Graph, RetryPolicy, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_graph"]


def read_graph(record: Mapping[str, Any]) -> Graph:
    """Return the graph in a run's or deployment's record, as `records.graph_record` wrote it."""
    specs = {str(task["key"]): _spec(task) for task in record.get("tasks", ())}
    below: dict[str, dict[str, None]] = {key: {} for key in specs}
    for key, spec in specs.items():
        for upstream in spec.upstream:
            if upstream in below:
                below[upstream][key] = None
    children = {key: tuple(found) for key, found in below.items()}
    terminal = tuple(key for key, found in children.items() if not found)
    return Graph(str(record.get("name", "")), specs, children, terminal, tuple(record.get("reference", terminal)))


class _RecordedTask:
    """Stands for the function of a task, or its trigger: it has only its name, and the question that its docstring asks."""

    def __init__(self, name: str, question: str) -> None:
        self.__name__ = name
        self.__doc__ = question

    def __call__(self, *_: object, **__: object) -> bool:
        msg = f"{self.__name__} was read from a record, which has no code to run."
        raise LookupError(msg)


def _spec(task: Mapping[str, Any]) -> TaskSpec:
    inputs: Mapping[str, str] = task.get("inputs") or {}
    elements = frozenset(task.get("elements") or ())
    name, retries = str(task.get("name", task["key"])), task.get("retries") or 0
    return TaskSpec(
        key=str(task["key"]),
        name=name,
        task=None,
        run=_RecordedTask(name, str(task.get("question") or "")),
        bindings=tuple(_binding(each, inputs[each], elements) for each in inputs),
        upstream=tuple(task.get("upstream", ())),
        trigger=_RecordedTask(trigger, "") if (trigger := str(task.get("trigger") or "")) else None,
        is_mapped=bool(task.get("mapped")),
        is_manual=bool(task.get("manual")),
        is_parameter=bool(task.get("parameter")),
        cleans_up=bool(task.get("cleans_up")),
        gathers=bool(task.get("gathers")),
        retry=RetryPolicy(int(retries), 0.0) if retries else None,
        keep=bool(task.get("keep", True)),
    )


def _binding(argument: str, upstream: str, elements: frozenset[str]) -> Binding:
    return Binding(upstream, argument, mapped=argument in elements, flattened=False, edge=None)
