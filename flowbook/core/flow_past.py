"""The recorded past of a flow: its tasks' results and what people decided, from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flowbook.core.flow_structure import FlowStructure
from flowbook.exceptions import UnknownRunError

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

    from flowbook.core.task import Task
    from flowbook.core.time_travel import AsOf
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.run import FlowRun

__all__ = ["FlowPast"]


class FlowPast(FlowStructure):
    """What a flow's tasks returned earlier, and what people decided about them. Base of Flow."""

    last_run: FlowRun | None

    def key_of(self, task: Task | str) -> str:
        """Return the key of a task of this flow; a key (also a child's, `clean[3]`) stands for itself.

        Raises:
            UnknownTaskError: if it isn't in the flow; the message proposes close names.
        """
        return cast("RunnableFlow", self).compile().key_of(task)

    def as_of(self, moment: dt.datetime | str | None = None, *, run: int | str | None = None) -> AsOf:
        """Return the flow's outputs as they were at a time: `flow.as_of("yesterday 9:00")["clean"]` is a value.

        Args:
            moment: a datetime, or text: "2026-11-20 09:00", "2 hours ago", "yesterday 9:00"; what has no zone is local
                time.
            run: instead: when that run of this flow came to rest, `flow.as_of(run=4)`; as `flowbook.run` takes it.

        Raises:
            DefinitionError: if it isn't a time, or both or neither are given.
            UnknownRunError: if there is no such run.
        """
        from flowbook.core.time_travel import as_of  # noqa: PLC0415  # the store: longer to load than all the rest

        return as_of(cast("RunnableFlow", self), moment, run)

    def _with_base(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a run; one that takes results from another, unnamed, takes them from the newest."""
        if options.keys().isdisjoint({"start_at", "only"}) or options.get("based_on") is not None:
            return options
        return {**options, "based_on": self.last_run or self._newest_run()}

    def _newest_run(self) -> FlowRun | None:
        from flowbook.flow_run.recorded_run import load_run  # noqa: PLC0415  # the store: longer to load than all the rest
        from flowbook.flow_run.recording import Recording  # noqa: PLC0415
        from flowbook.flow_run.run_names import find_run_id  # noqa: PLC0415
        from flowbook.store import open_store  # noqa: PLC0415

        try:
            store = open_store()
            return load_run(Recording.of(store, find_run_id(store, "last", self.name)), cast("RunnableFlow", self))
        except UnknownRunError:
            return None

    def history(self, task: Task | str | None = None, run: int | str | None = None) -> pd.DataFrame:
        """Return every known successful result of a task, oldest first, from recorded runs and from the cache.

        Args:
            task: or its key, also a child's (`clean[3]`); default: every task, without parameters and collections of tasks.
            run: only that run's; as `flowbook.run` takes it.

        Returns:
            Columns `created` (aware UTC), `task`, `state`, `run_id`, `number`, `entry` (id of the cache entry),
            `size_bytes`, `value` (a short description), `parameters` (a dict, as they are shown), `code` (the first 8
            digits of the hash of the task's code then) and `duration` (how long it ran; NaT if it didn't). Values are
            not loaded: `flow.as_of(created)[task]` loads one.

        Raises:
            UnknownTaskError: if the task isn't in the flow.
            UnknownRunError: if there is no such run.
        """
        from flowbook.core.time_travel import history  # noqa: PLC0415  # as above

        return history(self.name, self._own_keys() if task is None else [self.key_of(task)], run)

    def _own_keys(self) -> list[str]:
        """Return the keys of the tasks that do what its author wrote."""
        specs = cast("RunnableFlow", self).compile().specs
        return [key for key, spec in specs.items() if not spec.is_parameter and not spec.gathers]

    def decisions(self, task: Task | str | None = None) -> pd.DataFrame:
        """Return what people decided about a task (default: about anything) in all recorded runs, oldest first.

        The columns are those of `FlowRun.decisions`, after the `run_id` and the `number` of the run.

        Raises:
            UnknownTaskError: if the task isn't in the flow.
        """
        from flowbook.core.decision_history import decisions  # noqa: PLC0415  # as above

        return decisions(self.name, None if task is None else self.key_of(task))
