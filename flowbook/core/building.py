"""What is being written in this thread: which flow, under which tags, in which blocks that don't know their flow yet."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from flowbook.exceptions import ArgumentError, DefinitionError

if TYPE_CHECKING:
    from types import TracebackType

    from flowbook.core.ports import Block, WritableFlow

__all__ = [
    "current_flow",
    "current_tags",
    "enter_flow",
    "flow_or_refuse",
    "leave_flow",
    "mark_made",
    "mark_used",
    "refuse_inside_block",
    "start_waiting",
    "stop_waiting",
    "tags",
    "waiting_blocks",
]

_FLOWS: ContextVar[tuple[WritableFlow, ...]] = ContextVar("flowbook_flows", default=())
_TAGS: ContextVar[frozenset[str]] = ContextVar("flowbook_tags", default=frozenset())
_WAITING: ContextVar[tuple[Block, ...]] = ContextVar("flowbook_blocks", default=())

#: The tags of the `with tags(...)` blocks around here.
current_tags = _TAGS.get
#: The blocks entered outside a flow's block. They belong to the flow to which the next task is added.
waiting_blocks = _WAITING.get


class tags:  # noqa: N801  # used as `with tags(...):`
    """Context manager: tasks made or called in it carry these tags besides their own.

    Raises:
        DefinitionError: if a tag isn't a text.
    """

    def __init__(self, *names: str) -> None:
        for name in names:
            if not isinstance(name, str):
                msg = f"tags({name!r}): a tag is a text. Write tags('db', 'slow')."
                raise ArgumentError(msg, tag=repr(name))
        self._names = frozenset(names)
        self._tokens: list[Token[frozenset[str]]] = []

    def __enter__(self) -> frozenset[str]:
        self._tokens.append(_TAGS.set(_TAGS.get() | self._names))
        return _TAGS.get()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _TAGS.reset(self._tokens.pop())


def start_waiting(block: Block) -> Token[tuple[Block, ...]]:
    """Attach `block` to the flow to which the next task is added. End this by passing the token to `stop_waiting`."""
    return _WAITING.set((*_WAITING.get(), block))


def stop_waiting(token: Token[tuple[Block, ...]]) -> None:
    """Undo `start_waiting`."""
    _WAITING.reset(token)


def mark_made(task: object) -> None:
    """Note a task that was made in a flow's block: it is unused until it is added to a flow, or copied."""
    if flows := _FLOWS.get():
        flows[-1]._graph.unused[task] = None  # noqa: SLF001  # what is being written is a part of the flow


def mark_used(task: object) -> None:
    """Note that a task was added to a flow, or copied."""
    for flow in _FLOWS.get():
        if unused := flow._graph.unused:  # noqa: SLF001  # likewise
            unused.pop(task, None)


def current_flow() -> WritableFlow | None:
    """Return the flow whose block is innermost, or None."""
    flows = _FLOWS.get()
    return flows[-1] if flows else None


def enter_flow(flow: WritableFlow) -> Token[tuple[WritableFlow, ...]]:
    """Make `flow` the current one, until the token goes to `leave_flow`."""
    return _FLOWS.set((*_FLOWS.get(), flow))


def leave_flow(token: Token[tuple[WritableFlow, ...]]) -> None:
    """Return to the flow that was current before."""
    _FLOWS.reset(token)


def refuse_inside_block(flow: WritableFlow) -> None:
    """Refuse to run `flow` while a flow is being written. Raises DefinitionError."""
    building = current_flow()
    if building is not None:
        msg = (
            f"Flow {flow.name!r} was run inside the block of flow {building.name!r}. Run it after the block, "
            "or call it from inside a task."
        )
        raise DefinitionError(msg, flow=flow.name)


def flow_or_refuse(flow: WritableFlow | None, task_name: str) -> WritableFlow:
    """Return `flow`, or the current one.

    Raises:
        DefinitionError: if there is none.
    """
    found = flow if flow is not None else current_flow()
    if flow is not None and not hasattr(flow, "add_task"):
        msg = f"Task {task_name!r}: flow={flow!r} isn't a flow. Give a Flow, or call the task inside `with Flow(...):`."
        raise ArgumentError(msg, task=task_name)
    if found is None:
        msg = (
            f"Task {task_name!r} was called outside a flow. Call it inside `with Flow(...):` or a %%flow cell, "
            f"or run its function alone with {task_name}.run(...)."
        )
        raise DefinitionError(msg, task=task_name)
    return found
