"""What `flowbook.context` shows inside a run and inside a task; values are made when they are asked for."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook._context import MISSING, ContextLayer, current_layer
from flowbook.engine.task_log import TaskLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import Logger

    from flowbook.engine.job import Job, RunFacts

__all__ = ["TaskLayer", "run_layer", "user_values"]

_DAYS = (("today", 0), ("yesterday", -1), ("tomorrow", 1))
#: What every run has of its own.
_OF_RUN = frozenset(
    {"date", "flow_name", "flow_run_id", "parameters", "scheduled_start_time"}
    | {f"{day}{form}" for day, _ in _DAYS for form in ("", "_nodash")}
)


def run_layer(  # noqa: PLR0913
    *,
    flow_name: str,
    run_id: str,
    parameters: Mapping[str, object],
    extra: Mapping[str, object],
    parent: ContextLayer | None,
    began: dt.datetime,
) -> ContextLayer:
    """Return the layer of a run: days as `date`, `today`, `yesterday`, `tomorrow` and each with _nodash.

    They are those on which the run `began`, where it did, however often and from wherever it goes on.
    """
    values: dict[str, object] = {
        "date": began,
        "flow_name": flow_name,
        "flow_run_id": run_id,
        "parameters": dict(parameters),
        "scheduled_start_time": began.astimezone(dt.UTC),
    }
    for name, days in _DAYS:
        day = began.date() + dt.timedelta(days=days)
        values[name] = day.isoformat()
        values[f"{name}_nodash"] = day.strftime("%Y%m%d")
    values.update(extra)
    return ContextLayer(values, parent)


def user_values(layer: ContextLayer | None) -> dict[str, object]:
    """Return what a user put into the layers outwards from `layer`, as far as a run that begins there sees it."""
    found: dict[str, object] = {}
    while layer is not None:
        own = layer.job.spec.context or {} if isinstance(layer, TaskLayer) else layer.values
        for name, value in own.items():
            if name not in _OF_RUN:
                found.setdefault(name, value)
        layer = layer.parent
    return found


class TaskLayer(ContextLayer):
    """The layer of one task run."""

    __slots__ = ("attempt", "job", "log", "loop_count", "loop_result", "run", "run_name")

    def __init__(
        self, run: RunFacts, job: Job, attempt: int
    ) -> None:  # the parent and values are set when it is entered
        self.run = run
        self.job = job
        self.attempt = attempt
        self.loop_count = 1
        self.loop_result: object = None
        self.run_name: str | None = None
        #: What it says, made when it first says something.
        self.log: TaskLog | None = None

    def own_log(self) -> TaskLog:
        """Return where its lines go."""
        if self.log is None:
            self.log = TaskLog(self.run, self.job.key)
        return self.log

    def find(self, name: str) -> object:
        """Return the value of `name`, or MISSING."""
        make = _NAMES.get(name)
        if make is not None:
            return make(self)
        own = self.job.spec.context
        return MISSING if own is None else own.get(name, MISSING)

    def names(self) -> tuple[str, ...]:
        """Return the names that tasks see."""
        return tuple(name for name in (*_NAMES, *(self.job.spec.context or ())) if self.find(name) is not MISSING)


def _index(layer: TaskLayer) -> object:
    return MISSING if layer.job.index is None else layer.job.index


def _logger(layer: TaskLayer) -> Logger:
    from flowbook.engine.logs import task_logger  # noqa: PLC0415  # loads logging, for tasks that ask for it

    return task_logger(layer.job.spec.name, _current_log)


def _current_log() -> TaskLog | None:
    layer = current_layer()
    while layer is not None and not isinstance(layer, TaskLayer):
        layer = layer.parent
    return None if layer is None else layer.own_log()


_NAMES: dict[str, Callable[[TaskLayer], Any]] = {
    "task_name": lambda f: f.job.spec.name,
    "task_slug": lambda f: f.job.spec.key,
    "task_run_key": lambda f: f.job.key,
    "task_run_name": lambda f: f.run_name or f.job.key,
    "task_run_count": lambda f: f.attempt,
    "map_index": _index,
    "resume": lambda f: f.job.is_start,
    "task_loop_count": lambda f: f.loop_count,
    "task_loop_result": lambda f: f.loop_result if f.loop_count > 1 else MISSING,
    "logger": _logger,
}
