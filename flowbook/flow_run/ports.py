"""What a run needs from a flow. `flowbook.core` implements it; nothing here imports from core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from flowbook.engine.graph import Graph
    from flowbook.executors.base import Executor
    from flowbook.notices.receiver import Receiver

__all__ = ["FlowParameter", "RunnableFlow"]


class FlowParameter(Protocol):
    """One parameter of a flow."""

    name: str
    default: object
    required: bool

    def accept(self, value: object) -> object:
        """Return the value as tasks receive it. Raises ParameterError if the parameter doesn't accept it."""
        ...


class RunnableFlow(Protocol):
    """A flow that can be compiled and run."""

    name: str
    is_named: bool
    executor: Executor | None
    terminal_state_handler: Callable[..., object] | None
    notify: tuple[Receiver, ...]

    @property
    def tasks(self) -> Collection[object]:
        """All tasks, in order of definition."""
        ...

    def compile(self) -> Graph:
        """Return the frozen graph that the engine runs."""
        ...

    def parameters(self) -> Collection[FlowParameter]:
        """Return the parameters."""
        ...

    def _handlers(self) -> tuple[Callable[..., object], ...]:
        """Return the handlers to call when the flow's state changes."""
        ...

    def _own_fields(self, task: object) -> Mapping[str, object]:
        """Return the attributes that the author set on a task besides its options; two equal flows have equal ones."""
        ...
