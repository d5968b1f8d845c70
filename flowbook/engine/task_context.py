"""The values of `flowbook.context` in a run and in a task; each is made when somebody reads it."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Any

from flowbook._context import MISSING, ContextLayer, current_layer
from flowbook.engine.task_keys import child_key
from flowbook.engine.task_log import TaskLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import Logger

    from flowbook._utils.costs import Cost
    from flowbook.engine.job import Job, RunPort
    from flowbook.engine.task_progress import ProgressReporter

__all__ = ["RunLayer", "TaskLayer", "run_layer", "user_values"]

_DAYS = (("today", 0), ("yesterday", -1), ("tomorrow", 1))
#: Names that each run sets itself: those of a surrounding run don't apply.
_OF_RUN = frozenset({"flow_name", "flow_run_id", "parameters"})
#: Names that are there in each run.
_NAMES_OF_RUN = (
    _OF_RUN | {"date", "scheduled_start_time"} | {f"{day}{how}" for day, _ in _DAYS for how in ("", "_nodash")}
)


class RunLayer(ContextLayer):
    """The layer of one run: its own values, made when one of them is read, and the caller's in `extra`."""

    __slots__ = ("_made", "_make", "extra")

    def __init__(
        self, make: Callable[[], dict[str, object]], extra: Mapping[str, object], parent: ContextLayer | None
    ) -> None:
        self._make = make
        self._made: dict[str, object] | None = None
        self.extra = extra
        self.parent = parent

    @property
    def values(self) -> Mapping[str, object]:  # type: ignore[override]  # read only here
        """All values by name; the caller's win."""
        made = self._made
        if made is None:
            made = self._made = {**self._make(), **self.extra}
        return made

    def find(self, name: str) -> object:
        """Return the value of `name`, or MISSING."""
        return self.values[name] if name in _NAMES_OF_RUN or name in self.extra else MISSING


def run_layer(  # noqa: PLR0913
    *,
    flow_name: str,
    run_id: str,
    parameters: Mapping[str, object],
    extra: Mapping[str, object],
    parent: ContextLayer | None,
    began: dt.datetime,
) -> RunLayer:
    """Return the layer of a run: days as `date`, `today`, `yesterday`, `tomorrow` and each with _nodash.

    `today` is the context's `date` if there is one, else the day on which the run `began`, in the time zone where it began.
    So days stay the same when the run is resumed later or elsewhere.
    """

    def make() -> dict[str, object]:
        date = _day(extra["date"]) if "date" in extra else None
        return {
            "date": began,
            "flow_name": flow_name,
            "flow_run_id": run_id,
            "parameters": dict(parameters),
            "scheduled_start_time": began.astimezone(dt.UTC),
            **_days_around(date or began.date()),
        }

    return RunLayer(make, extra, parent)


@functools.lru_cache(maxsize=4)
def _days_around(today: dt.date) -> dict[str, str]:
    """Return the texts of the days around one by name; runs of one day share them."""
    texts = {}
    for name, days in _DAYS:
        day = today + dt.timedelta(days=days)
        texts[name] = day.isoformat()
        texts[f"{name}_nodash"] = day.strftime("%Y%m%d")
    return texts


def _day(date: object) -> dt.date | None:
    """Return the day of a `date` that a user put into the context: a date, a datetime, or either as ISO 8601 text."""
    if isinstance(date, str):
        try:
            return dt.datetime.fromisoformat(date).date()
        except ValueError:
            return None
    return date.date() if isinstance(date, dt.datetime) else date if isinstance(date, dt.date) else None


def user_values(layer: ContextLayer | None) -> dict[str, object]:
    """Return the values that users put into `layer` and the layers around it, as a run that begins there sees them."""
    found: dict[str, object] = {}
    while layer is not None:
        for name, value in _own_values(layer).items():
            if name not in _OF_RUN:
                found.setdefault(name, value)
        layer = layer.parent
    return found


def _own_values(layer: ContextLayer) -> Mapping[str, object]:
    if isinstance(layer, TaskLayer):
        return layer.job.spec.context or {}
    return layer.extra if isinstance(layer, RunLayer) else layer.values


class TaskLayer(ContextLayer):
    """The layer of one task run."""

    __slots__ = ("attempt", "job", "log", "run", "run_name", "timed_cost")

    def __init__(
        self, run: RunPort, job: Job, attempt: int
    ) -> None:  # the parent and values are set when it is entered
        self.run = run
        self.job = job
        self.attempt = attempt
        self.run_name: str | None = None
        #: Takes its log lines; made for the first one.
        self.log: TaskLog | None = None
        #: What a call under a time limit cost, once it has ended.
        self.timed_cost: Cost | None

    def own_log(self) -> TaskLog:
        """Return the log of this attempt."""
        if self.log is None:
            self.log = TaskLog(self.run, self.job.key)
        return self.log

    def own_progress(self) -> ProgressReporter:
        """Return what reports the progress of this attempt."""
        return self.own_log().reporter

    def find(self, name: str) -> object:
        """Return the value of `name`, or MISSING."""
        make = _NAMES.get(name)
        if make is not None:
            return make(self)
        own = self.job.spec.context
        return MISSING if own is None else own.get(name, MISSING)

    def names(self) -> tuple[str, ...]:
        """Return the names that have a value here."""
        return tuple(name for name in (*_NAMES, *(self.job.spec.context or ())) if self.find(name) is not MISSING)


def _full_name(layer: TaskLayer) -> str:
    name, index = layer.job.spec.name, layer.job.index
    return name if index is None else child_key(name, index)


def _logger(layer: TaskLayer) -> Logger:
    from flowbook.engine.logs import task_logger  # noqa: PLC0415  # loads logging, only for tasks that log

    return task_logger(layer.job.spec.name, layer.own_log(), _current_log)


def _current_log() -> TaskLog | None:
    layer = current_layer()
    while layer is not None and not isinstance(layer, TaskLayer):
        layer = layer.parent
    return None if layer is None else layer.own_log()


_NAMES: dict[str, Callable[[TaskLayer], Any]] = {
    "task_full_name": _full_name,
    "task_name": lambda f: f.job.spec.name,
    "task_slug": lambda f: f.job.spec.key,
    "task_run_key": lambda f: f.job.key,
    "task_run_name": lambda f: f.run_name or f.job.key,
    "task_run_count": lambda f: f.attempt,
    "map_index": lambda f: f.job.index,
    "resume": lambda f: f.job.is_resumed,
    "task_loop_count": lambda f: f.job.loop_count,
    "task_loop_result": lambda f: f.job.loop_result if f.job.loop_count > 1 else MISSING,
    "logger": _logger,
}
