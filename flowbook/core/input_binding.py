"""Bind the inputs of a task: tasks become edges, collections that hold tasks become tasks, other values constants."""
# ruff: noqa: SLF001  # it reads what tasks keep for their graph

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core import checks
from flowbook.core.annotations import marked
from flowbook.core.collections import as_task, holds_tasks
from flowbook.core.edge import Edge
from flowbook.core.task import Task
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

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
        if holds_tasks(value):  # there is nothing to wait for in a constant
            graph.add_edge(Edge(task_for(graph, value), task, mapped=is_mapped))
    if task in graph.mapped_constants:
        checks.same_length(task.name, graph.mapped_constants[task])
    elif mapped and not inputs and not graph.incoming[task]:
        msg = f"Task {task.name!r} has nothing to map over. Give it a list or a task, or call it plainly."
        raise DefinitionError(msg, task=task.name)


def _bind_input(graph: TaskGraph, task: Task, name: str, written: object, *, mapped: bool) -> None:
    if not mapped and isinstance(written, Task) and written in graph.tasks:  # what most inputs are
        graph.add_edge(Edge(written, task, name))
        return
    value, is_mapped, is_flattened = marked(written, by_default=mapped)
    if holds_tasks(value):
        graph.add_edge(Edge(task_for(graph, value), task, name, mapped=is_mapped, flattened=is_flattened))
    elif is_mapped:
        elements = checks.elements(task.name, name, value)
        graph.set_mapped_constant(task, name, _flat(elements) if is_flattened else elements)
    else:
        graph.set_constant(task, name, value)


def task_for(graph: TaskGraph, value: object) -> Task:
    """Return the task that stands for `value`, a task or a collection with one inside, and add it to the graph.

    Raises:
        DefinitionError: if it holds no task, or one of another flow.
    """
    if not holds_tasks(value):
        msg = f"{value!r} isn't a task, so nothing can wait for it. Give a task."
        raise DefinitionError(msg, value=repr(value))
    found, items = as_task(value)
    if items:
        bind(graph, found, items)
    elif found not in graph.tasks:
        _check_new(graph, found)
        graph.add(found)
    return found


def _check_new(graph: TaskGraph, task: Task) -> None:
    """Refuse a task that a user can't mean: one of another flow, or one whose copy is here already."""
    if graph.is_outside(task):
        return
    if task in graph.called:
        msg = (
            f"Task {task.name!r} was called in flow {graph.flow_name!r} already, and {task.name} by itself would run it "
            f"a second time. Use what the call returned: x = {task.name}(...)."
        )
        raise DefinitionError(msg, task=task.name)
    if task._written_in is not None:
        msg = (
            f"Task {task.name!r} belongs to flow {task._written_in!r}, not to {graph.flow_name!r}. "
            "Call the task again inside this flow."
        )
        raise DefinitionError(msg, task=task.name)


def _flat(elements: Sequence[Any]) -> Sequence[Any]:
    """Return the elements of the elements; a list that isn't nested stays as it is."""
    try:
        return [item for part in elements for item in part]
    except TypeError:
        return elements
