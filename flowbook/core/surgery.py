"""Changes to a flow that exists: another one taken in, a task put in another's place.

What moves tasks and edges goes through the flow's own methods, so that its order and its checks hold.
"""
# ruff: noqa: SLF001  # a part of Flow in a file of its own: it sees what Flow sees

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core.parameter import Parameter
from flowbook.core.task import Task
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.core.edge import Edge
    from flowbook.core.flow import Flow

__all__ = ["replace", "update"]


def update(flow: Flow, other: Flow, *, merge_parameters: bool) -> None:
    """Take over all tasks, edges and constants of `other`; arguments and errors as for `Flow.update`."""
    shared = _shared_parameters(flow, other, may_merge=merge_parameters)
    new = dict.fromkeys(task for task in other if task not in flow and task not in shared)
    for task in new:
        flow.add_task(task)
        if task in other.constants:
            flow.constants[task] = dict(other.constants[task])
        if task in other._mapped_constants:
            flow._mapped_constants[task] = dict(other._mapped_constants[task])
    for task in other:
        is_known = task in flow and task not in new
        known = {(each.upstream_task, each.key) for each in flow.edges_to(task)} if is_known else set()
        edges = [each for each in other.edges_to(task) if (each.upstream_task, each.key) not in known]
        _take_edges(flow, ((each, shared.get(each.upstream_task, each.upstream_task), task) for each in edges))


def _shared_parameters(flow: Flow, other: Flow, *, may_merge: bool) -> dict[Task, Task]:
    """Return for each parameter of `other` that gives way to one of the same name in `flow` that one."""
    mine = {each.name: each for each in flow.parameters()}
    shared: dict[Task, Task] = {
        each: mine[each.name] for each in other.parameters() if mine.get(each.name, each) is not each
    }
    if shared and not may_merge:
        name = next(iter(shared)).name
        msg = (
            f"Flows {flow.name!r} and {other.name!r} both have a parameter {name!r}. "
            f"If they are one, write flow.update(..., merge_parameters=True)."
        )
        raise DefinitionError(msg, parameter=name)
    return shared


def replace(flow: Flow, old: Task, new: object) -> Task:
    """Put `new` in the place of `old`; arguments and errors as for `Flow.replace`."""
    into, out = flow.edges_to(old), flow.edges_from(old)
    is_task = isinstance(new, Task)
    if isinstance(new, Task):
        _check_replacement(flow, old, new)
    constants, mapped_constants = flow.constants.pop(old, None), flow._mapped_constants.pop(old, None)
    flow._forget(old)
    found = flow.task_for(new)
    if is_task and constants:
        flow.constants[found] = constants
    if is_task and mapped_constants:
        flow._mapped_constants[found] = mapped_constants
    if flow._reference is not None:
        flow._reference = tuple(found if task is old else task for task in flow._reference)
    _take_edges(flow, ((edge, edge.upstream_task, found) for edge in into), keyed=is_task)
    _take_edges(flow, ((edge, found, edge.downstream_task) for edge in out))
    return found


def _check_replacement(flow: Flow, old: Task, new: Task) -> None:
    if new in flow:
        msg = f"Task {new.name!r} is in flow {flow.name!r} already. Replace {old.name!r} by a task that is not."
        raise DefinitionError(msg, task=new.name)
    given = {edge.key: None for edge in flow.edges_to(old) if edge.key is not None}
    given |= dict.fromkeys((*flow.constants.get(old, ()), *flow.mapped_constants(old)))
    signature = new._signature
    signature.check(new.name, given)
    if missing := [name for name in new.inputs if name in signature.required and name not in given]:
        names = ", ".join(map(repr, missing))
        msg = f"Task {new.name!r} needs {names}, which {old.name!r} was not given. Replace it by a task with the same inputs."
        raise DefinitionError(msg, task=new.name, missing=missing)
    if isinstance(new, Parameter):
        _check_parameter(flow, old, new)


def _check_parameter(flow: Flow, old: Task, new: Parameter) -> None:
    if flow.edges_to(old):
        msg = f"Parameter {new.name!r} can't have tasks upstream, and {old.name!r} has. Use another task."
        raise DefinitionError(msg, parameter=new.name)
    if flow._parameters.get(new.name, old) is not old:
        msg = f"Flow {flow.name!r} has a parameter {new.name!r} already. Replace {old.name!r} by one of another name."
        raise DefinitionError(msg, parameter=new.name)


def _take_edges(flow: Flow, edges: Iterable[tuple[Edge, Task, Task]], *, keyed: bool = True) -> None:
    """Add edges like those given, between other tasks."""
    for edge, before, after in edges:
        flow.add_edge(before, after, edge.key if keyed else None, mapped=edge.mapped, flattened=edge.flattened)
