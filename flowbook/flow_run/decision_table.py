"""People's decisions as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.events import Decided
from flowbook.engine.task_keys import parent_key
from flowbook.flow_run.times import to_datetimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from flowbook.engine.events import Event

__all__ = ["decision_table"]

_COLUMNS = ("task", "action", "by", "note")


def decision_table(events: Iterable[Event], key: str | None = None) -> pd.DataFrame:
    """Return the decisions among events, see `FlowRun.decisions`.

    Args:
        events: in order.
        key: only those about this task or child; of a mapped task also those about its children.
    """
    found = [
        each
        for each in events
        if isinstance(each, Decided) and (key is None or key in (each.key, parent_key(each.key)))
    ]
    return table_of(found)


def table_of(decisions: Sequence[Decided]) -> pd.DataFrame:
    """Return decisions as a table, one row each."""
    import pandas as pd  # noqa: PLC0415  # heavy

    columns: dict[str, list[object]] = {
        "task": [each.key for each in decisions],
        "action": [each.action for each in decisions],
        "by": [each.by for each in decisions],
        "note": [each.note for each in decisions],
        "changed": [{name: (before, after) for name, before, after, _ in each.changes} for each in decisions],
        "looked_at": [dict(each.looked_at) for each in decisions],
    }
    at = to_datetimes([each.at for each in decisions])
    return pd.DataFrame({"at": at, **{name: pd.Series(values, dtype=object) for name, values in columns.items()}})
