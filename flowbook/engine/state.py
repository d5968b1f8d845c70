"""The states of tasks and flows: one class for each, as `State` describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from flowbook.engine.remote_error import RemoteError
from flowbook.engine.state_base import State, aware

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

__all__ = [
    "Cached",
    "Cancelled",
    "Cancelling",
    "Crashed",
    "Failed",
    "Finished",
    "Looped",
    "Mapped",
    "Paused",
    "Pending",
    "Queued",
    "RemoteError",
    "Resume",
    "Retrying",
    "Running",
    "Scheduled",
    "Skipped",
    "State",
    "Submitted",
    "Success",
    "TimedOut",
    "TriggerFailed",
    "ValidationFailed",
]


class Pending(State):
    """Waits for the tasks above."""

    __slots__ = ()


class Scheduled(Pending):
    """Will run at `start_time` (aware UTC; a naive one means local time; default now)."""

    __slots__ = ("start_time",)
    fields: ClassVar[tuple[str, ...]] = ("start_time",)

    def __init__(
        self,
        message: str | None = None,
        result: object = None,
        start_time: dt.datetime | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, result, context, cached_inputs)
        self.start_time: dt.datetime | None = aware(start_time) if start_time is not None else self._default_start()

    def _default_start(self) -> dt.datetime | None:
        return self.timestamp


class Paused(Scheduled):
    """Waits for a person; a `start_time` of None means until somebody answers.

    `deadline` is when it is answered by itself (aware UTC; None: never), `otherwise` is that answer ("reject", "approve" or
    "skip"), and `asks` names who is asked.
    """

    __slots__ = ("asks", "deadline", "otherwise")
    color = "#bc8300"
    fields = ("start_time", "deadline", "otherwise", "asks")

    def __init__(  # noqa: PLR0913  # the seeds' order of arguments
        self,
        message: str | None = None,
        result: object = None,
        start_time: dt.datetime | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
        *,
        deadline: dt.datetime | None = None,
        otherwise: str = "",
        asks: str = "",
    ) -> None:
        super().__init__(message, result, start_time, context, cached_inputs)
        self.deadline = aware(deadline) if deadline is not None else None
        self.otherwise = otherwise
        self.asks = asks

    def _default_start(self) -> dt.datetime | None:
        return None

    def is_overdue(self, now: float) -> bool:
        """Return whether its deadline has passed at `now`, in seconds since the epoch."""
        return self.deadline is not None and self.deadline.timestamp() <= now

    def __setstate__(self, values: dict[str, object]) -> None:
        super().__setstate__({"deadline": None, "otherwise": "", "asks": "", **values})  # older ones have none

    def __repr__(self) -> str:
        if self.deadline is None:
            return super().__repr__()
        return f"{super().__repr__()[:-1]}, {self.otherwise} at {self.deadline:%Y-%m-%d %H:%M:%S} UTC>"


class Resume(Scheduled):
    """A person answered: no trigger holds it back any more.

    `action` is the answer, "resume", "skip" or "reject"; the last two end it without running it. `by` says who gave it, and
    `note` why.
    """

    __slots__ = ("action", "by", "note")
    fields = ("start_time", "action", "by", "note")

    def __init__(  # noqa: PLR0913  # the seeds' order of arguments
        self,
        message: str | None = None,
        result: object = None,
        start_time: dt.datetime | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
        *,
        action: str = "resume",
        by: str = "",
        note: str = "",
    ) -> None:
        super().__init__(message, result, start_time, context, cached_inputs)
        self.action = action
        self.by = by
        self.note = note

    def __setstate__(self, values: dict[str, object]) -> None:
        super().__setstate__({"action": "resume", "by": "", "note": "", **values})  # older ones have none


class Queued(Scheduled):
    """Could start, but waits for a free slot; `run_count` attempts were already made."""

    __slots__ = ("run_count",)
    fields = ("start_time", "run_count")

    def __init__(  # noqa: PLR0913  # the seeds' order of arguments
        self,
        message: str | None = None,
        result: object = None,
        start_time: dt.datetime | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
        run_count: int = 0,
    ) -> None:
        super().__init__(message, result, start_time, context, cached_inputs)
        self.run_count = run_count


class Retrying(Scheduled):
    """Failed and runs again at `start_time`; `run_count` attempts were already made."""

    __slots__ = ("run_count",)
    color = "#8f2f6c"
    fields = ("start_time", "run_count")

    def __init__(  # noqa: PLR0913  # the seeds' order of arguments
        self,
        message: str | None = None,
        result: object = None,
        start_time: dt.datetime | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
        run_count: int = 1,
    ) -> None:
        super().__init__(message, result, start_time, context, cached_inputs)
        self.run_count = run_count


class Submitted(State):
    """Was handed to an executor; `state` is the state it had before."""

    __slots__ = ("state",)
    fields = ("state",)

    def __init__(
        self,
        message: str | None = None,
        result: object = None,
        state: State | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, result, context, cached_inputs)
        self.state = state


class Running(State):
    """Its code is running."""

    __slots__ = ()
    color = "#0072b2"


class Cancelling(Running):
    """Still running, in a run that was cancelled meanwhile.

    `since` is when the task started to run, in seconds since the epoch; None if that isn't known.
    """

    __slots__ = ("since",)
    fields = ("since",)

    def __init__(
        self,
        message: str | None = None,
        result: object = None,
        since: float | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, result, context, cached_inputs)
        self.since = since


class Finished(State):
    """Ended."""

    __slots__ = ()
    _finished = True


class Looped(Finished):
    """Asked to run again with its result so far, after `loop_count` rounds."""

    __slots__ = ("loop_count",)
    color = "#0072b2"
    fields = ("loop_count",)

    def __init__(
        self,
        message: str | None = None,
        result: object = None,
        loop_count: int = 1,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, result, context, cached_inputs)
        self.loop_count = loop_count


class Success(Finished):
    """Succeeded; `result` is the value."""

    __slots__ = ()
    color = "#008f68"
    _successful = True


class Cached(Success):
    """Succeeded, or did not need to run: its output is in the cache until `expiry`.

    `input_hashes` are content hashes by argument name, `parameters` the flow's parameters as they were (plain values, others
    as hashes), `entry` the id in the cache index, `created` when it was made, `stale_code` whether other code made it,
    `stale_inputs` the inputs that were others when it was made, each with what it was and is ("5, now 77"; empty if long),
    `made_here` whether this run made it.
    """

    __slots__ = ("created", "entry", "expiry", "input_hashes", "made_here", "parameters", "stale_code", "stale_inputs")
    fields = ("expiry", "input_hashes", "parameters")

    def __init__(  # noqa: PLR0913
        self,
        message: str | None = None,
        result: object = None,
        input_hashes: Mapping[str, str] | None = None,
        parameters: Mapping[str, object] | None = None,
        expiry: dt.datetime | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
        *,
        entry: str | None = None,
        created: dt.datetime | None = None,
        stale_code: bool = False,
        stale_inputs: Mapping[str, str] | None = None,
        made_here: bool = False,
    ) -> None:
        super().__init__(message, result, context, cached_inputs)
        self.input_hashes = input_hashes
        self.parameters = parameters
        self.expiry = aware(expiry) if expiry is not None else None
        self.entry = entry
        self.created = aware(created) if created is not None else None
        self.stale_code = stale_code
        self.stale_inputs: Mapping[str, str] = stale_inputs or {}
        self.made_here = made_here


class Mapped(Success):
    """Split into `n_map_states` children; their states are `map_states`, the result is the list of their results."""

    __slots__ = ("map_states", "n_map_states")
    fields = ("map_states", "n_map_states")

    def __init__(  # noqa: PLR0913
        self,
        message: str | None = None,
        result: object = None,
        map_states: Sequence[State] | None = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
        n_map_states: int | None = None,
    ) -> None:
        super().__init__(message, result, context, cached_inputs)
        self.map_states: list[State] = list(map_states) if map_states is not None else []
        self.n_map_states = n_map_states if n_map_states is not None else len(self.map_states)

    @property
    def result(self) -> Any:  # noqa: ANN401  # what a user's task returned
        """The children's results, in order; a failed child's is its exception. Without children, what was given."""
        if not self.map_states and self.raw_result is not None:
            return super().result
        return [state.result for state in self.map_states]

    @result.setter
    def result(self, value: object) -> None:
        self.raw_result = value


class Skipped(Success):
    """Did not need to run; counts as success."""

    __slots__ = ()
    color = "#848a93"
    _skipped = True


class Cancelled(Finished):
    """Stopped by a person: finished, neither successful nor failed."""

    __slots__ = ()


class Failed(Finished):
    """Failed; `result` is the exception."""

    __slots__ = ()
    color = "#b84000"
    _failed = True


class TimedOut(Failed):
    """Took longer than its timeout."""

    __slots__ = ()


class TriggerFailed(Failed):
    """Did not run because its trigger did not pass."""

    __slots__ = ()


class ValidationFailed(Failed):
    """Ran, but its output was refused."""

    __slots__ = ()


class Crashed(Failed):
    """Its process ended while it ran."""

    __slots__ = ()
