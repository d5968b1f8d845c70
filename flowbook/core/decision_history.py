"""What people decided about a task in all recorded runs of a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook import config
from flowbook.flow_run.decision_table import table_of
from flowbook.store import open_store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["decisions"]


def decisions(flow: str, key: str | None) -> pd.DataFrame:
    """Return what people decided, see `Flow.decisions`."""
    found = open_store().history.decisions_of_flow(flow, key, project=config.project())[::-1]
    table = table_of([each.decided for each in found])
    table.insert(0, "number", [each.number for each in found])
    table.insert(0, "run_id", [each.run_id for each in found])
    return table
