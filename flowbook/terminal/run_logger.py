"""Logs the events of a run with Python's `logging`.

Loggers `flowbook.flow_run` and `flowbook.task_run`: starts and ends at INFO, retries, pauses and cancellations at WARNING,
failures at ERROR with their traceback. Each record has the attributes `flow`, `run` (its number in the store, or None),
`run_id`, `task` (a key, or ""), `attempt`, `state` (its name, or "") and `seconds` (what it took, or None).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.secret_inputs import secret_inputs
from flowbook.engine.state import (
    Cancelled,
    Cancelling,
    Mapped,
    Paused,
    Retrying,
    Running,
    State,
    TriggerFailed,
)
from flowbook.engine.state_kinds import name_in_words
from flowbook.engine.task_keys import is_child_key, parent_key
from flowbook.report.phrases import error_text, shorten
from flowbook.report.secret_names import shown_urls, shown_value
from flowbook.terminal.durations import running_time
from flowbook.terminal.lines import printable
from flowbook.terminal.log_lines import traceback_text

if TYPE_CHECKING:
    from flowbook.engine.events import Event
    from flowbook.terminal.ports import ReportedRun

__all__ = ["FLOW_LOGGER", "TASK_LOGGER", "RunLogger"]

FLOW_LOGGER, TASK_LOGGER = "flowbook.flow_run", "flowbook.task_run"
#: Of one mapped task's children, this many failures, retries and pauses are logged one by one; the others are only counted.
_MOST_CHILDREN = 5
_PARAMETERS_CHARS = 200


class RunLogger:
    """Turns a run's events into log records. Implements `EventSink`; from any thread.

    Args:
        run: the run to log.
        level: the lowest level that is logged.
        names_tasks: whether a task's log lines begin with its key, for handlers that don't format the attribute `task`.
        began: when this epoch of the run began; None: now.
    """

    def __init__(self, run: ReportedRun, level: int, *, names_tasks: bool = False, began: float | None = None) -> None:
        self._run = run
        self._names_tasks = names_tasks
        self._level = level
        #: When this epoch of the run began; earlier ones, and the time since, aren't part of what it took.
        self._began = time.time() if began is None else began
        self._flow_logger = logging.getLogger(FLOW_LOGGER)
        self._task_logger = logging.getLogger(TASK_LOGGER)
        self._tells_all = level <= logging.INFO
        #: Start time and attempt of each running task; filled only if starts and ends are logged.
        self._begun: dict[str, float] = {}
        self._attempts: dict[str, int] = {}
        #: Failures of tasks that may be retried, by key; logged once it is clear that the task isn't retried.
        self._undecided: dict[str, State] = {}
        #: How often each task was retried.
        self._retried: dict[str, int] = {}
        #: Number of failures, retries and pauses of children, by mapped task.
        self._logged_children: dict[str, int] = {}

    def emit(self, event: Event) -> None:
        """Log one event."""
        if type(event) is StateChanged:
            state = event.state
            if self._tells_all or state._failed or isinstance(state, (Retrying, Paused)):  # noqa: SLF001  # a call fewer a task
                self._changed(event.key, state)
        elif type(event) is Logged and event.level >= self._level:
            text = event.text.rstrip("\n")
            self._record(event.level, f"{event.key}: {text}" if self._names_tasks and event.key else text, event.key)

    def _changed(self, key: str, state: State) -> None:
        if (failure := self._undecided.pop(key, None)) is not None and not isinstance(state, Retrying):
            self._task_failed(key, failure)
        if key == FLOW:
            self._flow_changed(state)
        elif isinstance(state, Running):
            self._task_began(key, state)
        elif isinstance(state, (Retrying, Paused)):
            self._retried[key] = getattr(state, "run_count", 0)
            if self._is_one_of_many(key):
                return
            self._record(logging.WARNING, f"{key} {name_in_words(state)}: {_why(state)}", key, state)
        elif isinstance(state, TriggerFailed):
            self._task_ended(key, state, f" TriggerFailed: {state.message or ''}")
        elif state.is_failed() and self._may_retry(key):
            self._undecided[key] = state
        elif state.is_failed():
            self._task_failed(key, state)
        elif state.is_finished():
            self._task_ended(key, state, _ending(state))

    # The flow

    def _flow_changed(self, state: State) -> None:
        run = self._run
        called = run.flow_name if run.number is None else f"{run.flow_name} run {run.number}"
        if isinstance(state, Running):
            if self._tells_all:
                self._record(logging.INFO, f"{called} started, {self._facts()}", FLOW, state)
            return
        if not (state.is_finished() or isinstance(state, Paused)):
            return
        for key, failure in self._undecided.items():
            self._task_failed(key, failure)
        self._undecided.clear()
        level = logging.INFO
        if state.is_failed():
            level = logging.ERROR
        elif isinstance(state, (Paused, Cancelled)):
            level = logging.WARNING
        if level < self._level:
            return
        took = "" if run.started is None else f" after {running_time(state.at - max(run.started, self._began))}"
        text = f"{called} {name_in_words(state)}{took}: {state.message or ''}".rstrip(" :.")
        self._record(level, f"{text}{self._hint(state)}", FLOW, state)

    def _facts(self) -> str:
        run = self._run
        count = sum(not (spec.is_parameter or spec.gathers) for spec in run.graph.specs.values())
        values = " ".join(f"{name}={_value(shown_value(name, value))}" for name, value in run.parameters.items())
        tasks = f"{count:,} {'task' if count == 1 else 'tasks'}"
        return ", ".join(filter(None, (tasks, run.executor_text, shorten(values, _PARAMETERS_CHARS))))

    def _hint(self, state: State) -> str:
        """Return what to do next, for users who see only warnings."""
        run = self._run
        if isinstance(state, Paused) and run.can_go_on_elsewhere:
            return f". Go on with: flowbook run resume {run.run_id[:8]}"
        if state.is_failed() and run.can_go_on_elsewhere:
            return f". Run what failed again with: flowbook run retry {run.run_id[:8]}"
        return ""

    # Tasks

    def _task_began(self, key: str, state: State) -> None:
        if isinstance(state, Cancelling):
            return  # the same attempt goes on
        self._begun[key] = state.at
        self._attempts[key] = self._attempts.get(key, 0) + 1
        if self._task_logger.isEnabledFor(self._start_level(key)):
            self._record(self._start_level(key), f"{key} started", key, state)

    def _start_level(self, key: str) -> int:
        """Return the level of a start: 100,000 children of a mapped task are summed up where their task ends."""
        return logging.DEBUG if is_child_key(key) or self._is_aside(key) else logging.INFO

    def _task_ended(self, key: str, state: State, text: str) -> None:
        level = self._start_level(key)
        if not self._tells_all or not self._task_logger.isEnabledFor(level):
            return
        if isinstance(state, Mapped) and len(state.map_states) != state.n_map_states:
            self._begun[key] = state.at
            self._record(level, f"{key} started: {state.n_map_states:,} children", key, state)
            return
        took = self._took(key, state)
        self._record(level, f"{key}{text}{'' if took is None else f' in {running_time(took)}'}", key, state, took)

    def _task_failed(self, key: str, state: State) -> None:
        if self._is_one_of_many(key):
            return
        took = self._took(key, state)
        error = state.raw_result
        why = error_text(error) if isinstance(error, BaseException) else state.message or ""
        after = "" if took is None else f" after {running_time(took)}"
        self._record(logging.ERROR, f"{key} {name_in_words(state)}{after}: {why}", key, state, took)

    def _is_one_of_many(self, key: str) -> bool:
        """Count an event of a mapped task's child; return whether too many were logged to log this one."""
        if not is_child_key(key):
            return False
        task = parent_key(key)
        self._logged_children[task] = self._logged_children.get(task, 0) + 1
        return self._logged_children[task] > _MOST_CHILDREN

    def _may_retry(self, key: str) -> bool:
        spec = self._run.graph.specs.get(parent_key(key))
        return spec is not None and spec.retry is not None and self._retried.get(key, 0) < spec.retry.max_retries

    def _took(self, key: str, state: State) -> float | None:
        begun = self._begun.pop(key, None)
        return None if begun is None else state.at - begun

    def _is_aside(self, key: str) -> bool:
        spec = self._run.graph.specs.get(key)
        return spec is not None and (spec.is_parameter or spec.gathers)

    # Records

    def _record(  # what a record has
        self, level: int, text: str, key: str, state: State | None = None, took: float | None = None
    ) -> None:
        logger = self._flow_logger if key == FLOW else self._task_logger
        if not logger.isEnabledFor(level):
            return
        error = None if state is None else state.raw_result
        raised = error if state is not None and state.is_failed() and isinstance(error, BaseException) else None
        info = None if raised is None else (type(raised), raised, raised.__traceback__)
        extra = {
            "flow": self._run.flow_name,
            "run": self._run.number,
            "run_id": self._run.run_id,
            "task": key,
            "attempt": self._attempts.get(key, 0),
            "state": "" if state is None else _verdict(state),
            "seconds": took,
        }
        if state is not None:
            text = "\n".join(map(printable, shown_urls(text).splitlines()))
        record = logger.makeRecord(logger.name, level, "flowbook", 0, text, (), info, extra=extra)
        if raised is not None:
            # Formatters write this instead of Python's own: the user's frames first.
            record.exc_text = traceback_text(raised, self._run.hide, secret_inputs(self._run.graph, key))
        logger.handle(record)


def _verdict(state: State) -> str:
    """Return the name of a state; for a mapped task, that of its worst child's state."""
    is_bad = isinstance(state, Mapped) and any(child.is_failed() for child in state.map_states)
    return "Failed" if is_bad else type(state).__name__


def _ending(state: State) -> str:
    """Return how a task ended; for a mapped task, the number of children in each state."""
    if not isinstance(state, Mapped):
        return f" {name_in_words(state)}"
    counts = Counter(map(name_in_words, state.map_states))
    return f": {', '.join(f'{count:,} {name}' for name, count in counts.items()) or 'no children'}"


def _why(state: State) -> str:
    if isinstance(state, Paused):
        return state.message or "waits for a person"
    error = state.raw_result
    why = error_text(error) if isinstance(error, BaseException) else state.message or ""
    due = getattr(state, "start_time", None)
    when = "" if due is None else f", again in {running_time(max(0.0, due.timestamp() - state.at))}"
    return f"{why.rstrip('.')}{when}"


def _value(value: object) -> str:
    kind = type(value)
    return repr(value) if kind in {str, int, float, bool, type(None)} else kind.__name__
