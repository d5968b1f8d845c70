"""What a run is given: one frozen value, from `flow.run(...)` to the tasks, and into the store and back."""

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
    """Something that a run was given and that isn't stored with it.

    Attributes:
        option: of `flow.run`: "parameters", "context", "task_contexts", "state_handlers" or "executor".
        name: of the parameter, of the value in the context, or of the handler.
        why: the reason, for people.
        task: the key of the task whose context it belongs to; empty: it belongs to all.
    """

    option: str
    name: str
    why: str
    task: str = ""


class RunInputs(NamedTuple):
    """What a run is given.

    Attributes:
        parameters: all of them, by name.
        context: values that its tasks see in the context, those that surrounded the call included.
        task_contexts: further values by task key.
        handlers: called when the state of the flow or of a task changes, after their own.
        executor: the one given to this run; None where the flow's own or the default serves.
        states: states given for tasks and children, by key.
        start: keys of the tasks at which the run starts; empty: at the top.
        limits: how many tasks run at once; None: as many as the executor can.
        name: what the caller calls this run; empty: nothing.
        missing: what was given at first and could not be stored.
        secrets: names of the secrets that its context had at first.
    """

    parameters: Mapping[str, object] = _NONE
    context: Mapping[str, object] = _NONE
    task_contexts: Mapping[str, Mapping[str, object]] = _NONE
    handlers: tuple[Callable[..., object], ...] = ()
    executor: Executor | None = None
    states: Mapping[str, State] = _NONE
    start: tuple[str, ...] = ()
    limits: Limits | None = None
    name: str = ""
    missing: tuple[MissingInput, ...] = ()
    secrets: tuple[str, ...] = ()
