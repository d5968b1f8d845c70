"""When each task of a run ran and waited, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.replay import spans
from flowbook.flow_run.times import to_datetimes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from flowbook.engine.events import Event

__all__ = ["timeline"]


def timeline(events: Sequence[Event]) -> pd.DataFrame:
    """Return when each task ran and waited, see `FlowRun.timeline`."""
    import pandas as pd  # noqa: PLC0415  # heavy

    found = spans(events)
    start, end = (to_datetimes([getattr(each, name) for each in found]) for name in ("start", "end"))
    return pd.DataFrame(
        {
            "task": pd.Series([each.key for each in found], dtype=object),
            "state": pd.Series([each.state for each in found], dtype=object),
            "start": start,
            "end": end,
            "duration": end - start,
            "attempt": pd.Series([each.attempt for each in found], dtype=int),
        }
    )
