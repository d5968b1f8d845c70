"""The inputs of a run: one frozen value, passed from `flow.run(...)` to the tasks, and into the store and back."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.limits import Limits
    from flowbook.engine.state import State
    from flowbook.executors.base import Executor

__all__ = ["MissingInput", "RunInputs"]

_NONE: Mapping[str, Any] = MappingProxyType({})


class MissingInput(NamedTuple):
    """An input of a run that isn't stored with it.

    Attributes:
        option: the option of `flow.run`: "parameters", "context", "task_contexts", "state_handlers" or "executor".
        name: the name of the parameter, of the context's value, or of the handler.
        why: the reason, for people.
        task: the key of the task whose context it belongs to; "" if it belongs to all.
    """

    option: str
    name: str
    why: str
    task: str = ""


class RunInputs(NamedTuple):
    """The inputs of a run.

    Attributes:
        parameters: all parameters, by name.
        context: values that its tasks see in the context, including those of the caller's context.
        task_contexts: further values by task key.
        handlers: called when the state of the flow or of a task changes, after their own handlers.
        executor: the executor passed for this run; None if the flow's own or the default is used.
        states: the `task_states`, by key.
        start: keys of the start tasks; if empty, the whole flow runs.
        only: keys of the tasks that may run; if empty, all may. The others have a finished state in `states`.
        anew: keys of the tasks that aren't taken from the cache.
        limits: how many tasks run at once; None: as many as the executor allows.
        name: the run's name; "" if it has none.
        missing: original inputs that couldn't be stored.
        secrets: names of the secrets in its original context.
    """

    parameters: Mapping[str, object] = _NONE
    context: Mapping[str, object] = _NONE
    task_contexts: Mapping[str, Mapping[str, object]] = _NONE
    handlers: tuple[Callable[..., object], ...] = ()
    executor: Executor | None = None
    states: Mapping[str, State] = _NONE
    start: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()
    limits: Limits | None = None
    name: str = ""
    missing: tuple[MissingInput, ...] = ()
    secrets: tuple[str, ...] = ()
