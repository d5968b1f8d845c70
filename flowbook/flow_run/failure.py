"""The error that `flow.run(raise_on_failure=True)` raises."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from flowbook import config
from flowbook._utils.variables import variable_of
from flowbook.engine.state_kinds import failed_by_itself
from flowbook.exceptions import RunFailedError
from flowbook.report.error_view import code_locations, in_own_code
from flowbook.report.secret_names import shown_urls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.state import State
    from flowbook.flow_run.run_description import RunLabel

__all__ = ["failure_of"]

_PACKAGE = str(Path(__file__).resolve().parent.parent)


def failure_of(run: RunLabel, state: State, states: Mapping[str, State], flow: object) -> RunFailedError:
    """Return the error that says which tasks failed and where, with the first exception as its cause.

    The cause's traceback has no frames of flowbook's, unless `FLOWBOOK_TRACEBACK=full`.

    Args:
        run: named in the message.
        state: the flow's state.
        states: states of tasks and children, by key.
        flow: named as the caller's variable is.
    """
    keys = tuple(key for key, each in states.items() if failed_by_itself(each))
    raised = (states[key].result for key in keys)
    cause = next((each for each in raised if isinstance(each, BaseException)), None)
    message = shown_urls(state.message or "").removesuffix(".")
    again = f"Run what failed again with {variable_of(lambda value: value is flow) or 'flow'}.last_run.retry()."
    error = RunFailedError(
        f"{run.title} failed{_where(cause)}: {message}. {again}", run=run.run_id, keys=keys, state=state
    )
    if cause is not None and not config.shows_full_tracebacks():
        cause = cause.with_traceback(_without_ours(cause.__traceback__))
    error.__cause__ = cause
    return error


def _where(cause: BaseException | None) -> str:
    """Return in words which line of the user's raised; empty if it isn't known, or in a notebook's cell."""
    mine = [] if cause is None else in_own_code(code_locations(cause))
    return f" at {mine[-1].file}:{mine[-1].line}" if mine and Path(mine[-1].file).is_file() else ""


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """Return a copy of a traceback without frames of flowbook's; the traceback itself if it has no others."""
    entries = []
    each = trace
    while each is not None:
        if not each.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            entries.append(each)
        each = each.tb_next
    found: TracebackType | None = None
    for entry in reversed(entries):
        found = TracebackType(found, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return found or trace
