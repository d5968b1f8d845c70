"""Which flow is being written at the moment, for tasks that are called in its block."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from flowbook.core.flow import Flow

__all__ = ["current_flow", "enter_flow", "flow_or_refuse", "leave_flow"]

_FLOWS: ContextVar[tuple[Flow, ...]] = ContextVar("flowbook_flows", default=())


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


def flow_or_refuse(flow: Flow | None, task_name: str) -> Flow:
    """Return `flow`, or the current one.

    Raises:
        DefinitionError: if there is none.
    """
    found = flow if flow is not None else current_flow()
    if found is None:
        msg = (
            f"Task {task_name!r} was called outside a flow. Call it inside `with Flow(...):` or a %%flow cell, "
            f"or run its function alone with {task_name}.run(...)."
        )
        raise DefinitionError(msg, task=task_name)
    return found
