"""`apply_map`: map a function that calls several tasks as a whole."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from flowbook.core.annotations import flatten, mapped, marked, unmapped
from flowbook.core.building import flow_or_refuse
from flowbook.core.collections import holds_tasks
from flowbook.core.compiler import sorted_tasks
from flowbook.core.flow import Flow
from flowbook.core.input_binding import bind
from flowbook.core.task import Task
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.core.edge import Edge
    from flowbook.core.task_graph import TaskGraph

__all__ = ["apply_map"]


class _Element(Task):
    """Stands for one element of an argument while the function writes its tasks; never runs."""

    _is_external = True
    _warns_if_unused = False

    def __init__(self, written: object) -> None:
        super().__init__(name="element")
        self.source, self.is_mapped, self.is_flattened = marked(written, by_default=True)
        self.is_constant = not holds_tasks(self.source)
        if isinstance(self.source, Task):
            self.nout = self.source.nout

    def written(self) -> object:
        """Return the argument as the user wrote it."""
        mark = flatten if self.is_flattened else mapped if self.is_mapped else unmapped
        return mark(self.source)


def apply_map(function: Callable[..., Any], *args: Any, flow: Flow | None = None, **kwargs: Any) -> Any:  # noqa: ANN401
    """Map a function that calls tasks: each element of the arguments passes through all of them, `case` and `merge` included.

    The function is called once, while the flow is written. Its tasks that depend on an element are mapped. Other tasks of
    the flow that it uses go whole to every child.

    Args:
        function: calls tasks; returns a task, or several in a tuple, list or dict.
        args: tasks or sequences to map over; `unmapped(x)` goes whole to every child.
        flow: default: the one whose block this is. A function with an argument `flow` gets the flow to write into.
        kwargs: as `args`, by name.

    Returns:
        What the function returned.

    Raises:
        DefinitionError: if the function itself maps a task, by `map` or another `apply_map`: maps don't nest, use `flatten`.
            Also if it needs the value of an element while the flow is written.
    """
    name = getattr(function, "__name__", "apply_map")
    target: TaskGraph = flow_or_refuse(flow, name)._graph  # noqa: SLF001  # what both flows are made of
    elements = [_Element(value) if _is_to_map(value) else value for value in args]
    named = {name: _Element(value) if _is_to_map(value) else value for name, value in kwargs.items()}
    if not any(isinstance(each, _Element) and each.is_mapped for each in (*elements, *named.values())):
        msg = "apply_map has nothing to map over. Give it a task or a sequence that isn't unmapped(...)."
        raise DefinitionError(msg)
    inner = Flow(target.flow_name)
    inner._graph.outer = target  # noqa: SLF001
    if "flow" in _argument_names(function)[len(args) :]:
        named["flow"] = inner
    with inner:
        answer = function(*elements, **named)
    _Move(inner._graph, target).all()  # noqa: SLF001
    return _answer(answer)


def _argument_names(function: Callable[..., object]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a callable whose arguments can't be inspected
        return ()


def _is_to_map(value: object) -> bool:
    """Return whether the function gets an element in place of `value`; a plain value marked `unmapped` is passed as it is."""
    return not isinstance(value, unmapped) or holds_tasks(value.value)


def _answer(answer: object) -> object:
    if isinstance(answer, _Element):
        return answer.source
    if isinstance(answer, (list, tuple)) and type(answer) in {list, tuple}:
        return type(answer)(_answer(each) for each in answer)
    if type(answer) is dict:
        return {name: _answer(each) for name, each in answer.items()}
    return answer


class _Move:
    """Moves what was written into `inner` to `target`, and maps what depends on an element."""

    def __init__(self, inner: TaskGraph, target: TaskGraph) -> None:
        self.inner = inner
        self.target = target
        self.mapped: set[Task] = set()

    def all(self) -> None:
        for task in sorted_tasks(self.inner):
            if isinstance(task, _Element):
                if task.is_mapped:
                    self.mapped.add(task)
                continue
            edges = self.inner.incoming[task]
            if any(edge.mapped for edge in edges) or task in self.inner.mapped_constants:
                msg = (
                    f"Task {task.name!r} is mapped inside apply_map, which maps it already, and maps don't nest. "
                    "Let the inner list be a task's result, and map over flatten(...) of it after apply_map: "
                    f"{task.name}.map(flatten(lists))."
                )
                raise DefinitionError(msg, task=task.name)
            if any(edge.upstream_task in self.mapped for edge in edges):
                self.mapped.add(task)
        for task in self.inner.tasks:
            if not isinstance(task, _Element):
                self._take(task)
        self.target.called |= self.inner.called

    def _take(self, task: Task) -> None:
        self.target.add(task)
        self.target.copy_constants(self.inner, task)
        for edge in self.inner.incoming[task]:
            if isinstance(edge.upstream_task, _Element):
                self._bind_element(edge, edge.upstream_task)
            else:
                is_mapped = edge.upstream_task in self.mapped
                self.target.add_edge(edge.between(edge.upstream_task, task, mapped=is_mapped))

    def _bind_element(self, edge: Edge, element: _Element) -> None:
        task = edge.downstream_task
        if edge.key is not None:
            bind(self.target, task, {edge.key: element.written()})
        elif not element.is_constant:
            bind(self.target, task, {}, [element.written()])
