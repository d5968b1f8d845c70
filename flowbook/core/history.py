"""Recorded runs: listed, and loaded to be inspected or resumed."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import TYPE_CHECKING, cast

from flowbook._utils.gc_pause import gc_paused
from flowbook.core.flow import Flow
from flowbook.engine import state as states
from flowbook.exceptions import DefinitionError
from flowbook.flow_run.times import to_datetimes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from pandas import DatetimeTZDtype

    from flowbook.executors.base import Executor
    from flowbook.flow_run.run import FlowRun
    from flowbook.store.run_table import RunTable
    from flowbook.store.runs import Runs

__all__ = ["flow_name", "run", "runs"]

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


def runs(flow: Flow | str | None = None, state: str | None = None, limit: int | None = None) -> pd.DataFrame:
    """Return the recorded runs, oldest first.

    Args:
        flow: a flow or its name; default: all.
        state: name of a state, e.g. "Paused", or "Crashed" (its process died in the middle); default: all.
        limit: at most this many, the newest; the time doesn't depend on how many others exist. Default: all.

    Returns:
        (runs, 11 columns): `run_id, flow, number, state, message, started, ended, tasks, parameters, executor, origin`; times
        are aware UTC, `tasks` counts them by state.

    Raises:
        DefinitionError: if an argument is not what it should be.
    """
    import pandas as pd  # noqa: PLC0415  # heavy

    from flowbook.store import open_store  # noqa: PLC0415  # the store: longer to load than all the rest

    name = flow_name(flow)
    if not (state is None or (isinstance(state, str) and state in states.__all__)):
        msg = f"state={state!r} isn't the name of a state. Write e.g. state='Paused'."
        raise DefinitionError(msg, state=repr(state))
    if not (limit is None or (isinstance(limit, int) and limit >= 0)):
        msg = f"limit={limit!r} isn't a count. Give a whole number, e.g. limit=20."
        raise DefinitionError(msg, limit=repr(limit))
    with gc_paused():
        found = _found(open_store().runs, name, state, limit)
        return pd.DataFrame(_columns(found) if found.run_id else [], columns=list(_COLUMNS))


def _found(runs: Runs, flow: str | None, state: str | None, limit: int | None) -> RunTable:
    from flowbook.store.process_identity import UNSETTLED  # noqa: PLC0415  # the store: longer to load than all the rest

    if state is None or state not in UNSETTLED:
        return runs.table(flow=flow, state=state, limit=limit)
    # The store has the same rows for runs that go on and runs that broke off. These are few, so we filter them here.
    found = runs.table(flow=flow, is_open=True)
    rows = [row for row, name in enumerate(found.state) if name == state]
    return found.only(rows if limit is None else rows[len(rows) - min(limit, len(rows)) :])


def _columns(table: RunTable) -> dict[str, object]:
    """Return the columns of the DataFrame."""
    from flowbook.report.secret_names import MASK, sounds_secret  # noqa: PLC0415  # as the store

    is_secret = cache(sounds_secret)

    return {
        **table._asdict(),
        "started": _times(table.started),
        "ended": _times(table.ended),
        "tasks": _as_lines(table.counts, lambda name, count: f"{count} {name}"),
        "parameters": _as_lines(table.parameters, lambda name, value: f"{name}={MASK if is_secret(name) else value}"),
    }


def _times(stamps: Sequence[float | None]) -> object:
    """Return a column of datetimes in the unit that pandas chooses for them; a column of None if no run has one."""
    return list(stamps) if all(stamp is None for stamp in stamps) else to_datetimes(stamps).astype(_type_of_times())


@cache
def _type_of_times() -> DatetimeTZDtype:
    import pandas as pd  # noqa: PLC0415  # heavy

    found = pd.Series([dt.datetime.fromtimestamp(0, dt.UTC)]).dtype
    assert isinstance(found, pd.DatetimeTZDtype)  # noqa: S101  # of an aware datetime
    return found


def _as_lines(texts: Sequence[str], item: Callable[[str, object], str]) -> list[str]:
    """Return JSON objects as one line each; equal ones are parsed once."""
    import json  # noqa: PLC0415  # as in `engine.masks`

    different = list(dict.fromkeys(texts))
    found = json.loads(f"[{','.join(different)}]")
    lines = {
        text: ", ".join([item(name, value) for name, value in each.items()])
        for text, each in zip(different, found, strict=True)
    }
    return [lines[text] for text in texts]


def run(run_id: str | int, flow: Flow | None = None, executor: Executor | None = None) -> FlowRun:
    """Return a recorded run, to inspect, resume or retry it; another process may have started it.

    Args:
        run_id: its id, the beginning of one, its number, "FLOW 4", "last", "last failed", "FLOW last" or
            "FLOW last failed"; numbers and "last" count the runs of `flow`, or else of all flows, in this project.
        flow: the flow to resume it with; default: the one that was stored with the run.
        executor: where to resume it; default: the run's own, else the flow's, else `LocalExecutor`.

    Raises:
        UnknownRunError: if there is no such run, or several.
        DefinitionError: if `flow` isn't a flow.
        ResultGoneError: if the flow wasn't stored and `flow` is None.
    """
    if not (flow is None or isinstance(flow, Flow)):
        msg = f"flow={flow!r} isn't a flow. Give the flow itself, or none to resume the one that was stored."
        raise DefinitionError(msg, flow=repr(flow))
    from flowbook.flow_run.recorded_run import load_run  # noqa: PLC0415
    from flowbook.flow_run.recording import Recording  # noqa: PLC0415  # the store: longer to load than all the rest
    from flowbook.flow_run.run_names import find_run_id  # noqa: PLC0415
    from flowbook.store import open_store  # noqa: PLC0415

    store = open_store()
    run_id = find_run_id(store, run_id, None if flow is None else flow.name)
    found = load_run(Recording.of(store, run_id), flow, executor)
    of = cast("Flow", found.flow)
    if of.last_run is None or not _is_older(found, of.last_run):
        of.last_run = found
    return found


def _is_older(run: FlowRun, other: FlowRun) -> bool:
    """Return whether a run began before another one; its own object of another time isn't another run."""
    if run.run_id == other.run_id or run.started is None or other.started is None:
        return False
    return run.started < other.started


def flow_name(flow: Flow | str | None) -> str | None:
    """Return the name of a flow, from the flow or from its name; None for None.

    Raises:
        DefinitionError: if it is neither.
    """
    if flow is None or isinstance(flow, str):
        return flow
    if isinstance(flow, Flow):
        return flow.name
    msg = f"flow={flow!r} is neither a flow nor the name of one. Write e.g. flow='delays'."
    raise DefinitionError(msg, flow=repr(flow))
