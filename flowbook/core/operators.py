"""Tasks that operators build: `a + b`, `a < b`, `a[0]`, `~a`.

`&`, `~` and `or_` are the logical and, not, or of the results' truth, as in `case(a & ~b, True)`; for element-wise work on
frames write a task.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from flowbook.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.core.ports import WritableFlow

__all__ = ["OneSided", "TwoSided", "name_after_variables", "operation"]


def _and(x: object, y: object) -> bool:
    return bool(x and y)


def _or(x: object, y: object) -> bool:
    return bool(x or y)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Abs": abs,
    "Add": operator.add,
    "And": _and,
    "Div": operator.truediv,
    "Equal": operator.eq,
    "FloorDiv": operator.floordiv,
    "GetItem": operator.getitem,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqual": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqual": operator.le,
    "Mod": operator.mod,
    "Mul": operator.mul,
    "Neg": operator.neg,
    "Not": operator.not_,
    "NotEqual": operator.ne,
    "Or": _or,
    "Pos": operator.pos,
    "Pow": operator.pow,
    "Sub": operator.sub,
}


class _Operation(Task):
    """A task built by an operator; `operation` says which one, as the task's name may change."""

    def __init__(self, name: str) -> None:
        self.operation = name
        super().__init__(name=name)


class TwoSided(_Operation):
    """A binary operation."""

    def run(self, x: Any, y: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Apply the operator."""
        return _OPERATIONS[self.operation](x, y)


class OneSided(_Operation):
    """A unary operation."""

    def run(self, x: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Apply the operator."""
        return _OPERATIONS[self.operation](x)


def operation(name: str, operands: tuple[object, ...]) -> Task:
    """Return a new task that applies operation `name` to the operands; it is in the flow that is being written."""
    kind = TwoSided if len(operands) == 2 else OneSided  # noqa: PLR2004
    return kind(name).bind(*operands)


def name_after_variables(flow: WritableFlow, variables: Mapping[str, object]) -> None:
    """Name the tasks of `flow` that operators built after the variables that hold them: `X_test` instead of `GetItem-3`.

    Call it when the flow is written and before it runs: the names become keys.

    Args:
        flow: whose tasks are named. A task that has a name of its own keeps it.
        variables: by name, e.g. the names that a cell defined. The first public one that holds a task counts.
    """
    for name, task in variables.items():
        if (
            isinstance(task, _Operation)
            and task in flow.tasks
            and task.name == task.operation
            and not name.startswith("_")
        ):
            task.name = name
    for task, key in flow.keys().items():
        task._written(key)  # noqa: SLF001  # what a task knows of its flow, for its history
