"""Checks the executor, the flow runner and the state handlers of a flow, a task or a run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.exceptions import ArgumentError, DefinitionError, ExecutorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.executors.base import Executor
    from flowbook.flow_run.ports import FlowRunner

__all__ = ["executor", "flow_runner", "handlers"]

_WRITE_ONE = "Give one of flowbook.executors, e.g. executor=LocalDaskExecutor('threads')."
#: What to write in Python for the words that the notebook's magics take.
_WRITE = {
    **{
        kind: f"Write executor=LocalDaskExecutor({kind!r}) of flowbook.executors."
        for kind in ("threads", "processes", "synchronous")
    },
    "local": "Write executor=LocalExecutor() of flowbook.executors.",
    "dask": "Write executor=DaskExecutor() of flowbook.executors.",
}


def executor(given: Executor) -> Executor:
    """Return the executor. Raises ExecutorError if it isn't one."""
    if not callable(getattr(given, "submit", None)):
        msg = f"{given!r} isn't an executor. {_WRITE.get(given, _WRITE_ONE) if isinstance(given, str) else _WRITE_ONE}"
        raise ExecutorError(msg, executor=repr(given))
    if isinstance(given, type):
        msg = f"{given!r} is a class. Make an executor of it: {given.__name__}()."
        raise ExecutorError(msg, executor=repr(given))
    return given


def flow_runner(given: Any) -> FlowRunner | None:  # noqa: ANN401  # as it came
    """Return the flow runner; None for None. Raises DefinitionError if it isn't one."""
    if given is None:
        return None
    if isinstance(given, type):
        msg = f"flow_runner={given.__name__} is a class. Make a flow runner of it: {given.__name__}()."
        raise DefinitionError(msg, flow_runner=repr(given))
    if not callable(getattr(given, "to_settings", None)):
        msg = f"flow_runner={given!r} isn't a flow runner. Give one of flowbook.flow_runners, e.g. SubprocessFlowRunner()."
        raise DefinitionError(msg, flow_runner=repr(given))
    found: FlowRunner = given
    return found


def handlers(owner: str, given: Any, of: str = "Task") -> list[Callable[..., object]]:  # noqa: ANN401  # as it came
    """Return the state handlers, checked to be a list of functions."""
    if given is not None and callable(given):
        msg = f"{of} {owner!r}: state_handlers={given!r} is one function. Give a list of functions."
        raise ArgumentError(msg, owner=owner)
    try:
        found = list(given or ())
    except TypeError as error:
        msg = f"{of} {owner!r}: state_handlers={given!r} isn't a list. Give a list of functions."
        raise ArgumentError(msg, owner=owner) from error
    for handler in found:
        if not callable(handler):
            msg = f"{of} {owner!r}: state handler {handler!r} can't be called. Give a function."
            raise ArgumentError(msg, owner=owner)
    return found
