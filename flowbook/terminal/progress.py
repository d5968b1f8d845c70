"""Shows a run's progress on a terminal while a thread waits for it, and then how it ended.

A thread of its own reads the states, so tasks cost nothing more; the longer a reading takes, the rarer they are.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from flowbook import config
from flowbook._utils import threads
from flowbook.engine.state import Cached, Cancelled, Paused
from flowbook.exceptions import FlowbookError
from flowbook.report.phrases import staleness
from flowbook.store import open_store
from flowbook.terminal.census import Counting
from flowbook.terminal.last_lines import MOST_PAUSED, MOST_WARNINGS, EndView, last_lines
from flowbook.terminal.live_lines import LiveView, live_lines
from flowbook.terminal.marks import marks_for
from flowbook.terminal.run_history import earlier_decisions, maker, slowest_tasks, usual_time
from flowbook.terminal.screen import Screen
from flowbook.terminal.worker_output import WorkerOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from flowbook._utils.threads import OwnedThread
    from flowbook.engine.state import State
    from flowbook.terminal.census import Census
    from flowbook.terminal.lines import Line
    from flowbook.terminal.ports import ReportedRun
    from flowbook.terminal.waiting_lines import Earlier

__all__ = ["Progress"]

_SHOWN_AFTER_S = 1.0
_INTERVAL_S = 0.1
#: At most this part of the time is spent on reading and drawing.
_SHARE = 0.01
_END_S = 2.0
#: Said of workers once they take longer to start.
_STARTING_S = 2.0
#: How executors that start processes describe themselves.
_WITH_WORKERS = ("processes", "Dask")
_NOT_BEGUN = frozenset({"Pending", "Submitted", "Queued", "Scheduled"})
#: With more tasks than this, the slowest aren't named: finding them would take too long.
_MOST_TIMED = 5_000


class Progress:
    """Shows one run while the block lasts. One block at a time in a process, see `reporting.has_display`.

    Args:
        run: a run that begins or resumes.
        is_wanted: whether to show it from the start, and its end even if it took less than a second.
        shows_traceback: whether to show the traceback of a failure; False if it is raised or logged to the terminal.
    """

    def __init__(self, run: ReportedRun, *, is_wanted: bool, shows_traceback: bool = True) -> None:
        self._run = run
        self._is_wanted = is_wanted
        self._shows_traceback = shows_traceback
        self._counting = Counting(run.graph)
        term = os.environ.get("TERM", "")
        stream = sys.stderr
        marks = marks_for(stream.encoding, term)
        self._screen = Screen(stream, marks, has_colours="NO_COLOR" not in os.environ and term != "dumb")
        self._workers = WorkerOutput(stream)
        self._is_dumb = term == "dumb"
        self._is_shown = False
        #: The flow's state at first: if it is still that, the run was refused and didn't go on.
        self._before, _ = run.snapshot()
        self._is_over = threading.Event()
        self._began = time.monotonic()
        self._thread: OwnedThread | None = None
        self._expected_s: float | None = None

    def __enter__(self) -> Self:
        self._screen.open()
        self._workers.__enter__()
        if not self._is_dumb:
            self._thread = threads.spawn(self._work, name="progress", owner=self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(_END_S)
        self._workers.__exit__(kind, error, trace)
        self._screen.close()
        state, _ = self._run.snapshot()
        if state is not self._before and self._shows_end(state):
            self._screen.print_lines(self._last_lines())

    def _shows_end(self, state: State) -> bool:
        if state.is_failed() or isinstance(state, (Paused, Cancelled)):
            return True
        took_s = time.monotonic() - self._began
        return state.is_finished() and (self._is_wanted or self._is_shown or took_s > _SHOWN_AFTER_S)

    # While it goes on

    def _work(self) -> None:
        wait_s = _INTERVAL_S
        while not self._is_over.wait(wait_s):
            state, _ = self._run.snapshot()
            is_due = self._is_wanted or time.monotonic() - self._began >= _SHOWN_AFTER_S
            if not (is_due or self._run.is_cancelling) or state.is_finished():
                continue
            if not self._is_shown:
                self._is_shown = True
                self._expected_s = usual_time(self._run)
            began = time.thread_time()
            self._screen.draw(self._live_lines())
            wait_s = max(_INTERVAL_S, (time.thread_time() - began) / _SHARE)

    def _live_lines(self) -> list[Line]:
        run = self._run
        _, states = run.snapshot()
        now, census = time.time(), self._counting.census(states)
        view = LiveView(
            title=(run.flow_name, "" if run.number is None else f"run {run.number}"),
            graph=run.graph,
            census=census,
            started=now - (time.monotonic() - self._began),
            now=now,
            expected_s=self._expected_s,
            is_cancelling=self._run.is_cancelling,
            hide=run.hide,
            is_starting=self._is_starting(census),
            progress=run.progress(),
        )
        return live_lines(view, self._screen.marks, self._screen.width, self._screen.height)

    def _is_starting(self, census: Census) -> bool:
        """Return whether tasks have been waiting for worker processes to start: none has begun."""
        if time.monotonic() - self._began < _STARTING_S or not self._run.executor_text.startswith(_WITH_WORKERS):
            return False
        return set(census.counts) <= _NOT_BEGUN

    # At the end

    def _last_lines(self) -> list[Line]:
        run = self._run
        state, states = run.snapshot()
        census = self._counting.census(states)
        view = EndView(
            flow=run.flow_name,
            number=run.number,
            state=state,
            states=states,
            graph=run.graph,
            census=census,
            took_s=time.monotonic() - self._began,
            called=run.run_id[:8] if run.is_recorded else None,
            slowest=self._slowest(census) if state.is_successful() else (),
            makers=self._makers(states),
            earlier=self._earlier(census),
            hide=run.hide,
            shows_traceback=self._shows_traceback,
            now=time.time(),
            is_full=config.shows_full_tracebacks(),
        )
        return last_lines(view, self._screen.marks, self._screen.width)

    def _makers(self, states: Mapping[str, State]) -> dict[str, str]:
        """Return by key the runs that made the first stale outputs."""
        stale = [(key, state) for key, state in states.items() if isinstance(state, Cached) and staleness(state)]
        return {key: maker(open_store(), state.entry) for key, state in stale[:MOST_WARNINGS]}

    def _earlier(self, census: Census) -> dict[str, Sequence[Earlier]]:
        """Return by key what people decided about the first tasks that wait, in earlier runs."""
        run = self._run
        if not census.paused or not run.is_recorded:
            return {}
        try:
            store, project = open_store(), config.project()
            return {
                task.key: earlier_decisions(store, run.flow_name, project, task.key, besides=run.run_id)
                for task in census.paused[:MOST_PAUSED]
            }
        except FlowbookError:
            return {}

    def _slowest(self, census: Census) -> list[tuple[str, float]]:
        if census.total > _MOST_TIMED:
            return []
        aside = frozenset(key for key, spec in self._run.graph.specs.items() if spec.is_parameter or spec.gathers)
        return slowest_tasks(self._run.events(), aside)
