"""The facts that all epochs of a run share, as one frozen value: its id, number, graph, executor and origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datetime as dt

    from flowbook.engine.graph import Graph
    from flowbook.executors.base import Executor
    from flowbook.flow_run.ports import RunnableFlow

__all__ = ["RunDescription", "RunLabel"]


class RunLabel(NamedTuple):
    """What messages call a run; as text "run 3 of 'delays'".

    Attributes:
        run_id: unique over all stores.
        number: counted per flow in the store, or per session if the run isn't recorded.
        flow_name: of its flow.
    """

    run_id: str
    number: int
    flow_name: str

    def __str__(self) -> str:
        return f"run {self.number} of {self.flow_name!r}"

    @property
    def title(self) -> str:
        """The text with a capital, to begin a sentence."""
        return f"Run {self.number} of {self.flow_name!r}"


class RunDescription(NamedTuple):
    """What stays the same in all epochs of a run.

    Attributes:
        began: when it began, in the time zone of the machine that started it; its context keeps that date when it resumes.
        executor: the executor passed to the run, else the flow's own, else the default.
        origin: where it was started, e.g. the notebook's name.
    """

    label: RunLabel
    flow: RunnableFlow
    graph: Graph
    executor: Executor
    began: dt.datetime
    origin: str = ""
