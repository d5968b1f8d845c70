"""A run of all that lies below a task, with an earlier output of it: what `flow.run` and `flow.plan` are told for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.core.time_travel import AsOf, as_of, below_version, version_in_run, version_of_entry
from flowbook.exceptions import UnknownRunError

if TYPE_CHECKING:
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.store import CacheEntry

__all__ = ["below_entry", "below_run"]


def below_run(flow: RunnableFlow, key: str, run_id: str) -> dict[str, Any]:
    """Return the same, with what the task gave in a recorded run, and all else as that run left it.

    Raises as `below_version`; ResultGoneError if it gave nothing there.
    """
    return below_version(flow, key, version_in_run(flow, key, run_id), as_of(flow, None, run_id))


def below_entry(flow: RunnableFlow, entry: CacheEntry) -> dict[str, Any]:
    """Return the same, with an entry of the cache. Raises as `below_version`."""
    version = version_of_entry(entry)
    try:
        then = as_of(flow, None, entry.run_id) if entry.run_id else AsOf(flow, version.created)
    except UnknownRunError:
        then = AsOf(flow, version.created)
    return below_version(flow, entry.task, version, then)
