"""A run of all that lies below a task, with an earlier output of it: what `flow.run` and `flow.plan` are told for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.core.time_travel import AsOf, as_of, below_version, version_in_run, version_of_entry
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import StartTaskError, UnknownRunError

if TYPE_CHECKING:
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.store import CacheEntry

__all__ = ["below_entry", "below_run"]


def below_run(flow: RunnableFlow, key: str, run_id: str) -> dict[str, Any]:
    """Return the same, with what the task gave in a recorded run, and all else as that run left it.

    Below a child of a mapped task lies what lies below the mapped task, so that one is taken, with all its children.
    Raises as `below_version`; ResultGoneError if it gave nothing there.
    """
    key = parent_key(key)
    return below_version(flow, key, version_in_run(flow, key, run_id), as_of(flow, None, run_id))


def below_entry(flow: RunnableFlow, entry: CacheEntry) -> dict[str, Any]:
    """Return the same, with an entry of the cache; of a mapped task with all its children, as the run left them that made it.

    Raises as `below_version` and `below_run`; StartTaskError if no run is recorded that has the other children.
    """
    spec = flow.compile().specs.get(entry.task)
    if spec is not None and spec.is_mapped:
        return _below_child(flow, entry)
    version = version_of_entry(entry)
    try:
        then = as_of(flow, None, entry.run_id) if entry.run_id else AsOf(flow, version.created)
    except UnknownRunError:
        then = AsOf(flow, version.created)
    return below_version(flow, entry.task, version, then)


def _below_child(flow: RunnableFlow, entry: CacheEntry) -> dict[str, Any]:
    try:
        if entry.run_id:
            return below_run(flow, entry.task, entry.run_id)
    except UnknownRunError:
        pass
    msg = (
        f"Task {entry.task!r} is mapped, this is the output of one of its children, and the run that made it isn't recorded. "
        "Take a version of the task from flow.as_of(...)."
    )
    raise StartTaskError(msg, key=entry.task)
