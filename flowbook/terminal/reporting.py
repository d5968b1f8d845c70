"""Decides at a run's start whether Python's `logging` and the terminal receive its events. Loads each only when needed."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, TextIO

from flowbook import config
from flowbook.engine import state as states
from flowbook.engine.events import Logged, StateChanged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowbook.engine.events import Event, EventSink
    from flowbook.terminal.ports import ReportedRun
    from flowbook.terminal.run_logger import RunLogger

__all__ = ["TroubleSink", "displayed", "has_display", "log_sinks"]

#: As in `logging`, which is not loaded for this.
_INFO, _WARNING, _ERROR = 20, 30, 40
_TASK_LOGGER = "flowbook.task_run"
#: States that need no warning.
_QUIET: frozenset[type[states.State]] = frozenset(
    {
        states.Cached,
        states.Cancelled,
        states.Cancelling,
        states.Finished,
        states.Looped,
        states.Mapped,
        states.Pending,
        states.Queued,
        states.Resume,
        states.Running,
        states.Scheduled,
        states.Skipped,
        states.Submitted,
        states.Success,
    }
)


def has_display(progress: bool | None) -> bool:  # noqa: FBT001  # the caller's word, or none
    """Return whether to show a run on the terminal: stderr is one, and FLOWBOOK_PROGRESS allows it.

    False if another run is shown already, or if a program has replaced `sys.stderr`.
    """
    stream: TextIO | None = sys.stderr
    if progress is False or stream is not sys.__stderr__:
        return False
    try:
        return stream is not None and stream.isatty() and config.shows_progress()
    except (AttributeError, ValueError, OSError):
        return False


@contextlib.contextmanager
def displayed(run: ReportedRun, *, is_wanted: bool = False, shows_traceback: bool = True) -> Iterator[None]:
    """Show a run's progress on the terminal while the block runs, and how it ended, if `has_display`.

    Args:
        run: a run that begins or resumes in the block.
        is_wanted: as for `Progress`.
        shows_traceback: likewise.
    """
    from flowbook.terminal.progress import Progress  # noqa: PLC0415  # rich: only where something is shown

    with Progress(run, is_wanted=is_wanted, shows_traceback=shows_traceback):
        yield


def log_sinks(run: ReportedRun, *, is_displayed: bool, is_watched: bool) -> tuple[EventSink, ...]:
    """Return the sinks that log a run's events with Python's `logging`; none if no handler would get the records.

    Args:
        run: a run that begins or resumes.
        is_displayed: whether the terminal shows its progress, and its failure at the end.
        is_watched: whether something else shows it, such as a notebook's panel.
    """
    level = config.logging_level()
    if level is not None:
        from flowbook.terminal.log_lines import attach_handler  # noqa: PLC0415  # where somebody asked for it

        attach_handler(level)
    logger_of = getattr(sys.modules.get("logging"), "getLogger", None)  # not there yet while another thread imports it
    logger = None if logger_of is None else logger_of(_TASK_LOGGER)
    if logger is not None and logger.hasHandlers():
        if logger.isEnabledFor(_INFO):
            from flowbook.terminal.run_logger import RunLogger  # noqa: PLC0415  # as above

            return (RunLogger(run, _INFO),)
        return (TroubleSink(run),) if logger.isEnabledFor(_ERROR) else ()
    # Where nothing is set up, Python writes warnings and errors to stderr.
    return () if is_watched else (TroubleSink(run, tells_states=not is_displayed, names_tasks=True),)


class TroubleSink:
    """Logs failures, and warnings from tasks. Implements `SelectiveSink`, so a task that succeeds costs nothing more.

    Args:
        run: the run to log.
        tells_states: whether failures, retries and pauses are logged, or only what tasks log.
        names_tasks: as for `RunLogger`.
    """

    __slots__ = ("_began", "_logger", "_names_tasks", "_run", "_tells_states", "quiet")

    def __init__(self, run: ReportedRun, *, tells_states: bool = True, names_tasks: bool = False) -> None:
        self._run = run
        self._tells_states = tells_states
        self._names_tasks = names_tasks
        self._logger: RunLogger | None = None
        self._began = time.time()
        self.quiet = _QUIET

    def emit(self, event: Event) -> None:
        """Log the event if it reports a problem."""
        if type(event) is StateChanged:
            if type(event.state) in _QUIET or not self._tells_states:
                return
        elif type(event) is not Logged or event.level < _WARNING:
            return
        if self._logger is None:
            from flowbook.terminal.run_logger import RunLogger  # noqa: PLC0415  # logging: where there is something to say

            self._logger = RunLogger(self._run, _WARNING, names_tasks=self._names_tasks, began=self._began)
        self._logger.emit(event)
