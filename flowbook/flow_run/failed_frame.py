"""The frame in which a task failed, with the values of its names, for a debugger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowbook.engine.answer import was_rejected
from flowbook.engine.mapped_states import children_of
from flowbook.engine.state_kinds import failed_by_itself
from flowbook.exceptions import RunError
from flowbook.report.error_view import is_mine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from flowbook.engine.state import State

__all__ = ["error_of", "failed_traceback"]


class _Run(Protocol):
    @property
    def run_id(self) -> str: ...
    @property
    def flow_name(self) -> str: ...
    @property
    def states(self) -> Mapping[str, State]: ...


def error_of(run: _Run, key: str) -> BaseException:
    """Return the exception with which a task failed, or the first child of a mapped task that did.

    Raises:
        RunError: if it did not fail, or its frames are gone.
    """
    states = run.states
    found = [each for each in (*children_of(key, states), key) if failed_by_itself(states[each])]
    failed = next((each for each in found if not was_rejected(states[each])), None)
    if failed is None and found:
        msg = f"{found[0]} was rejected: nothing of it ran, so there is no frame to look into."
        raise RunError(msg, run=run.run_id)
    if failed is None:
        msg = f"{key} did not fail: it is {type(states[key]).__name__}. Name a task that did."
        raise RunError(msg, run=run.run_id)
    error = states[failed].raw_result
    if not isinstance(error, BaseException) or error.__traceback__ is None or not _has_users_line(error):
        msg = (
            f"The frames in which {failed} failed are gone: it ran in another process, or before this one began. "
            f"Run it here again: {run.flow_name}.run(only={failed!r})."
        )
        raise RunError(msg, run=run.run_id)
    return error


def failed_traceback(error: BaseException) -> TracebackType:
    """Return the traceback from the first of the user's own frames on: flowbook's, above, don't help."""
    whole = error.__traceback__
    assert whole is not None  # noqa: S101  # as `error_of` has seen
    trace: TracebackType | None = whole
    while trace is not None and not is_mine(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace or whole


def _has_users_line(error: BaseException) -> bool:
    return is_mine(failed_traceback(error).tb_frame.f_code.co_filename)
