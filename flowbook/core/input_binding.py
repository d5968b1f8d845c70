"""Bind the inputs of a task: tasks become edges, collections that hold tasks become tasks, other values constants."""
# ruff: noqa: SLF001  # it reads what tasks keep for their graph

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core import checks
from flowbook.core.annotations import marked
from flowbook.core.collections import as_task, holds_tasks
from flowbook.core.edge import Edge
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.core.task import Task
    from flowbook.core.task_graph import TaskGraph

__all__ = ["bind", "task_for"]


def bind(
    graph: TaskGraph, task: Task, inputs: Mapping[str, object], upstream: Iterable[object] = (), *, mapped: bool = False
) -> None:
    """Bind values and tasks to the inputs of `task`, and let it come after all of `upstream`.

    Args:
        graph: `task` is added to it.
        task: whose inputs these are.
        inputs: by name; annotations (`unmapped(x)`) are allowed.
        upstream: tasks, or collections that hold some.
        mapped: whether inputs without an annotation are mapped.

    Raises:
        DefinitionError: if an input is unknown or given twice, or there is nothing to map over.
    """
    graph.add(task)
    for name, written in inputs.items():
        _bind_input(graph, task, name, written, mapped=mapped)
    for written in upstream:
        value, is_mapped, _ = marked(written, by_default=mapped)
        graph.add_edge(Edge(task_for(graph, value), task, mapped=is_mapped))
    if task in graph.mapped_constants:
        checks.same_length(task.name, graph.mapped_constants[task])
    elif mapped and not any(edge.mapped for edge in graph.incoming[task]):
        msg = (
            f"Task {task.name!r} has nothing to map over. "
            "Give it a list or a task that is not unmapped(...), or call it plainly."
        )
        raise DefinitionError(msg, task=task.name)


def _bind_input(graph: TaskGraph, task: Task, name: str, written: object, *, mapped: bool) -> None:
    value, is_mapped, is_flattened = marked(written, by_default=mapped)
    if holds_tasks(value):
        graph.add_edge(Edge(task_for(graph, value), task, name, mapped=is_mapped, flattened=is_flattened))
    elif is_mapped:
        elements = _flat(value, name, task.name) if is_flattened else value
        graph.set_mapped_constant(task, name, checks.elements(task.name, name, elements))
    else:
        graph.set_constant(task, name, value)


def task_for(graph: TaskGraph, value: object) -> Task:
    """Return the task that stands for `value`, a task or a collection with one inside, and add it to the graph.

    Raises:
        DefinitionError: if it holds no task, or one of another flow.
    """
    if not holds_tasks(value):
        msg = f"{value!r} is not a task, so nothing can wait for it. Give a task, or a value for one of the inputs."
        raise DefinitionError(msg, given=repr(value))
    found, items = as_task(value)
    if items:
        bind(graph, found, items)
    elif found not in graph.tasks:
        if found._written_in is not None:
            msg = (
                f"Task {found.name!r} belongs to flow {found._written_in!r}, not to {graph.flow_name!r}. "
                "Call the task anew inside this flow."
            )
            raise DefinitionError(msg, task=found.name)
        graph.add(found)
    return found


def _flat(value: object, argument: str, task: str) -> list[object]:
    try:
        return [item for part in value for item in part]  # type: ignore[attr-defined]  # refused below if it can't
    except TypeError as error:
        msg = f"Input {argument!r} of task {task!r}: flatten needs a list of lists, got {value!r}."
        raise DefinitionError(msg, task=task, argument=argument) from error
