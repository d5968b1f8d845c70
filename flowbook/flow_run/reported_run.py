"""A run as the terminal and Python's `logging` see it: implements `flowbook.terminal.ports.ReportedRun`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from flowbook.engine.masks import Masks
from flowbook.engine.run_inputs import RunInputs
from flowbook.flow_run.location import Here
from flowbook.terminal.reporting import displayed, has_display, log_sinks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flowbook.engine.events import Event, EventSink
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.flow_run.location import Location
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.flow_run.run_log import RunLog
    from flowbook.flow_run.stored_inputs import StoredInputs

__all__ = ["Control", "ControlledRun", "on_terminal", "reporting_sinks"]


class Control(Protocol):
    """The part of `RunControl` that reports need."""

    run: RunDescription
    inputs: RunInputs | StoredInputs
    location: Location
    log: RunLog
    #: Seconds since the epoch; None before it began.
    started: float | None
    #: Whether the run is recorded; None: decided as in `recording_default`.
    record: bool | None
    #: Whether a terminal shows its progress; set here.
    is_displayed: bool


class ControlledRun:
    """Facts about one run. From any thread.

    Args:
        control: the run's control.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._masks: Masks | None = None

    @property
    def run_id(self) -> str:
        """Its id."""
        return self._control.run.label.run_id

    @property
    def flow_name(self) -> str:
        """The flow's name."""
        return self._control.run.label.flow_name

    @property
    def graph(self) -> Graph:
        """The compiled flow."""
        return self._control.run.graph

    @property
    def number(self) -> int | None:
        """Run number, counted per flow in the store; None while the store doesn't have the run."""
        return self._control.run.label.number if self.is_recorded else None

    @property
    def parameters(self) -> Mapping[str, object]:
        """The flow's parameters by name."""
        inputs = self._control.inputs
        return inputs.parameters if isinstance(inputs, RunInputs) else {}

    @property
    def started(self) -> float | None:
        """When it began, in seconds since the epoch."""
        return self._control.started

    @property
    def executor_text(self) -> str:
        """The executor in words."""
        return self._control.run.executor.describe()

    @property
    def is_recorded(self) -> bool:
        """Whether the store has the run, so that commands find it."""
        return self._control.location.recording is not None

    @property
    def can_go_on_elsewhere(self) -> bool:
        """Whether the run will be in the store if it pauses or fails, so that another process can resume it."""
        return self.is_recorded or self._control.record is not False

    @property
    def is_cancelling(self) -> bool:
        """Whether it was cancelled while tasks still run."""
        location = self._control.location
        return isinstance(location, Here) and location.epoch.is_cancelled

    def events(self) -> list[Event]:
        """Return all events so far, ordered by number."""
        return self._control.log.in_order()

    def snapshot(self) -> tuple[State, Mapping[str, State]]:
        """Return the flow's present state, and those of tasks and children by key."""
        location = self._control.location
        return location.state, location.states

    def progress(self) -> Mapping[str, TaskProgress]:
        """Return how far tasks are that reported it, by key."""
        return self._control.log.progress()

    def hide(self, text: str) -> str:
        """Return the text with the secrets of the present or last epoch masked."""
        location = self._control.location
        if isinstance(location, Here):
            self._masks = location.epoch.masks
        elif self._masks is None:
            self._masks = Masks.around(None)  # what this process knows
        return text if self._masks is None else self._masks.text(text)


def reporting_sinks(control: Control) -> tuple[EventSink, ...]:
    """Return the sinks that log an epoch's events with Python's `logging`; a run with an origin is shown by its starter."""
    is_watched = bool(control.run.origin)
    return log_sinks(ControlledRun(control), is_displayed=control.is_displayed, is_watched=is_watched)


def on_terminal(
    control: Control, *, progress: bool | None = None, shows_traceback: bool = True
) -> contextlib.AbstractContextManager[None]:
    """Show a run's progress and its end on the terminal, if there is one, while the block runs.

    Args:
        control: the control of a run that begins or resumes in the block.
        progress: True: show it from the start; None: once the run takes a while; False: not at all.
        shows_traceback: whether to show the traceback of a failure; False if the error is raised.
    """
    if control.run.origin or not has_display(progress):
        return contextlib.nullcontext()
    return _on_terminal(control, is_wanted=bool(progress), shows_traceback=shows_traceback)


@contextlib.contextmanager
def _on_terminal(control: Control, *, is_wanted: bool, shows_traceback: bool) -> Iterator[None]:
    control.is_displayed = True
    try:
        with displayed(ControlledRun(control), is_wanted=is_wanted, shows_traceback=shows_traceback):
            yield
    finally:
        control.is_displayed = False
