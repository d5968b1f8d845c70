"""States: what is known of a task or a flow at one moment.

A state is a value. It is never changed once it was emitted; a change is a new state. The classes are hand-written with
slots because a run makes two of them for every task. Pure: no I/O. Only the clock is read, for the timestamp.
"""

from __future__ import annotations

import copy
import datetime as dt
import time
from typing import TYPE_CHECKING, Any, ClassVar, Self

from flowbook.engine.remote_error import RemoteError, travelling
from flowbook.exceptions import DefinitionError, FlowbookError
from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
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

_now = time.time
#: The most of a message that a notebook shows.
_SHOWN_CHARS = 500


class State:
    """Base of all states.

    Args:
        message: one sentence for people.
        result: the value; for failures the exception.
        context: what the state was made in, as plain values.
        cached_inputs: argument name to value, kept where the task will run again.
    """

    __slots__ = ("_result", "at", "cached_inputs", "context", "message")

    #: What the seeds' system calls the state's colour; the notebook's palette is in `flowbook.draw.palette`.
    color: ClassVar[str] = "#848a93"
    _finished: ClassVar[bool] = False
    _successful: ClassVar[bool] = False
    _failed: ClassVar[bool] = False
    _skipped: ClassVar[bool] = False
    #: Public fields beyond the common ones; they take part in equality.
    fields: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        message: str | None = None,
        result: object = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
    ) -> None:
        self.message = message
        self._result = result
        self.context = context
        self.cached_inputs = cached_inputs
        #: Seconds since the epoch, as `time.time()` gives them.
        self.at = _now()

    @property
    def result(self) -> Any:  # noqa: ANN401  # what a user's task returned
        """The value; one that is held in the store or on a worker is loaded when first read."""
        value = self._result
        if isinstance(value, ResultRef):
            value = self._result = value.load()
        return value

    @result.setter
    def result(self, value: object) -> None:
        self._result = value

    @property
    def reference(self) -> ResultRef | None:
        """Where the value is held, if it has not been loaded."""
        value = self._result
        return value if isinstance(value, ResultRef) else None

    @property
    def timestamp(self) -> dt.datetime:
        """When the state was made, aware UTC."""
        return dt.datetime.fromtimestamp(self.at, dt.UTC)

    def is_pending(self) -> bool:
        """Whether this is Pending or a kind of it."""
        return isinstance(self, Pending)

    def is_scheduled(self) -> bool:
        """Whether this is Scheduled or a kind of it (Queued included)."""
        return isinstance(self, Scheduled)

    def is_queued(self) -> bool:
        """Whether this is Queued."""
        return isinstance(self, Queued)

    def is_paused(self) -> bool:
        """Whether this is Paused."""
        return isinstance(self, Paused)

    def is_retrying(self) -> bool:
        """Whether this is Retrying."""
        return isinstance(self, Retrying)

    def is_submitted(self) -> bool:
        """Whether this is Submitted."""
        return isinstance(self, Submitted)

    def is_running(self) -> bool:
        """Whether this is Running or a kind of it."""
        return isinstance(self, Running)

    def is_finished(self) -> bool:
        """Whether this is Finished or a kind of it."""
        return self._finished

    def is_looped(self) -> bool:
        """Whether this is Looped."""
        return isinstance(self, Looped)

    def is_cached(self) -> bool:
        """Whether this is Cached."""
        return isinstance(self, Cached)

    def is_mapped(self) -> bool:
        """Whether this is Mapped."""
        return isinstance(self, Mapped)

    def is_skipped(self) -> bool:
        """Whether this is Skipped."""
        return self._skipped

    def is_successful(self) -> bool:
        """Whether this is Success or a kind of it (Skipped, Mapped and Cached count)."""
        return self._successful

    def is_cancelled(self) -> bool:
        """Whether this is Cancelled."""
        return isinstance(self, Cancelled)

    def is_failed(self) -> bool:
        """Whether this is Failed or a kind of it."""
        return self._failed

    def copy(self) -> Self:
        """Return a copy of its own for somebody who may change it; values are shared."""
        return copy.copy(self)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, State) or type(self) is not type(other):
            return NotImplemented if not isinstance(other, State) else False
        return (
            all(_same(getattr(self, name), getattr(other, name)) for name in self.fields)
            and _same(self.context, other.context)
            and _same(self.cached_inputs, other.cached_inputs)
            and _same(self._result, other._result)
        )

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.message!r}>" if self.message else f"<{type(self).__name__}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """What a notebook shows: the state's word beside its colour, the message, and for a flow how many tasks are how."""
        from html import escape  # noqa: PLC0415  # where states are looked at only

        said = (self.message or "")[:_SHOWN_CHARS]
        parts = [f"<b>{escape(type(self).__name__)}</b>", escape(said), escape(self._counted())]
        # No colour of its own for the text: it stands on light and on dark pages.
        style = f"border-left:4px solid {self.color};padding-left:8px"
        return {
            "text/html": f'<div style="{style}">{" ".join(part for part in parts if part)}</div>',
            "text/plain": repr(self),
        }

    def _counted(self) -> str:
        """Return how many tasks are in which state, where the result says so; a value is never loaded for it."""
        held = self._result
        if type(held) is not dict or not held or not all(isinstance(state, State) for state in held.values()):
            return ""
        counts: dict[str, int] = {}
        for state in held.values():
            counts[type(state).__name__] = counts.get(type(state).__name__, 0) + 1
        return f"({', '.join(f'{count} {name}' for name, count in counts.items())})"

    def __getstate__(self) -> dict[str, object]:
        values = {name: getattr(self, name) for name in _slots(type(self))}
        if isinstance(values["_result"], BaseException):
            values["_result"] = travelling(values["_result"])
        return values

    def __setstate__(self, values: dict[str, object]) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        for name in _slots(type(self)):
            setattr(twin, name, getattr(self, name))
        return twin


class Pending(State):
    """Waits for its upstream."""

    __slots__ = ()


class Scheduled(Pending):
    """Is to run at `start_time` (aware UTC; a naive one means local time; default now)."""

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
    """Waits for a person; a `start_time` of None means until somebody resumes it."""

    __slots__ = ()
    color = "#bc8300"

    def _default_start(self) -> dt.datetime | None:
        return None


class Resume(Scheduled):
    """Somebody asked to go on."""

    __slots__ = ()


class Queued(Scheduled):
    """Could start, but a limit on how many run at once holds it back; `run_count` attempts were already made."""

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
    """Was handed over; wraps the state it had, as `state`."""

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
    """Its code runs."""

    __slots__ = ()
    color = "#0072b2"


class Cancelling(Running):
    """Still runs, but was asked to stop."""

    __slots__ = ()


class Finished(State):
    """Came to an end."""

    __slots__ = ()
    _finished = True


class Looped(Finished):
    """Asked to run again with its result so far; `loop_count` rounds were made."""

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
    """Went well; `result` is the value."""

    __slots__ = ()
    color = "#008f68"
    _successful = True


class Cached(Success):
    """Went well, or did not need to run: its output is kept until `expiry`.

    `input_hashes` are content hashes by argument name, `parameters` the flow's parameters as they were (plain values, others
    as hashes), `entry` the id in the cache index, `created` when it was made, `stale_code` whether other code made it.
    """

    __slots__ = ("created", "entry", "expiry", "input_hashes", "parameters", "stale_code")
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
    ) -> None:
        super().__init__(message, result, context, cached_inputs)
        self.input_hashes = input_hashes
        self.parameters = parameters
        self.expiry = aware(expiry) if expiry is not None else None
        self.entry = entry
        self.created = aware(created) if created is not None else None
        self.stale_code = stale_code


class Mapped(Success):
    """Was split into `n_map_states` children; their states are `map_states`, the result is the list of their results."""

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
    def result(self) -> Any:  # noqa: ANN401
        """The children's results, in order; a failed child's is its exception."""
        return [state.result for state in self.map_states]

    @result.setter
    def result(self, value: object) -> None:
        self._result = value


class Skipped(Success):
    """Did not need to run; counts as success."""

    __slots__ = ()
    color = "#848a93"
    _skipped = True


class Cancelled(Finished):
    """Was stopped by a person: finished, neither successful nor failed."""

    __slots__ = ()


class Failed(Finished):
    """Went wrong; `result` is the exception."""

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
    """Ran, but what came out was refused."""

    __slots__ = ()


class Crashed(Failed):
    """Its process went away while it ran."""

    __slots__ = ()


def aware(moment: dt.datetime) -> dt.datetime:
    """Return `moment` in UTC; a naive one means local time.

    Raises:
        DefinitionError: if it is no moment, or out of reach of the clock.
    """
    try:
        return moment if moment.tzinfo is dt.UTC else moment.astimezone(dt.UTC)
    except (AttributeError, OverflowError, ValueError, OSError) as error:
        msg = f"{moment!r} is no moment. Give a datetime, e.g. datetime.now(UTC) + timedelta(minutes=5)."
        raise DefinitionError(msg, moment=repr(moment)) from error


def _slots(kind: type) -> list[str]:
    return [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]


def _same(a: object, b: object) -> bool:
    if a is b:
        return True
    if isinstance(a, State) or isinstance(b, State):
        return a == b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, ResultRef) and isinstance(b, ResultRef):
        return a == b
    from flowbook.results.content_hash import content_hash  # noqa: PLC0415  # loads dask: only where values differ

    try:
        return content_hash(a) == content_hash(b)
    except FlowbookError:
        return False  # a lock or a generator has no content: only itself is the same
