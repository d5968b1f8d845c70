"""Control flow: which tasks run is decided while the flow runs, by the results of others.

What is not taken is Skipped, and so is what needs it; `merge` brings branches together again.
"""
# ruff: noqa: SLF001  # blocks and branches are parts of the flow that they are written in

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowbook.core.building import flow_or_refuse
from flowbook.core.collections import holds_tasks
from flowbook.core.parameter import Parameter
from flowbook.core.task import Task
from flowbook.engine.signals import SKIP
from flowbook.engine.triggers import not_all_skipped
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from types import TracebackType

    from flowbook.core.flow import Flow

__all__ = ["AsBool", "CompareValue", "Merge", "case", "ifelse", "merge", "switch"]

_NAME_CHARS = 40


class CompareValue(Task):
    """Skipped, with what lies below, unless its input equals `value`."""

    def __init__(self, value: object) -> None:
        if isinstance(value, Task):
            msg = (
                f"A case compares with a plain value, not with task {value.name!r}. "
                f"Compare the two with is_equal: case(x.is_equal({value.name}), True)."
            )
            raise DefinitionError(msg, task=value.name)
        text = repr(value)
        super().__init__(name=f"case({text if len(text) <= _NAME_CHARS else text[:_NAME_CHARS] + '…'})")
        self.value = value

    def run(self, value: Any) -> None:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Compare."""
        if value is not self.value and not bool(value == self.value):
            text = repr(value)
            shown = text if len(text) <= _NAME_CHARS else f"{text[:_NAME_CHARS]}…"
            raise SKIP(f"It is {shown}, not {self.value!r}.")


class AsBool(Task):
    """Whether its input counts as true."""

    def run(self, value: Any) -> bool:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Return the input's truth."""
        return bool(value)


class Merge(Task):
    """The result of the first branch that gave one."""

    def __init__(self) -> None:
        super().__init__(name="merge", trigger=not_all_skipped, skip_on_upstream_skip=False)

    def run(self, **branches: Any) -> Any:  # noqa: ANN401
        """Return the first result that is not None; a branch that was skipped gives None."""
        in_order = (branches[f"task_{index}"] for index in range(1, len(branches) + 1))
        return next((value for value in in_order if value is not None), None)


class case:  # noqa: N801  # used as `with case(...):`
    """Context manager: the tasks written in it run only if `task`'s result equals `value`, else they are Skipped.

    A task that needs one of them is skipped with them, unless it has `skip_on_upstream_skip=False`; see `merge`.

    Args:
        task: the task that decides.
        value: a plain value, often True or False.
    """

    def __init__(self, task: object, value: object) -> None:
        self._condition = CompareValue(value)
        if not holds_tasks(task):
            msg = f"A case decides by a task's result, and {task!r} is there now. Give a task, or use a plain if."
            raise DefinitionError(msg, given=repr(task))
        self._task = task
        self._tasks: dict[Task, None] = {}
        self._flow: Flow | None = None

    def add(self, task: Task) -> None:
        """Take note of a task that was written in the block."""
        if not isinstance(task, Parameter):
            self._tasks[task] = None

    def __enter__(self) -> None:
        self._flow = flow_or_refuse(None, self._condition.name)
        self._flow._open(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        flow = self._flow
        assert flow is not None  # noqa: S101  # set on entering
        flow._close(self)
        if kind is not None:
            return
        self._condition.bind(self._task, flow=flow)
        for task in self._tasks:
            if not any(up in self._tasks for up in flow.upstream_tasks(task)):
                flow.add_edge(self._condition, task)


def switch(condition: object, cases: Mapping[Any, object], *, mapped: bool = False) -> None:
    """Let of several tasks only the one run whose value the result of `condition` equals; the others are Skipped.

    Args:
        condition: the task that decides.
        cases: value to task. What lies upstream of those tasks runs in any case.
        mapped: whether `condition` and the tasks are mapped, and each child decides for itself.

    Raises:
        DefinitionError: if a case is no task, or nothing is given to choose from.
    """
    if not isinstance(cases, Mapping):
        msg = f"switch chooses by a dict of value to task, not by {cases!r}. Write switch(x, {{'a': task_a, 'b': task_b}})."
        raise DefinitionError(msg)
    if not cases:
        msg = "switch(...) has no cases. Give a dict of value to task: switch(x, {'a': task_a, 'b': task_b})."
        raise DefinitionError(msg)
    flow = flow_or_refuse(None, "switch")
    for value, task in cases.items():
        comparison = CompareValue(value).bind(condition, mapped=mapped)
        flow.set_dependencies(flow._task_for(task), upstream_tasks=[comparison], mapped=mapped)


def ifelse(condition: object, true_task: object, false_task: object, *, mapped: bool = False) -> None:
    """Let `true_task` run if the result of `condition` counts as true, else `false_task`; the other one is Skipped.

    Args:
        condition: the task that decides.
        true_task: a task, or None: then nothing.
        false_task: likewise.
        mapped: as for `switch`.
    """
    cases = {value: task for value, task in ((True, true_task), (False, false_task)) if task is not None}
    switch(AsBool().bind(condition, mapped=mapped), cases, mapped=mapped)


def merge(*tasks: object, flow: Flow | None = None, mapped: bool = False) -> Task:
    """Return a task whose result is that of the first of `tasks` that was not skipped (and is not None).

    It is skipped itself if all of them were, and fails if one of them did.

    Args:
        tasks: the ends of the branches.
        flow: default: the one whose block this is.
        mapped: whether the branches are mapped, and are brought together child by child.
    """
    if not tasks:
        msg = "merge() has nothing to bring together. Give the last task of each branch: merge(a, b)."
        raise DefinitionError(msg)
    branches: dict[str, Any] = {f"task_{i}": task for i, task in enumerate(tasks, 1)}
    return Merge().bind(flow=flow, mapped=mapped, **branches)
