"""Runs that were recorded: listed, and taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core.run import FlowRun

if TYPE_CHECKING:
    import pandas as pd

    from flowbook.core.flow import Flow
    from flowbook.executors.base import Executor

__all__ = ["run", "runs"]

_COLUMNS = (
    "run_id",
    "flow",
    "number",
    "state",
    "message",
    "started",
    "ended",
    "tasks",
    "parameters",
    "executor",
    "origin",
)


#: Of these only the store's word and a look at the owner together tell.
_UNSURE = ("Crashed", "Pending", "Running")


def runs(flow: str | None = None, state: str | None = None, limit: int | None = None) -> pd.DataFrame:
    """Return the recorded runs, oldest first.

    Args:
        flow: name of a flow; default: all.
        state: name of a state, e.g. "Paused", or "Crashed" (its process died in the middle); default: all.
        limit: only so many, the newest; it takes no longer however many there are. Default: all.

    Returns:
        (runs, 11 columns): `run_id, flow, number, state, message, started, ended, tasks, parameters, executor, origin`; times
        are aware UTC, `tasks` counts them by state.
    """
    import pandas as pd  # noqa: PLC0415  # heavy

    from flowbook.store import open_store  # noqa: PLC0415  # the store: longer to load than all the rest
    from flowbook.store.processes import shown_state  # noqa: PLC0415

    store = open_store()
    if state in _UNSURE:
        #: Of what goes on and what broke off the store knows the same, and there is little of it.
        found = [each for each in store.runs.list(flow=flow, is_open=True) if shown_state(each) == state]
        found = found if limit is None else found[len(found) - min(limit, len(found)) :]
    else:
        found = store.runs.list(flow=flow, state=state, limit=limit)
    rows = [
        (
            each.run_id,
            each.flow,
            each.number,
            shown_state(each),
            each.message,
            each.started,
            each.ended,
            ", ".join(f"{count} {name}" for name, count in each.counts.items()),
            ", ".join(f"{name}={value}" for name, value in each.parameters.items()),
            each.executor,
            each.origin,
        )
        for each in found
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def run(run_id: str, flow: Flow | None = None, executor: Executor | None = None) -> FlowRun:
    """Return a recorded run, to look at, resume or retry it, also one that another process began.

    Args:
        run_id: as `runs()` lists it.
        flow: the flow to go on with; default: as it was kept with the run.
        executor: where to go on; default: the flow's own, else `LocalExecutor`.

    Raises:
        UnknownRunError: if there is no such run.
        ResultGoneError: if the flow was not kept and none is given.
    """
    from flowbook.core.recording import Recording  # noqa: PLC0415  # the store: longer to load than all the rest
    from flowbook.store import open_store  # noqa: PLC0415

    return FlowRun.recorded(Recording.of(open_store(), run_id), flow, executor)
