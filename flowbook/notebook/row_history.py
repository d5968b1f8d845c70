"""The rows of a task's output in a flow's earlier runs, from stored previews; loads no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import FlowbookError
from flowbook.notebook.row_counts import rows_of
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["rows_before"]

_MOST_RUNS = 10
#: A run may have several results of one task; this many are read at most.
_MOST_READ = 40


def rows_before(flow: str, key: str, project: str, besides: str) -> Mapping[str, int]:
    """Return the rows of a task's output in the flow's newest runs, by the run's id; empty if there is no store.

    Args:
        flow: name of the flow.
        key: of a task that isn't mapped.
        project: of the flow.
        besides: id of a run to leave out.
    """
    found: dict[str, int] = {}
    try:
        results = open_store().history.results(flow, key, project)
        for result, _ in zip(results, range(_MOST_READ), strict=False):
            rows = rows_of(result.state) if result.run_id != besides and not result.state.is_mapped() else None
            if rows is not None:
                found[result.run_id] = rows
            if len(found) > _MOST_RUNS:
                break
    except FlowbookError:
        return {}
    return found
