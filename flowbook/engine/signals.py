"""Signals: a task raises one to choose its state.

They derive from BaseException, so that user code's `except Exception` lets them through. Only user code raises them.
"""

from __future__ import annotations

from typing import ClassVar

from flowbook.engine import state as states

__all__ = [
    "FAIL",
    "FAILED",
    "LOOP",
    "PAUSE",
    "RETRY",
    "SKIP",
    "SUCCESS",
    "TRIGGERFAIL",
    "VALIDATIONFAIL",
    "Signal",
]


class Signal(BaseException):
    """Base of all signals; `state` is what the task's state becomes.

    Args:
        message: one sentence for people.
        options: further fields of the state, e.g. `result`, `start_time`.
    """

    kind: ClassVar[type[states.State]] = states.State

    def __init__(self, message: str | None = None, **options: object) -> None:
        super().__init__(message)
        self.message = message
        self.options = options
        self.state = self.kind(message, **options)  # type: ignore[arg-type]  # each state checks its own fields

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.options)

    def __str__(self) -> str:
        return self.message or ""


def _rebuild(kind: type[Signal], message: str | None, options: dict[str, object]) -> Signal:
    return kind(message, **options)


class FAIL(Signal):
    """Failed; retried like an exception."""

    kind = states.Failed


FAILED = FAIL


class TRIGGERFAIL(FAIL):
    """TriggerFailed; never retried."""

    kind = states.TriggerFailed


class VALIDATIONFAIL(FAIL):
    """ValidationFailed."""

    kind = states.ValidationFailed


class SUCCESS(Signal):
    """Success with `result`."""

    kind = states.Success


class SKIP(Signal):
    """Skipped; tasks below are skipped too, except with `skip_on_upstream_skip=False`."""

    kind = states.Skipped


class RETRY(Signal):
    """Retrying at `start_time` (default: at once, from the third in a row after a second); ignores `max_retries`."""

    kind = states.Retrying


class PAUSE(Signal):
    """Paused until a person resumes it, or until `start_time`."""

    kind = states.Paused


class LOOP(Signal):
    """Run again, with `result` as `context.task_loop_result`. The first round has none: `context.get(..., default)`."""

    kind = states.Looped
