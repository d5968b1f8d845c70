"""The arguments of a task's `run`, read once, so that binding a call is quick."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, NamedTuple

from flowbook.exceptions import ArgumentError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["RunSignature"]

_RESERVED = frozenset({"upstream_tasks", "mapped", "task_args", "flow"})


class RunSignature(NamedTuple):
    """The arguments of `run`.

    Attributes:
        names: all of them, in order.
        positional: those that may be given by position.
        required: those without a default.
        takes_any: whether `run` takes others too, by `**kwargs`.
    """

    names: tuple[str, ...]
    positional: tuple[str, ...]
    required: frozenset[str]
    takes_any: bool

    @classmethod
    def of(cls, run: Callable[..., object], task: str) -> RunSignature:
        """Return the signature of `run` of the task named `task`.

        Raises:
            DefinitionError: if it has `*args`, positional-only arguments or a reserved name, or can't be inspected.
        """
        try:
            found = inspect.signature(run).parameters.values()
        except (TypeError, ValueError) as error:
            msg = f"Task {task!r}: the arguments of {run!r} can't be inspected. Wrap it in a function of your own."
            raise ArgumentError(msg, task=task) from error
        if any(p.kind is p.VAR_POSITIONAL for p in found):
            msg = f"Task {task!r} takes *args, so its inputs have no names. Give it named arguments or **kwargs."
            raise DefinitionError(msg, task=task)
        named = [p for p in found if p.kind is not p.VAR_KEYWORD]
        reserved = [p.name for p in named if p.name in _RESERVED]
        if reserved:
            msg = (
                f"Task {task!r} has an argument {reserved[0]!r}, which flowbook uses when a task is called. Rename it."
            )
            raise DefinitionError(msg, task=task, argument=reserved[0])
        if only := [p.name for p in named if p.kind is p.POSITIONAL_ONLY]:
            msg = (
                f"Task {task!r} takes {only[0]!r} by position only; tasks get their inputs by name. "
                "Remove the '/', or wrap it in a function of your own."
            )
            raise DefinitionError(msg, task=task, argument=only[0])
        return cls(
            tuple(p.name for p in named),
            tuple(p.name for p in named if p.kind is not p.KEYWORD_ONLY),
            frozenset(p.name for p in named if p.default is p.empty),
            any(p.kind is p.VAR_KEYWORD for p in found),
        )

    def required_names(self) -> list[str]:
        """Return the names that must be given, in order."""
        return [name for name in self.names if name in self.required]

    def bind(self, task: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object]:
        """Return the call's values by argument name.

        Raises:
            ArgumentError: if there are too many, or one is unknown, missing or given twice.
        """
        if len(args) > len(self.positional):
            count = len(self.positional)
            inputs = "1 input" if count == 1 else f"{count} inputs"
            msg = f"Task {task!r} takes {inputs} by position, got {len(args)}. Remove some."
            raise ArgumentError(msg, task=task)
        bound = dict(zip(self.positional, args, strict=False))
        for name, value in kwargs.items():
            if name in bound:
                msg = f"Task {task!r} got {name!r} twice, by position and by name. Give it once."
                raise ArgumentError(msg, task=task, argument=name)
            bound[name] = value
        self.check(task, bound)
        missing = self.required - bound.keys()
        if missing:
            names = ", ".join(repr(name) for name in self.names if name in missing)
            msg = f"Task {task!r} needs {names}. Give a value or a task for it."
            raise ArgumentError(msg, task=task, missing=sorted(missing))
        return bound

    def check(self, task: str, names: Iterable[str]) -> None:
        """Refuse names that `run` lacks."""
        if self.takes_any:
            return
        for name in names:
            if name not in self.names:
                known = ", ".join(self.names) or "none"
                msg = f"Task {task!r} has no input {name!r}. Its inputs: {known}."
                raise ArgumentError(msg, task=task, argument=name)
