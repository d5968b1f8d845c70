"""Which flow is being written at the moment, and under which tags, for tasks that are called in its block."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Protocol

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from types import TracebackType

    from flowbook.core.flow import Flow
    from flowbook.core.task import Task

__all__ = [
    "Block",
    "current_flow",
    "current_tags",
    "enter_flow",
    "flow_or_refuse",
    "leave_flow",
    "refuse_inside_block",
    "tags",
]

_FLOWS: ContextVar[tuple[Flow, ...]] = ContextVar("flowbook_flows", default=())
_TAGS: ContextVar[frozenset[str]] = ContextVar("flowbook_tags", default=frozenset())

#: The tags of the `with tags(...)` blocks around here.
current_tags = _TAGS.get


class Block(Protocol):
    """A part of a flow's block that wants to know which tasks are written in it: `case`, a resource."""

    def add(self, task: Task) -> None:
        """Take note of a task that was added to the flow."""
        ...


class tags:  # noqa: N801  # used as `with tags(...):`
    """Context manager: tasks that are made or called in here carry these tags besides their own.

    Raises:
        DefinitionError: if a tag is not a text.
    """

    def __init__(self, *names: str) -> None:
        for name in names:
            if not isinstance(name, str):
                msg = f"tags({name!r}): a tag is a text. Write tags('db', 'slow')."
                raise DefinitionError(msg, tag=repr(name))
        self._names = frozenset(names)
        self._tokens: list[Token[frozenset[str]]] = []

    def __enter__(self) -> frozenset[str]:
        self._tokens.append(_TAGS.set(_TAGS.get() | self._names))
        return _TAGS.get()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _TAGS.reset(self._tokens.pop())


def current_flow() -> Flow | None:
    """Return the flow whose block is innermost, or None."""
    flows = _FLOWS.get()
    return flows[-1] if flows else None


def enter_flow(flow: Flow) -> Token[tuple[Flow, ...]]:
    """Make `flow` the current one, until the token is given to `leave_flow`."""
    return _FLOWS.set((*_FLOWS.get(), flow))


def leave_flow(token: Token[tuple[Flow, ...]]) -> None:
    """Go back to the flow that was current before."""
    _FLOWS.reset(token)


def refuse_inside_block(flow: Flow) -> None:
    """See that `flow` isn't run while a flow is being written. Raises DefinitionError."""
    building = current_flow()
    if building is not None:
        msg = (
            f"Flow {flow.name!r} was run inside the block of flow {building.name!r}. Run it after the block, "
            "or call it from inside a task."
        )
        raise DefinitionError(msg, flow=flow.name)


def flow_or_refuse(flow: Flow | None, task_name: str) -> Flow:
    """Return `flow`, or the current one.

    Raises:
        DefinitionError: if there is none.
    """
    found = flow if flow is not None else current_flow()
    if flow is not None and not hasattr(flow, "add_task"):
        msg = (
            f"Task {task_name!r}: flow={flow!r} is not a flow. Give a Flow, or call the task inside `with Flow(...):`."
        )
        raise DefinitionError(msg, task=task_name)
    if found is None:
        msg = (
            f"Task {task_name!r} was called outside a flow. Call it inside `with Flow(...):` or a %%flow cell, "
            f"or run its function alone with {task_name}.run(...)."
        )
        raise DefinitionError(msg, task=task_name)
    return found
