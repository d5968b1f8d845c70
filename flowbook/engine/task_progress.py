"""How far a task is through its work, as the task itself reports it: `flowbook.progress`, and any `tqdm` in a task.

At most ten reports a second leave a task. Only the newest of each task counts: a report has no number, isn't an event, and
replaces the one before. Source of the rate: an exponential average, as progress bars show it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from flowbook._context import current_layer
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Progress", "ProgressReporter", "ProgressSink", "TaskProgress", "current_reporter", "progress"]

T = TypeVar("T")

#: At most one report in this time, in seconds; the beginning and the end of a bar may come sooner, up to a limit.
INTERVAL_S = 0.1
#: How many reports may leave a task at once before it has to wait.
_BURST = 4
#: Longer texts are cut.
_TEXT_CHARS = 200
#: Weight of the newest speed in the average.
_SMOOTHING = 0.3


class TaskProgress(NamedTuple):
    """How far a task is.

    Attributes:
        done: units done so far.
        total: units in all; None if unknown.
        text: what the task is doing, in its author's words; may be empty.
        unit: what is counted, e.g. "it", "B", "rows".
        rate: units a second, smoothed; None before it is known.
        at: when it was reported, seconds since 1970.
    """

    done: float
    total: float | None = None
    text: str = ""
    unit: str = "it"
    rate: float | None = None
    at: float = 0.0

    @property
    def share(self) -> float | None:
        """Return how much is done, from 0 to 1; None if the total is unknown."""
        if self.total is None or self.total <= 0:
            return None
        return min(1.0, max(0.0, self.done / self.total))

    def left_s(self) -> float | None:
        """Return how many seconds are left at the present rate; None if that isn't known."""
        if self.total is None or not self.rate:
            return None
        return max(0.0, (self.total - self.done) / self.rate)


class ProgressSink(Protocol):
    """An event sink that also takes the progress of tasks."""

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Receive the newest progress of a task. Must not raise."""
        ...


class ProgressReporter:
    """Passes on the progress of one attempt, ten times a second at most. One bar of a task is its progress: the outermost.

    Args:
        send: receives each report that passes.
    """

    __slots__ = ("_at", "_done", "_full_at", "_held", "_next_at", "_rate", "_send", "bar")

    def __init__(self, send: Callable[[TaskProgress], None]) -> None:
        self._send: Callable[[TaskProgress], None] | None = send
        self._next_at = 0.0
        #: When the allowance for early reports is full again.
        self._full_at = 0.0
        self._rate: float | None = None
        self._done = 0.0
        self._at = 0.0
        #: The newest report that wasn't sent.
        self._held: TaskProgress | None = None
        #: The bar that stands for the task; others, within it, are left out.
        self.bar: object = None

    def report(  # noqa: PLR0913  # what a progress bar says
        self,
        done: float,
        total: float | None = None,
        text: str = "",
        unit: str = "it",
        rate: float | None = None,
        *,
        is_early: bool = False,
    ) -> bool:
        """Take a report; return whether it was sent, or held back as too early.

        Args:
            done: as in `TaskProgress`.
            total: as in `TaskProgress`.
            text: as in `TaskProgress`.
            unit: as in `TaskProgress`.
            rate: units a second, if the caller knows it.
            is_early: whether it may come before its time, since a bar begins or ends.
        """
        now = time.monotonic()
        full_at = max(self._full_at, now) + INTERVAL_S
        if full_at > now + (_BURST if is_early else 1) * INTERVAL_S or (now < self._next_at and not is_early):
            self._held = TaskProgress(done, total, text, unit, rate)
            return False
        self._full_at = full_at
        self._send_now(done, total, text, unit, rate, now)
        return True

    def _send_now(  # noqa: PLR0913  # as `report`
        self, done: float, total: float | None, text: str, unit: str, rate: float | None, now: float
    ) -> None:
        self._next_at = now + INTERVAL_S
        speed = rate if rate is not None else self._speed(done, now)
        self._held = None
        if self._send is not None:
            whole = None if total is None else _plain(total)
            self._send(TaskProgress(_plain(done), whole, text[:_TEXT_CHARS], unit, speed, time.time()))

    def begin(self, bar: object) -> None:
        """Let `bar` stand for the task, and measure its speed anew."""
        self.bar = bar
        self._rate, self._done, self._at = None, 0.0, 0.0

    def close(self) -> None:
        """Send what was held back, and nothing more."""
        held = self._held
        if held is not None:
            self._send_now(held.done, held.total, held.text, held.unit, held.rate, time.monotonic())
        self._send = None

    def _speed(self, done: float, now: float) -> float | None:
        before, self._done = self._done, done
        at, self._at = self._at, now
        if not at or now <= at or done <= before:
            return self._rate
        newest = (done - before) / (now - at)
        self._rate = newest if self._rate is None else _SMOOTHING * newest + (1 - _SMOOTHING) * self._rate
        return self._rate


def current_reporter() -> ProgressReporter | None:
    """Return the reporter of the task that this code belongs to; None outside of tasks."""
    layer = current_layer()
    while layer is not None:
        own = getattr(layer, "own_progress", None)
        if own is not None:
            found: ProgressReporter = own()
            return found
        layer = layer.parent
    return None


class Progress:
    """`flowbook.progress`: tells how far a task is. Outside of tasks it does nothing.

    `progress(iterable)` counts the items that the task takes from it; `progress.report(done, total, text)` says it in other
    places, e.g. from a library's callback.
    """

    __slots__ = ()

    def __call__(
        self, iterable: Iterable[T], total: float | None = None, text: str = "", unit: str = "it"
    ) -> Iterator[T]:
        """Yield the items of `iterable`, and report how many the caller is done with.

        Args:
            iterable: anything to iterate over.
            total: number of items; default: the iterable's length, if it has one.
            text: what the task is doing; shown beside the bar.
            unit: what is counted, e.g. "files".

        Raises:
            DefinitionError: if `iterable` can't be iterated over, or `total` isn't a number of items.
        """
        try:
            items = iter(iterable)
        except TypeError as error:
            hint = f" Write progress(range({iterable}))." if isinstance(iterable, int) else ""
            msg = f"progress({iterable!r}) can't iterate over {type(iterable).__name__}.{hint}"
            raise DefinitionError(msg) from error
        if total is None:
            total = _length(iterable)
        _check_numbers(0, total)
        return _counted(items, total, str(text), str(unit))

    def report(self, done: float, total: float | None = None, text: str = "", unit: str = "it") -> None:
        """Report that `done` of `total` units are done. May be called as often as you like: ten a second are passed on.

        Args:
            done: units done so far.
            total: units in all; None if unknown.
            text: what the task is doing; shown beside the bar.
            unit: what is counted, e.g. "files".

        Raises:
            DefinitionError: if `done` or `total` isn't a number.
        """
        _check_numbers(done, total)
        reporter = current_reporter()
        if reporter is not None:
            is_over = total is not None and done >= total
            reporter.report(done, total, str(text), str(unit), is_early=is_over)

    def __repr__(self) -> str:
        return "<flowbook.progress>"


progress = Progress()


def _counted(items: Iterator[T], total: float | None, text: str, unit: str) -> Iterator[T]:
    reporter = current_reporter()
    if reporter is None or reporter.bar is not None:
        yield from items
        return
    bar = object()
    reporter.begin(bar)
    done, check_at, step, at = 0, 1, 1, time.monotonic()
    reporter.report(0, total, text, unit, is_early=True)
    try:
        for item in items:
            yield item
            done += 1
            if done >= check_at:
                now = time.monotonic()
                # The clock is read about twenty times a second, however quick the items are.
                step = step * 2 if now - at < INTERVAL_S / 4 else max(1, step // 2)
                check_at, at = done + step, now
                reporter.report(done, total, text, unit)
    finally:
        if reporter.bar is bar:
            reporter.report(done, total, text, unit, is_early=True)
            reporter.bar = None


def _plain(number: float) -> float:
    """Return a number of any library's as one of Python's."""
    return number if type(number) is int else float(number)


def _length(iterable: object) -> int | None:
    try:
        return len(iterable)  # type: ignore[arg-type]  # whatever has a length
    except Exception:  # noqa: BLE001  # a user's object may raise anything
        return None


def _check_numbers(done: object, total: object) -> None:
    for name, value in (("done", done), ("total", total)):
        if value is None and name == "total":
            continue
        try:
            is_number = not isinstance(value, str) and float(value) == float(value)  # type: ignore[arg-type]  # NaN isn't one
        except Exception:  # noqa: BLE001  # a user's object may raise anything
            is_number = False
        if not is_number:
            msg = f"progress.report({name}={value!r}): {name} isn't a number. Give the number of units, such as 3."
            raise DefinitionError(msg)
