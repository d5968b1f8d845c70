"""When each task of a run ran and waited, and what it cost, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.replay import spans
from flowbook.flow_run.times import to_datetimes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from flowbook.engine.events import Event

__all__ = ["timeline"]


def timeline(events: Sequence[Event], sizes: Mapping[str, int], *, has_died: bool = False) -> pd.DataFrame:
    """Return when each task ran and waited, see `FlowRun.timeline`.

    Args:
        events: of the run, in order.
        sizes: of stored outputs, by key.
        has_died: whether the run's process has died in the middle.
    """
    import pandas as pd  # noqa: PLC0415  # heavy

    found = spans(events, has_died=has_died)
    last = {each.key: number for number, each in enumerate(found)}
    start, end = (to_datetimes([getattr(each, name) for each in found]) for name in ("start", "end"))
    costs = [each.cost for each in found]
    output = [
        each.output.size_bytes if each.output is not None else sizes.get(each.key) if last[each.key] == number else None
        for number, each in enumerate(found)
    ]
    return pd.DataFrame(
        {
            "task": pd.Series([each.key for each in found], dtype=object),
            "state": pd.Series([each.state for each in found], dtype=object),
            "start": start,
            "end": end,
            "duration": end - start,
            "attempt": pd.Series([each.attempt for each in found], dtype=int),
            "cpu": pd.to_timedelta([None if cost is None else cost.cpu_s for cost in costs], unit="s"),
            "memory_bytes": pd.Series([None if cost is None else cost.memory_bytes for cost in costs], dtype="Int64"),
            "own_process": pd.Series([None if cost is None else cost.is_own for cost in costs], dtype="boolean"),
            "output_bytes": pd.Series(output, dtype="Int64"),
        }
    )
