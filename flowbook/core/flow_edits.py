"""Edit a flow that exists: merge another one into it, replace a task."""
# ruff: noqa: SLF001  # it checks a task's inputs, as its graph does

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core.annotations import flatten, mapped, unmapped
from flowbook.core.collections import holds_tasks
from flowbook.core.input_binding import bind, task_for
from flowbook.core.parameter import Parameter
from flowbook.core.task import Task
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.core.edge import Edge
    from flowbook.core.task_graph import TaskGraph

__all__ = ["replace", "update"]


def update(graph: TaskGraph, other: TaskGraph, *, merge_parameters: bool) -> dict[Task, Task]:
    """Take over all tasks, edges and constants of `other`; return each parameter that was replaced, with that of `other`."""
    replaced = _shared_parameters(graph, other, may_merge=merge_parameters)
    for mine, theirs in replaced.items():
        replace(graph, mine, theirs)
    for task in other.tasks:
        if task not in graph.tasks:
            graph.add(task)
            graph.copy_constants(other, task)
    for edges in other.incoming.values():
        for edge in edges:
            graph.add_edge(edge)
    return replaced


def _shared_parameters(graph: TaskGraph, other: TaskGraph, *, may_merge: bool) -> dict[Task, Task]:
    """Return each parameter of `graph` whose name another parameter has in `other`, with that one."""
    shared: dict[Task, Task] = {
        graph.parameters[name]: theirs
        for name, theirs in other.parameters.items()
        if graph.parameters.get(name, theirs) is not theirs
    }
    if shared and not may_merge:
        name = next(iter(shared)).name
        msg = (
            f"Flows {graph.flow_name!r} and {other.flow_name!r} both have a parameter {name!r}. "
            f"If they are one, write flow.update(..., merge_parameters=True)."
        )
        raise DefinitionError(msg, parameter=name)
    return shared


def replace(graph: TaskGraph, old: Task, new: object) -> Task | None:
    """Replace `old` by `new`, a task, a collection of tasks or a plain value; errors as for `Flow.replace`."""
    into, out = tuple(graph.incoming[graph.known(old)]), tuple(graph.outgoing[old])
    constants, elements = graph.constants.get(old, {}), graph.mapped_constants.get(old, {})
    is_task = isinstance(new, Task)
    if isinstance(new, Task):
        _check_replacement(graph, old, new)
    graph.remove(old)
    if not holds_tasks(new):
        _replace_by_constant(graph, out, new)
        return None
    found = task_for(graph, new)
    if is_task:
        for name, value in constants.items():
            graph.set_constant(found, name, value)
        for name, sequence in elements.items():
            graph.set_mapped_constant(found, name, sequence)
    for edge in into:
        graph.add_edge(edge.between(edge.upstream_task, found, key=edge.key if is_task else None))
    for edge in out:
        graph.add_edge(edge.between(found, edge.downstream_task))
    return found


def _replace_by_constant(graph: TaskGraph, out: Iterable[Edge], value: object) -> None:
    for edge in out:
        if edge.key is not None:
            mark = flatten if edge.flattened else mapped if edge.mapped else unmapped
            bind(graph, edge.downstream_task, {edge.key: mark(value)})


def _check_replacement(graph: TaskGraph, old: Task, new: Task) -> None:
    if new in graph.tasks:
        msg = f"Task {new.name!r} is in flow {graph.flow_name!r} already. Replace {old.name!r} by a task that is not."
        raise DefinitionError(msg, task=new.name)
    inputs = {edge.key: None for edge in graph.incoming[old] if edge.key is not None}
    inputs |= dict.fromkeys((*graph.constants.get(old, ()), *graph.mapped_constants.get(old, ())))
    new._check_inputs(inputs)
    if missing := [name for name in new._signature.required_names() if name not in inputs]:
        names = ", ".join(map(repr, missing))
        msg = f"Task {new.name!r} needs {names}, which {old.name!r} doesn't have. Replace it by a task with the same inputs."
        raise DefinitionError(msg, task=new.name, missing=missing)
    if isinstance(new, Parameter):
        _check_parameter(graph, old, new)


def _check_parameter(graph: TaskGraph, old: Task, new: Parameter) -> None:
    if graph.incoming[old]:
        msg = f"Parameter {new.name!r} can't have tasks upstream, and {old.name!r} has. Use another task."
        raise DefinitionError(msg, parameter=new.name)
    if graph.parameters.get(new.name, old) is not old:
        msg = f"Flow {graph.flow_name!r} has a parameter {new.name!r} already. Replace {old.name!r} by one of another name."
        raise DefinitionError(msg, parameter=new.name)
