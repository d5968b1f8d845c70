"""`@flow`: a flow made from a function."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, overload

from flowbook.core.flow import Flow
from flowbook.core.parameter import NO_DEFAULT, Parameter
from flowbook.core.task import Task
from flowbook.core.traceback_trim import without_library_frames
from flowbook.exceptions import DefinitionError, ParameterError
from flowbook.flow_run.run_request import RUN_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.state import State

__all__ = ["FunctionFlow", "flow"]


class FunctionFlow(Flow):
    """A flow whose parameters are the arguments of a function, and whose tasks are those that its body calls.

    The body runs once, when the flow is made, with a Parameter for each argument: it writes the flow as a `with Flow(...)`
    block does.

    Args:
        fn: the function.
        name: default: the function's.
        options: as for `Flow`.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:  # noqa: ANN401
        if not callable(fn) or isinstance(fn, (type, Task)):
            msg = f"@flow needs a function, got {fn!r}."
            raise DefinitionError(msg, value=repr(fn))
        super().__init__(name if name is not None else getattr(fn, "__name__", type(fn).__name__), **options)
        self.__doc__ = fn.__doc__
        self._arguments = _arguments(fn, self.name)
        with self:
            for parameter in self._arguments:
                self.add_task(parameter)
            fn(**{parameter.name: parameter for parameter in self._arguments})

    def __call__(self, *args: Any, **options: Any) -> State:  # noqa: ANN401
        """Run the flow and wait. `args` are values of the function's arguments by position; `options` as for `run`."""
        if len(args) > len(self._arguments):
            msg = f"Flow {self.name!r} has {len(self._arguments)} parameters, got {len(args)} values. Remove some."
            raise ParameterError(msg, names=[])
        values = {p.name: value for p, value in zip(self._arguments, args, strict=False)}
        if twice := [name for name in values if name in options]:
            msg = f"Flow {self.name!r} got {twice[0]!r} twice, by position and by name. Give it once."
            raise ParameterError(msg, names=twice)
        by_name: Mapping[str, object] = options.pop("parameters", None) or {}
        return self.run({**by_name, **values}, **options)


@overload
def flow(fn: Callable[..., Any], /) -> FunctionFlow: ...
@overload
def flow(fn: None = None, /, **options: Any) -> Callable[[Callable[..., Any]], FunctionFlow]: ...  # noqa: ANN401


def flow(
    fn: Callable[..., Any] | None = None,
    /,
    **options: Any,
) -> FunctionFlow | Callable[[Callable[..., Any]], FunctionFlow]:
    """Make a flow from a function: `@flow`, or with options `@flow(name="delays", executor=...)`.

    The arguments become parameters. The body runs once, now, and the tasks that it calls are the flow's. It may call none.
    Call the flow to run it: `delays(2014)`, or `delays.run(year=2014)`.

    Args:
        fn: the function.
        options: as for `Flow`: `name`, `executor`, `result`, `state_handlers`, `on_failure`, `terminal_state_handler`,
            `reference_tasks`, `cache`, `notify`.

    Raises:
        DefinitionError: if the function takes `*args` or `**kwargs`, is `async` or a generator, or has an argument that
            `flow.run` uses itself.
    """
    if fn is None:
        return lambda function: flow(function, **options)
    try:
        return FunctionFlow(fn, **options)
    except DefinitionError as error:
        raise without_library_frames(error) from error.__cause__


def _arguments(fn: Callable[..., Any], name: str) -> tuple[Parameter, ...]:
    odd = "async" if inspect.iscoroutinefunction(fn) else "a generator" if inspect.isgeneratorfunction(fn) else None
    if odd is not None or inspect.isasyncgenfunction(fn):
        msg = (
            f"Flow {name!r}: its function is {odd or 'async'}, so calling it writes no flow. "
            "Make it a plain function; the tasks it calls may be async."
        )
        raise DefinitionError(msg, flow=name)
    found = inspect.signature(fn).parameters.values()
    for each in found:
        if each.kind in {each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY}:
            msg = f"Flow {name!r}: argument {str(each)!r} has no name that flow.run could give. Write out plain arguments."
            raise DefinitionError(msg, flow=name, argument=each.name)
        if each.name in RUN_OPTIONS:
            msg = f"Flow {name!r} has an argument {each.name!r}, which flow.run uses itself. Rename it."
            raise DefinitionError(msg, flow=name, argument=each.name)
    return tuple(Parameter(each.name, NO_DEFAULT if each.default is each.empty else each.default) for each in found)
