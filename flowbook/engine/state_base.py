"""The base of all states. A state is a frozen value: what is known of a task or a flow at one moment.

A state never changes once it was emitted; a change is a new state. The classes have hand-written slots because a run makes
two of them for every task. Pure: no I/O. Only the clock is read, for the timestamp.
"""

from __future__ import annotations

import copy
import datetime as dt
import time
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from flowbook.engine.remote_error import travelling
from flowbook.exceptions import DefinitionError, FlowbookError
from flowbook.results.reference import ResultRef, is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook._utils.costs import Cost

__all__ = ["State", "aware"]

_now = time.time
#: The most of a message that a notebook shows.
_SHOWN_CHARS = 500
#: What a slot was called in states that were pickled before.
_OLD_SLOTS = {"_result": "raw_result", "context": "_context", "cached_inputs": "_cached_inputs"}


class State:
    """Base of all states.

    Args:
        message: one sentence for people.
        result: the value; for failures the exception.
        context: the context in which the state was made, as plain values.
        cached_inputs: argument name to value, kept if the task will run again.
    """

    __slots__ = ("_cached_inputs", "_context", "_cost", "at", "message", "raw_result")

    #: The state's colour by its conventional name; the notebook's palette is in `flowbook.draw.palette`.
    color: ClassVar[str] = "#848a93"
    #: Public fields beyond the common ones; they take part in equality.
    fields: ClassVar[tuple[str, ...]] = ()
    _finished: ClassVar[bool] = False
    _successful: ClassVar[bool] = False
    _failed: ClassVar[bool] = False
    _skipped: ClassVar[bool] = False
    #: Names of this class and of those it is derived from.
    _kinds: ClassVar[frozenset[str]] = frozenset({"State"})

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        cls._kinds = frozenset(base.__name__ for base in cls.__mro__)

    def __init__(
        self,
        message: str | None = None,
        result: object = None,
        context: Mapping[str, object] | None = None,
        cached_inputs: Mapping[str, object] | None = None,
    ) -> None:
        self.message = message
        #: The value as the state holds it: itself, or the `ResultRef` that `result` would load it from.
        self.raw_result = result
        self._context = context
        self._cached_inputs = cached_inputs
        #: Seconds since the epoch, as `time.time()` gives them.
        self.at = _now()

    @property
    def result(self) -> Any:  # noqa: ANN401  # what a user's task returned
        """The value; one in the store or on a worker is loaded when first read."""
        value = self.raw_result
        if is_reference(value):
            value = self.raw_result = value.load()
        return value

    @result.setter
    def result(self, value: object) -> None:
        self.raw_result = value

    @property
    def reference(self) -> ResultRef | None:
        """The reference to the value, if it hasn't been loaded."""
        value = self.raw_result
        return value if is_reference(value) else None

    @property
    def context(self) -> Mapping[str, object]:
        """The context in which the state was made, as plain values; an empty dict if it wasn't recorded."""
        return {} if self._context is None else self._context

    @context.setter
    def context(self, values: Mapping[str, object] | None) -> None:
        self._context = values

    @property
    def cached_inputs(self) -> Mapping[str, object]:
        """Argument name to value, kept if the task will run again; otherwise an empty dict."""
        return {} if self._cached_inputs is None else self._cached_inputs

    @cached_inputs.setter
    def cached_inputs(self, inputs: Mapping[str, object] | None) -> None:
        self._cached_inputs = inputs

    @property
    def cost(self) -> Cost | None:
        """What the attempt cost that ended in this state; None where it was too short to be told, or none ended."""
        return getattr(self, "_cost", None)  # unset in nearly all states: two are made for every task

    @cost.setter
    def cost(self, cost: Cost | None) -> None:
        if cost is not None:
            self._cost = cost

    @property
    def timestamp(self) -> dt.datetime:
        """When the state was made, aware UTC."""
        return dt.datetime.fromtimestamp(self.at, dt.UTC)

    @classmethod
    def parents(cls) -> tuple[type[State], ...]:
        """Return the state classes that this one is a kind of, the nearest first."""
        return tuple(base for base in cls.__mro__[1:] if issubclass(base, State))

    @classmethod
    def children(cls) -> tuple[type[State], ...]:
        """Return the state classes that are a kind of this one, in the order in which they were defined."""
        found: dict[type[State], None] = {}
        for kind in cls.__subclasses__():
            found.update(dict.fromkeys((kind, *kind.children())))
        return tuple(found)

    def is_pending(self) -> bool:
        """Whether this is Pending or a kind of it."""
        return "Pending" in self._kinds

    def is_scheduled(self) -> bool:
        """Whether this is Scheduled or a kind of it (Queued included)."""
        return "Scheduled" in self._kinds

    def is_queued(self) -> bool:
        """Whether this is Queued."""
        return "Queued" in self._kinds

    def is_paused(self) -> bool:
        """Whether this is Paused."""
        return "Paused" in self._kinds

    def is_retrying(self) -> bool:
        """Whether this is Retrying."""
        return "Retrying" in self._kinds

    def is_submitted(self) -> bool:
        """Whether this is Submitted."""
        return "Submitted" in self._kinds

    def is_running(self) -> bool:
        """Whether this is Running or a kind of it."""
        return "Running" in self._kinds

    def is_finished(self) -> bool:
        """Whether this is Finished or a kind of it."""
        return self._finished

    def is_looped(self) -> bool:
        """Whether this is Looped."""
        return "Looped" in self._kinds

    def is_cached(self) -> bool:
        """Whether this is Cached."""
        return "Cached" in self._kinds

    def is_mapped(self) -> bool:
        """Whether this is Mapped."""
        return "Mapped" in self._kinds

    def is_skipped(self) -> bool:
        """Whether this is Skipped."""
        return self._skipped

    def is_successful(self) -> bool:
        """Whether this is Success or a kind of it (Skipped, Mapped and Cached count)."""
        return self._successful

    def is_cancelled(self) -> bool:
        """Whether this is Cancelled."""
        return "Cancelled" in self._kinds

    def is_failed(self) -> bool:
        """Whether this is Failed or a kind of it."""
        return self._failed

    def copy(self) -> Self:
        """Return a copy that the caller may change; values are shared."""
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
            and _same(self.raw_result, other.raw_result)
        )

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.message!r}>" if self.message else f"<{type(self).__name__}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return what a notebook shows: the state's name and colour, the message, and a flow's tasks counted by state."""
        from html import escape  # noqa: PLC0415  # only where a notebook shows a state

        message = (self.message or "")[:_SHOWN_CHARS]
        parts = [f"<b>{escape(type(self).__name__)}</b>", escape(message), escape(self._counted())]
        # No colour of its own for the text: it stands on light and on dark pages.
        style = f"border-left:4px solid {self.color};padding-left:8px"
        return {
            "text/html": f'<div style="{style}">{" ".join(part for part in parts if part)}</div>',
            "text/plain": repr(self),
        }

    def _counted(self) -> str:
        """Return how many tasks are in which state, where the result says so; a value is never loaded for it."""
        result = self.raw_result
        if not issubclass(type(result), dict):
            return ""
        states = list(dict.values(cast("dict[object, object]", result)))  # whatever a subclass overrides
        if not states or not all(issubclass(type(state), State) for state in states):
            return ""
        counts: dict[str, int] = {}
        for state in states:
            counts[type(state).__name__] = counts.get(type(state).__name__, 0) + 1
        return f"({', '.join(f'{count} {name}' for name, count in counts.items())})"

    def __getstate__(self) -> dict[str, object]:
        values = {name: getattr(self, name) for name in _slots(type(self)) if hasattr(self, name)}
        if issubclass(type(values["raw_result"]), BaseException):
            values["raw_result"] = travelling(values["raw_result"])
        return values

    def __setstate__(self, values: dict[str, object]) -> None:
        for name, value in values.items():
            setattr(self, _OLD_SLOTS.get(name, name), value)

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        for name in _slots(type(self)):
            if hasattr(self, name):
                setattr(twin, name, getattr(self, name))
        return twin


def aware(moment: dt.datetime) -> dt.datetime:
    """Return `moment` in UTC; a naive one means local time.

    Raises:
        DefinitionError: if it isn't a datetime, or is out of reach of the clock.
    """
    try:
        return moment if moment.tzinfo is dt.UTC else moment.astimezone(dt.UTC)
    except (AttributeError, OverflowError, ValueError, OSError) as error:
        msg = f"{moment!r} isn't a datetime that the clock can reach. Give one, e.g. datetime.now(UTC) + timedelta(minutes=5)."
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
