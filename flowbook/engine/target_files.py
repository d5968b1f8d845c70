"""Outputs as files of the user's choosing: looked up before a task runs, written after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine import steps, templates
from flowbook.engine.state import Cached, State, Success

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook._context import ContextLayer
    from flowbook.engine.graph import FilePolicy

__all__ = ["found_state", "written_state"]


def found_state(policy: FilePolicy, inputs: Mapping[str, object], layer: ContextLayer) -> State | None:
    """Return Cached with the value in the target file if that exists, None if it does not; Failed if it can't be read."""
    if policy.target is None:
        return None
    try:
        location = templates.fill(policy.target, inputs, layer)
        if not policy.result.exists(location):
            return None
        return Cached(f"Read from {location}.", policy.result.read(location))
    except BaseException as error:  # noqa: BLE001  # a template and what is unpickled are user code
        return steps.state_of_error(error)


def written_state(policy: FilePolicy, inputs: Mapping[str, object], layer: ContextLayer, state: Success) -> State:
    """Write a value to its file; return the state that says so, or Failed if that is not possible."""
    if not policy.is_written:
        return state
    try:
        location = templates.fill(policy.target if policy.target is not None else policy.result.location, inputs, layer)
        policy.result.write(location, state.result)
    except BaseException as error:  # noqa: BLE001  # a template and what is pickled are user code
        return steps.state_of_error(error)
    return Success(f"Written to {location}.", state.result)
