"""Tasks that operators build: `a + b`, `a < b`, `a[0]`, `~a`.

`&`, `|` and `~` are the logical and, or, not of the results' truth, as in `case(a & ~b, True)`; for element-wise work on
frames write a task.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from flowbook.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["OneSided", "TwoSided", "operation"]


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
    def __init__(self, name: str) -> None:
        #: Which one; the task's own name may be changed in a copy.
        self.operation = name
        super().__init__(name=name)


class TwoSided(_Operation):
    """An operation of two results."""

    def run(self, x: Any, y: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Return what the operator makes of the two."""
        return _OPERATIONS[self.operation](x, y)


class OneSided(_Operation):
    """An operation of one result."""

    def run(self, x: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Return what the operator makes of it."""
        return _OPERATIONS[self.operation](x)


def operation(name: str, operands: tuple[object, ...]) -> Task:
    """Return a new task that does operation `name` to the operands; it is in the flow that is being written."""
    kind = TwoSided if len(operands) == 2 else OneSided  # noqa: PLR2004
    return kind(name).bind(*operands)
