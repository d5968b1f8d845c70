"""The error that `flow.run(raise_on_failure=True)` raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.state_kinds import failed_by_itself
from flowbook.exceptions import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.state import State
    from flowbook.flow_run.run_description import RunLabel

__all__ = ["failure_of"]


def failure_of(run: RunLabel, state: State, states: Mapping[str, State]) -> RunFailedError:
    """Return the error that says which tasks failed, with the first exception as its cause.

    Args:
        run: named in the message.
        state: the flow's state.
        states: states of tasks and children, by key.
    """
    keys = tuple(key for key, each in states.items() if failed_by_itself(each))
    raised = (states[key].result for key in keys)
    cause = next((each for each in raised if isinstance(each, BaseException)), None)
    message = (state.message or "").removesuffix(".")
    msg = f"{run.title} failed: {message}. Run what failed again with flow.last_run.retry()."
    error = RunFailedError(msg, run=run.run_id, keys=keys, state=state)
    error.__cause__ = cause
    return error
