"""What a run at rest would do if a person let it go on, as a view shows it: from the store, without the flow's code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowbook.flow_run.plan_times import with_times
from flowbook.flow_run.rest_plan import planned_rest
from flowbook.flow_run.run_description import RunLabel

if TYPE_CHECKING:
    from flowbook.flow_run.rest_plan import Way
    from flowbook.notebook.ports import RunLike
    from flowbook.store.plan_reads import PlanReads

__all__ = ["rest_plan_view"]

_NOTE = (
    "Planned from what is recorded, without the flow's code. Whether the cache has an output, and whether a trigger passes, "
    "shows when the task's turn comes. In a notebook, %flow plan {flow} foresees the cache for a new run."
)


def rest_plan_view(run: RunLike, way: Way, reads: PlanReads) -> dict[str, Any]:
    """Return a plan as `RunPlan.plain` has it, with a `note` on what it can't tell.

    Args:
        run: at rest.
        way: what a person would press.
        reads: of the run's flow, for how long its tasks take.

    Raises:
        StartTaskError: if nothing waits, or nothing failed.
    """
    label = RunLabel(run.run_id, run.number or 0, run.flow_name)
    tasks = planned_rest(run.graph, label, (run.state, dict(run.states)), run.events(), way)
    plan = replace(with_times(run.graph, tasks, reads, None), number=run.number or 0)
    return {**plan.plain(), "note": _NOTE.format(flow=run.flow_name)}
