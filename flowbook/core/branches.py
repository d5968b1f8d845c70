"""Control flow: the results of tasks decide, while the flow runs, which other tasks run.

Tasks of a branch that isn't taken are Skipped, and so is what needs them; `merge` joins the branches again.
"""
# ruff: noqa: SLF001  # blocks and branches are parts of the flow that they are written in

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowbook.core.annotations import marked
from flowbook.core.building import current_flow, flow_or_refuse, start_waiting, stop_waiting
from flowbook.core.collections import holds_tasks
from flowbook.core.edge import Edge
from flowbook.core.input_binding import bind, task_for
from flowbook.core.task import Task
from flowbook.engine.signals import SKIP
from flowbook.engine.triggers import all_successful, not_all_skipped
from flowbook.exceptions import ArgumentError, DefinitionError

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

    from flowbook.core.flow import Flow
    from flowbook.core.ports import Block
    from flowbook.core.task_graph import TaskGraph

__all__ = ["AsBool", "CompareValue", "Merge", "case", "ifelse", "merge", "switch"]

_NAME_CHARS = 40
#: Brackets in a task's name stand for the children of a mapped task.
_NO_BRACKETS = str.maketrans("[]", "()")


class CompareValue(Task):
    """Skipped, with what lies downstream, unless its input equals `value`."""

    def __init__(self, value: object) -> None:
        if isinstance(value, Task):
            msg = (
                f"A case compares with a plain value, not with task {value.name!r}. "
                f"Compare the two with is_equal: case(x.is_equal({value.name}), True)."
            )
            raise ArgumentError(msg, task=value.name)
        super().__init__(name=f"case({_shortened(value).translate(_NO_BRACKETS)})")
        self.value = value

    def run(self, value: Any) -> None:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Compare."""
        if value is not self.value and not bool(value == self.value):
            raise SKIP(f"It is {_shortened(value)}, not {self.value!r}.")


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _NAME_CHARS else f"{text[:_NAME_CHARS]}…"


class AsBool(Task):
    """Whether its input counts as true."""

    def run(self, value: Any) -> bool:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Return the input's truth."""
        return bool(value)


class Merge(Task):
    """The result of the first branch that has one.

    Args:
        has_constant: whether a branch is a plain value, which is never skipped.
    """

    def __init__(self, *, has_constant: bool = False) -> None:
        trigger = all_successful if has_constant else not_all_skipped
        super().__init__(name="merge", trigger=trigger, skip_on_upstream_skip=False)

    def run(self, **branches: Any) -> Any:  # noqa: ANN401
        """Return the first result that isn't None; a skipped branch has None."""
        in_order = (branches[f"task_{index}"] for index in range(1, len(branches) + 1))
        return next((value for value in in_order if value is not None), None)


class case:  # noqa: N801  # used as `with case(...):`
    """Context manager: the tasks written in it run only if the result of `task` equals `value`; otherwise they are Skipped.

    So is a task elsewhere that needs one of them, unless it has `skip_on_upstream_skip=False`, as `merge` has.

    Args:
        task: the task that decides.
        value: a plain value, often True or False.
        flow: default: the flow whose block this is, or else the flow to which the first task in this block is added.
    """

    def __init__(self, task: object, value: object, flow: Flow | None = None) -> None:
        if not holds_tasks(task):
            msg = f"A case decides by a task's result, and {task!r} is known already. Give a task, or use a plain if."
            raise ArgumentError(msg, value=repr(task))
        self._condition = CompareValue(value)
        self._task = task
        self._tasks: dict[Task, None] = {}
        self._flow = flow
        self._graph: TaskGraph | None = None
        self._waiting: Token[tuple[Block, ...]] | None = None

    def add(self, task: Task) -> None:
        """Add a task that was called in the block."""
        self._tasks[task] = None

    def attach(self, graph: TaskGraph) -> None:
        """Belong to the flow of `graph` from now on, if to none so far."""
        if self._graph is None:
            self._graph = graph
            graph.blocks.append(self)

    def __enter__(self) -> None:
        flow = self._flow if self._flow is not None else current_flow()
        if flow is None:
            self._waiting = start_waiting(self)
        else:
            self.attach(flow_or_refuse(flow, self._condition.name)._graph)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._waiting is not None:
            stop_waiting(self._waiting)
        graph = self._graph
        if graph is not None:
            graph.blocks.remove(self)
        if kind is not None:
            return
        if graph is None:
            value = repr(self._condition.value)
            msg = (
                f"case({value}) belongs to no flow, and no task was added to one in its block. "
                f"Write it inside `with Flow(...):`, or give the flow: case(task, {value}, flow=flow)."
            )
            raise DefinitionError(msg)
        bind(graph, self._condition, {"value": self._task})
        for task in self._tasks:
            if not task.skip_on_upstream_skip or not any(up in self._tasks for up in graph.above(task)):
                graph.add_edge(Edge.deciding(self._condition, task))


def switch(condition: object, cases: Mapping[Any, object], *, mapped: bool = False, flow: Flow | None = None) -> None:
    """Let only that task run whose value equals the result of `condition`; the other ones are Skipped.

    Args:
        condition: the task that decides.
        cases: value to task. What lies upstream of these tasks runs in any case. A plain value in place of a task is
            ignored: it never runs.
        mapped: whether `condition` and the tasks are mapped, and each child decides for itself.
        flow: default: the one whose block this is.

    Raises:
        DefinitionError: if there are no cases.
    """
    if not isinstance(cases, Mapping):
        msg = f"switch chooses by a dict of value to task, not by {cases!r}. Write switch(x, {{'a': task_a, 'b': task_b}})."
        raise ArgumentError(msg)
    if not cases:
        msg = "switch(...) has no cases. Give a dict of value to task: switch(x, {'a': task_a, 'b': task_b})."
        raise DefinitionError(msg)
    found = flow_or_refuse(flow, "switch")
    graph: TaskGraph = found._graph
    for value, task in cases.items():
        if holds_tasks(task):
            comparison = CompareValue(value).bind(condition, mapped=mapped, flow=found)
            graph.add_edge(Edge.deciding(comparison, task_for(graph, task), mapped=mapped))


def ifelse(
    condition: object, true_task: object, false_task: object, *, mapped: bool = False, flow: Flow | None = None
) -> None:
    """Let `true_task` run if the result of `condition` counts as true, else `false_task`; the other one is Skipped.

    Args:
        condition: the task that decides.
        true_task: a task, or None: then nothing.
        false_task: likewise.
        mapped: as for `switch`.
        flow: default: the one whose block this is.
    """
    cases = {value: task for value, task in ((True, true_task), (False, false_task)) if task is not None}
    switch(AsBool().bind(condition, mapped=mapped, flow=flow), cases, mapped=mapped, flow=flow)


def merge(*tasks: object, flow: Flow | None = None, mapped: bool = False) -> Task:
    """Return a task whose result is that of the first of `tasks` that wasn't skipped (and isn't None).

    It is skipped itself if all of them were, or if it is written in a `case` that isn't taken; it fails if one of them did.

    Args:
        tasks: the last task of each branch. A plain value stands for a branch that is never skipped: put it last.
        flow: default: the one whose block this is.
        mapped: whether the branches are mapped, and are joined child by child.
    """
    if not tasks:
        msg = "merge() has nothing to join. Give the last task of each branch: merge(a, b)."
        raise DefinitionError(msg)
    branches: dict[str, Any] = {f"task_{i}": task for i, task in enumerate(tasks, 1)}
    has_constant = any(not holds_tasks(marked(task, by_default=False).value) for task in tasks)
    return Merge(has_constant=has_constant).bind(flow=flow, mapped=mapped, **branches)
