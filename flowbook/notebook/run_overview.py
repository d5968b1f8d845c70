"""What a page's side bar is told: the runs that wait for somebody, go on, failed or are to come, and the newest.

Reads the store only, of all notebooks and processes. Plain data, as on the wire.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from flowbook.engine.state_kinds import FAILED, name_in_words
from flowbook.flow_run.begun_states import with_begun
from flowbook.report.phrases import shorten
from flowbook.store.process_identity import listed_message_of, shown_counts, shown_seconds, shown_state
from flowbook.terminal.run_lines import where_it_runs

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from flowbook.store import RunSummary, Store

__all__ = ["ExpectedEnds", "overview"]

#: The newest runs that are told in any state, and at most so many of those that wait, go on, failed or are to come.
_NEWEST, _OF_EACH = 30, 50
_TO_COME = ("Scheduled", "Submitted")
#: Those of the last day are told, as views list them apart.
_FAILED, _DAY_S = (*FAILED, "TriggerFailed"), 86_400.0
#: A list says how far these are.
_GOING = frozenset({"Running", "Cancelling", "Pending"})
#: How many earlier runs tell how long the next one takes, and for how long that is believed.
_EARLIER, _BELIEVED_S = 5, 60.0


class ExpectedEnds:
    """How long runs of each flow take, by the median of the last that succeeded; kept for a while, as lists ask often.

    Args:
        store: where the runs are recorded.
        clock: monotonic seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, float | None]] = {}

    def seconds(self, run: RunSummary) -> float | None:
        """Return how long a run of that flow takes, as far as it is known."""
        name = (run.flow, run.project)
        asked, found = self._known.get(name, (float("-inf"), None))
        if self._clock() - asked > _BELIEVED_S:
            earlier = self._store.runs.list(*name, state="Success", limit=_EARLIER)
            took = [each.took_s for each in earlier if each.took_s is not None]
            found = statistics.median(took) if took else None
            self._known[name] = (self._clock(), found)
        return found


def overview(
    store: Store, now: float | None = None, *, newest: int = _NEWEST, expected: ExpectedEnds | None = None
) -> dict[str, Any]:
    """Return OVERVIEW of the wire (docs/wire.md).

    Args:
        store: where the runs are recorded.
        now: seconds since the epoch; default: the clock's.
        newest: how many runs are told in any state.
        expected: knows how long runs take.
    """
    ends = expected or ExpectedEnds(store)
    runs = store.runs
    found: dict[str, RunSummary] = {}
    moment = store.now_s() if now is None else now
    for state in ("Paused", *_TO_COME):
        found.update((run.run_id, run) for run in runs.list(state=state, limit=_OF_EACH))
    for state in _FAILED:
        lately = (run for run in runs.list(state=state, limit=_OF_EACH) if _is_within_day(run, moment))
        found.update((run.run_id, run) for run in lately)
    found.update((run.run_id, run) for run in runs.list(limit=_OF_EACH, is_open=True))
    found.update((run.run_id, run) for run in runs.list(limit=newest))
    rows = sorted(found.values(), key=lambda run: run.created, reverse=True)
    return {"now": moment, "runs": [_row(store, run, ends) for run in rows]}


def _is_within_day(run: RunSummary, now: float) -> bool:
    return run.ended is not None and now - run.ended.timestamp() < _DAY_S


def _row(store: Store, run: RunSummary, ends: ExpectedEnds) -> dict[str, Any]:
    state = shown_state(run)
    return {
        "id": run.run_id,
        "flow": run.flow,
        "number": run.number,
        "state": state,
        "message": shorten(listed_message_of(run), 200),
        "since": _seconds(run.beat if state == "Crashed" and run.beat is not None else run.claimed),
        "started": _seconds(run.started),
        "ended": _seconds(run.ended),
        "due": _seconds(run.due),
        "took_s": shown_seconds(run),
        "takes_s": ends.seconds(run) if state == "Running" else None,
        "counts": _counts(store, run) if state in _GOING else shown_counts(run),
        "origin": run.origin,
        "where": where_it_runs(run, state, platform.node()),
    }


def _counts(store: Store, run: RunSummary) -> dict[str, int]:
    """Return the number of tasks by state of a run that goes on: those too that haven't begun, or that it was given."""
    found = Counter(run.counts)
    left = (run.flow_tasks or 0) - found.total()
    if left <= 0:
        return dict(found)
    for name, number in Counter(_given(store, run.run_id)).items():
        found[name] += min(number, left)
        left -= min(number, left)
    return {**found, "Pending": found["Pending"] + left} if left else dict(found)


def _given(store: Store, run_id: str) -> list[str]:
    """Return in which states the tasks are that a run of a part of its flow was given."""
    begun = with_begun(store, run_id, {})
    if not begun:
        return []
    tasks = store.runs.get(run_id).graph.get("tasks", ())
    return [name_in_words(begun[task["key"]]) for task in tasks if task["key"] in begun and not _is_aside(task)]


def _is_aside(task: Mapping[str, Any]) -> bool:
    return bool(task.get("parameter") or task.get("gathers"))


def _seconds(moment: dt.datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
