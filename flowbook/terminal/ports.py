"""What the terminal needs to know of a run; `flowbook.flow_run` implements it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import TaskProgress

__all__ = ["ReportedRun"]


class ReportedRun(Protocol):
    """A run whose progress is logged or shown; called from any thread."""

    @property
    def run_id(self) -> str:
        """Its id."""
        ...

    @property
    def flow_name(self) -> str:
        """The flow's name."""
        ...

    @property
    def graph(self) -> Graph:
        """The compiled flow."""
        ...

    @property
    def number(self) -> int | None:
        """Run number, counted per flow in the store; None while the store doesn't have the run."""
        ...

    @property
    def parameters(self) -> Mapping[str, object]:
        """The flow's parameters by name."""
        ...

    @property
    def started(self) -> float | None:
        """When it began, in seconds since the epoch."""
        ...

    @property
    def executor_text(self) -> str:
        """The executor in words."""
        ...

    @property
    def is_recorded(self) -> bool:
        """Whether the store has the run, so that commands find it."""
        ...

    @property
    def can_go_on_elsewhere(self) -> bool:
        """Whether the run will be in the store if it pauses or fails, so that another process can resume it."""
        ...

    @property
    def is_cancelling(self) -> bool:
        """Whether it was cancelled while tasks still run."""
        ...

    def events(self) -> Sequence[Event]:
        """Return all events so far, ordered by number."""
        ...

    def snapshot(self) -> tuple[State, Mapping[str, State]]:
        """Return the flow's present state, and those of tasks and children by key; the mapping may change meanwhile."""
        ...

    def progress(self) -> Mapping[str, TaskProgress]:
        """Return how far tasks are that reported it, by key."""
        ...

    def hide(self, text: str) -> str:
        """Return the text with the run's secrets masked."""
        ...
