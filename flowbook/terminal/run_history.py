"""How long a run and its tasks take: measured from its events, expected from earlier runs in the store."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.engine.replay import spans
from flowbook.exceptions import FlowbookError
from flowbook.report.phrases import changed_inputs
from flowbook.store import open_store
from flowbook.terminal.waiting_lines import Earlier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.engine.events import Event
    from flowbook.store import Store
    from flowbook.terminal.ports import ReportedRun

__all__ = ["earlier_decisions", "maker", "slowest_tasks", "usual_time"]

_RUNS = 5
_TASKS = 3
#: How many earlier decisions about a task are shown.
_EARLIER = 3
#: States in which a task doesn't run.
_WAITS = frozenset({"Paused", "Resume", "Retrying"})
#: Tasks that took less aren't named.
_SLOW_S = 0.1


def usual_time(run: ReportedRun) -> float | None:
    """Return the median duration, in seconds, of the flow's last runs that succeeded without a break; None if there are none."""
    if not run.is_recorded:
        return None
    try:
        found = open_store().runs.list(flow=run.flow_name, project=config.project(), state="Success", limit=_RUNS)
    except FlowbookError:
        return None
    took = [each.took_s for each in found if each.took_s is not None and each.epoch == 1]
    return statistics.median(took) if took else None


def maker(store: Store, entry: str | None) -> str:
    """Return which run made a cached output, "run 3"; "" if the store no longer knows."""
    if entry is None:
        return ""
    try:
        run_id = store.cache.get(entry).run_id
        return "" if run_id is None else f"run {store.runs.summary(run_id).number}"
    except FlowbookError:
        return ""


def earlier_decisions(store: Store, flow: str, project: str, key: str, *, besides: str) -> tuple[Earlier, ...]:
    """Return the last decisions about task `key` in other runs of a flow than `besides`, the newest first."""
    found = store.history.decisions_of_flow(flow, key, project=project, besides=besides, limit=_EARLIER)
    decisions = ((each.number, each.decided) for each in found)
    return tuple(
        Earlier(number, each.at, each.action, each.by, each.note, changed_inputs(each.changes))
        for number, each in decisions
    )


def slowest_tasks(events: Iterable[Event], parameters: frozenset[str] = frozenset()) -> list[tuple[str, float]]:
    """Return the tasks and children that took longest, with seconds, the longest first.

    Args:
        events: the run's events, ordered by number.
        parameters: keys to leave out.
    """
    took: dict[str, float] = {}
    for each in spans(events):
        if each.end is not None and each.state not in _WAITS and each.key not in parameters:
            took[each.key] = took.get(each.key, 0.0) + each.end - each.start
    slow = [(key, seconds) for key, seconds in took.items() if seconds >= _SLOW_S]
    return sorted(slow, key=lambda each: each[1], reverse=True)[:_TASKS]
