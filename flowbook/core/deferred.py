"""What a task does where code treats it as its value: operators build tasks; what needs the value now is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core import checks
from flowbook.core.building import current_flow
from flowbook.exceptions import ArgumentError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook.core.task import Task

__all__ = ["DeferredValue"]


def _operation(name: str, *operands: object) -> Task:
    from flowbook.core.operators import operation  # noqa: PLC0415  # few flows use operators; it is made after Task

    return operation(name, operands)


def _unary(name: str) -> Callable[[DeferredValue], Task]:
    def operator(self: DeferredValue) -> Task:
        return _operation(name, self)

    operator.__doc__ = f"Return a task that applies {name} to the result."
    return operator


def _binary(name: str) -> Callable[[DeferredValue, object], Task]:
    def operator(self: DeferredValue, other: object) -> Task:
        return _operation(name, self, other)

    operator.__doc__ = f"Return a task that applies {name} to the two results."
    return operator


def _reflected(name: str) -> Callable[[DeferredValue, object], Task]:
    def operator(self: DeferredValue, other: object) -> Task:
        return _operation(name, other, self)

    operator.__doc__ = f"Return a task that applies {name} to the two results."
    return operator


class DeferredValue:
    """A value that comes when the flow runs. Base of Task: it holds what depends on nothing else of a task."""

    name: str
    nout: int | None
    run: Callable[..., object]

    __add__, __radd__ = _binary("Add"), _reflected("Add")
    __sub__, __rsub__ = _binary("Sub"), _reflected("Sub")
    __mul__, __rmul__ = _binary("Mul"), _reflected("Mul")
    __truediv__, __rtruediv__ = _binary("Div"), _reflected("Div")
    __floordiv__, __rfloordiv__ = _binary("FloorDiv"), _reflected("FloorDiv")
    __mod__, __rmod__ = _binary("Mod"), _reflected("Mod")
    __pow__, __rpow__ = _binary("Pow"), _reflected("Pow")
    __and__, __rand__ = _binary("And"), _reflected("And")
    __lt__ = _binary("LessThan")
    __le__ = _binary("LessThanOrEqual")
    __gt__ = _binary("GreaterThan")
    __ge__ = _binary("GreaterThanOrEqual")
    __getitem__ = _binary("GetItem")
    __invert__ = _unary("Not")
    __neg__ = _unary("Neg")
    __pos__ = _unary("Pos")
    __abs__ = _unary("Abs")

    # `==` builds no task: it finds tasks in lists. `|` builds none either: it means "then".

    def is_equal(self, other: object) -> Task:
        """Return a task whose result says whether the two results are equal; `==` compares the tasks themselves."""
        return _operation("Equal", self, other)

    def is_not_equal(self, other: object) -> Task:
        """Return a task whose result says whether the two results differ."""
        return _operation("NotEqual", self, other)

    def not_(self) -> Task:
        """Return a task whose result is False if this one's counts as true, else True; the same as `~task`."""
        return _operation("Not", self)

    def or_(self, other: object) -> Task:
        """Return a task whose result is True if one of the two results counts as true; `|` means "then" instead."""
        return _operation("Or", self, other)

    def __bool__(self) -> bool:
        msg = (
            f"Task {self.name!r} has no truth value while the flow is written: its result is not there yet. "
            "Decide inside a task, or use flowbook.case(...)."
        )
        raise DefinitionError(msg, task=self.name)

    def __len__(self) -> int:
        msg = (
            f"Task {self.name!r} has no length while the flow is written: its result is not there yet. "
            "Take len() inside a task, or use flowbook.case(...)."
        )
        raise DefinitionError(msg, task=self.name)

    def __contains__(self, item: object) -> bool:
        return any(item is each for each in self)  # refuses; Python would replace the message of __iter__ by its own

    def __iter__(self) -> Iterator[Task]:
        nout = self.nout if self.nout is not None else checks.nout_of(self.run)
        if nout is None:
            msg = (
                f"Task {self.name!r} can't be iterated while the flow is written: its result is not there yet. "
                f"To unpack it, say how many results it has: @task(nout=2). "
                f"Else use {self.name}.map(...) downstream, or iterate inside a task."
            )
            raise ArgumentError(msg, task=self.name)
        return iter([self[index] for index in range(nout)])

    def __str__(self) -> str:
        if current_flow() is not None:
            msg = (
                f"Task {self.name!r} can't be made part of a text while the flow is written: its result is not there yet. "
                f"Make the text inside a task that takes {self.name} as an input. To show the task itself, use repr()."
            )
            raise DefinitionError(msg, task=self.name)
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)
