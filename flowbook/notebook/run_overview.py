"""What a page's side bar is told: the runs that wait for somebody, that go on, that are to come, and the newest that ended.

Reads the store only, of all notebooks and processes. Plain data, as on the wire.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flowbook.report.phrases import shorten
from flowbook.store.process_identity import effective_state_of

if TYPE_CHECKING:
    import datetime as dt

    from flowbook.store import RunSummary, Store

__all__ = ["overview"]

#: The newest runs that are told in any state, and at most so many of those that wait, go on or are to come.
_NEWEST, _OF_EACH = 30, 50
_TO_COME = ("Scheduled", "Submitted")


def overview(store: Store, now: float | None = None) -> dict[str, Any]:
    """Return OVERVIEW of the wire (docs/wire.md).

    Args:
        store: where the runs are recorded.
        now: seconds since the epoch; default: the clock's.
    """
    runs = store.runs
    found: dict[str, RunSummary] = {}
    for state in ("Paused", *_TO_COME):
        found.update((run.run_id, run) for run in runs.list(state=state, limit=_OF_EACH))
    found.update((run.run_id, run) for run in runs.list(limit=_OF_EACH, is_open=True))
    newest = runs.list(limit=_NEWEST)
    found.update((run.run_id, run) for run in newest)
    rows = sorted(found.values(), key=lambda run: run.created, reverse=True)
    return {"now": time.time() if now is None else now, "runs": [_row(run) for run in rows]}


def _row(run: RunSummary) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "flow": run.flow,
        "number": run.number,
        "state": effective_state_of(run) or "Pending",
        "message": shorten(run.message or "", 200),
        "since": _seconds(run.claimed),
        "started": _seconds(run.started),
        "ended": _seconds(run.ended),
        "due": _seconds(run.due),
        "took_s": run.took_s,
        "counts": dict(run.counts),
        "origin": run.origin,
    }


def _seconds(moment: dt.datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
