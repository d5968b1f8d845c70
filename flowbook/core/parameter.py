"""A parameter: a task whose value you give when you run the flow."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Never, Self

from flowbook._context import context
from flowbook.core import checks
from flowbook.core.task import Task
from flowbook.exceptions import ArgumentError, DefinitionError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DateTimeParameter", "Parameter"]


class _NoDefault:
    def __repr__(self) -> str:
        return "no default"

    def __reduce__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT = _NoDefault()


class Parameter(Task):
    """A value that you give when you run the flow: `Parameter("year", default=2013)`, then `flow.run(year=2014)`.

    Use it as the input of a task; that adds it to the flow.

    Args:
        name: an identifier; also the parameter's key in the flow.
        default: the value of runs that give none.
        required: whether a run must give a value; default: True if there is no default.
        tags: labels.

    Raises:
        DefinitionError: if the name isn't an identifier.
    """

    _is_parameter = True
    _is_external = True

    def __init__(
        self,
        name: str,
        default: object = NO_DEFAULT,
        required: bool | None = None,  # noqa: FBT001  # the seeds' order
        tags: Iterable[str] | None = None,
        **unknown: Never,
    ) -> None:
        name = _checked_name(name)
        if unknown:
            checks.unknown_options(name, unknown, Parameter.__init__, "Parameter")
        self.default = None if default is NO_DEFAULT else default
        self.required = default is NO_DEFAULT if required is None else required
        super().__init__(name=name, slug=name, tags=tags)

    def run(self) -> Any:  # noqa: ANN401
        """Return the run's value, else the default."""
        return context.get("parameters", {}).get(self.name, self.default)

    def accept(self, value: object) -> object:
        """Return the value that tasks get. Subclasses convert `value` here, before anything runs.

        Raises:
            ParameterError: if `value` isn't allowed.
        """
        return value

    def __call__(self, *args: object, **options: Any) -> Parameter:  # noqa: ANN401
        """Add this parameter itself, not a copy, to the flow that is being written; return it."""
        return self.bind(*args, **options)

    def copy(self, name: str | None = None, **changes: Any) -> Self:  # noqa: ANN401  # as in Task
        """Return a copy that is another parameter.

        Args:
            name: of the copy, also its key in a flow; default: the same, which another flow may have.
            changes: other attributes to change.
        """
        if "slug" in changes:
            msg = f"Parameter {self.name!r}: a parameter has no slug beside its name. Write copy(name=...)."
            raise ArgumentError(msg, parameter=self.name)
        if name is not None:
            name = _checked_name(name)
            changes |= {"name": name, "slug": name}
        return super().copy(**changes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"


class DateTimeParameter(Parameter):
    """A parameter that is a time: ISO text (`"2024-02-29T12:00+01:00"`, `"2024-02-29"`), a date or a datetime.

    Tasks get an aware datetime in UTC; a value without a zone is local time. None stays None. Arguments as for `Parameter`.
    """

    def __init__(
        self,
        name: str,
        default: object = NO_DEFAULT,
        required: bool | None = None,  # noqa: FBT001
        tags: Iterable[str] | None = None,
        **unknown: Never,
    ) -> None:
        super().__init__(name, default, required, tags, **unknown)
        self.accept(self.default)

    def accept(self, value: object) -> object:
        """Return the time as an aware datetime in UTC."""
        if value is None:
            return None
        time = _time(value)
        if time is None:
            msg = f"Parameter {self.name!r}: {value!r} isn't a time. Give a datetime, or ISO text such as '2024-02-29T12:00'."
            raise ParameterError(msg, names=[self.name], value=repr(value))
        try:
            return time.astimezone(dt.UTC)
        except OverflowError as error:
            msg = f"Parameter {self.name!r}: {value!r} is out of reach of the clock. Give a time between the years 2 and 9998."
            raise ParameterError(msg, names=[self.name], value=repr(value)) from error

    def run(self) -> Any:  # noqa: ANN401
        """Return the run's value, else the default, in UTC."""
        return self.accept(super().run())


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        msg = f"Parameter name {name!r} isn't an identifier, so flow.run({name}=...) can't give it. Rename it."
        raise DefinitionError(msg, parameter=name)
    return name


def _time(value: object) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time()).astimezone()
    try:
        return dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
