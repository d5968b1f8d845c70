"""Keeps what one event holds (a result, inputs, an exception): the rows to write, and what to say of what can't be kept.

Never raises for a value: why it can't be kept is what is kept of it.
"""

from __future__ import annotations

import traceback
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.worker_values import WorkerRef
from flowbook.exceptions import FlowbookError
from flowbook.results.blobs import TooLargeError
from flowbook.results.preview import format_size
from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
    from flowbook.store.values import PreparedValue, Values

__all__ = ["CHEAP_BYTES", "ObjectMemo", "RecordedTracebackError", "ValueCollector", "message_of", "raised"]

#: Objects that can't be watched weakly are remembered up to this many and this size, so that a memo holds no memory.
_MEMO_LENGTH = 8
_MEMO_BYTES = 1_000_000
#: Below this, writing a value again is cheaper than remembering it.
CHEAP_BYTES = 1000


class ValueCollector:
    """Collects the rows of the values of one event."""

    def __init__(self, values: Values, memo: ObjectMemo, limit_bytes: int) -> None:
        self._values = values
        self._memo = memo
        self._limit_bytes = limit_bytes
        self.rows: list[tuple[object, ...]] = []
        self.held: list[str] = []

    def output(self, value: object, *, is_limited: bool = True) -> ResultRef | str:
        """Keep a task's result; not from memory, since the task may have changed the object that it was given."""
        return self._keep(value, self._limit_bytes if is_limited else None)

    def input(self, value: object) -> ResultRef | str:
        """Keep an input, whatever its size; one that was kept as the output it is need not be written again."""
        found = self._memo.find(value) or self._keep(value, None)
        if isinstance(found, ResultRef):
            self.held.append(found.digest)
        return found

    def error(self, error: BaseException) -> dict[str, Any]:
        """Keep an exception: in words, and itself where it pickles."""
        described: dict[str, Any] = {
            "type": type(error).__name__,
            "message": message_of(error),
            "traceback": "".join(traceback.format_exception(error)),
        }
        found = self._keep(Raised(error, described["traceback"]), self._limit_bytes)
        if isinstance(found, ResultRef):
            self.held.append(found.digest)
            described["ref"] = [found.digest, found.size_bytes]
        return described

    def _keep(self, value: object, limit_bytes: int | None) -> ResultRef | str:
        if isinstance(value, WorkerRef):
            if limit_bytes is not None and value.size_bytes > limit_bytes:
                return (
                    f"it has {format_size(value.size_bytes)}, more than the limit of {format_size(limit_bytes)} a value"
                )
            try:
                value = value.load()
            except BaseException as exc:  # noqa: BLE001  # unpickling runs user code
                return f"it could not be had from its worker: {message_of(exc)}"
        if isinstance(value, ResultRef):
            return value if value.store is self._values or self._values.holds(value) else _elsewhere(value)
        try:
            prepared: PreparedValue = self._values.prepare(value, limit_bytes=limit_bytes)
        except TooLargeError as exc:
            return f"the {type(value).__name__} is larger than the limit of {format_size(exc.limit_bytes)} a value"
        except (FlowbookError, OSError, MemoryError) as exc:
            return str(exc) or type(exc).__name__
        self.rows.append(prepared.row)
        self._memo.note(value, prepared.ref)
        return prepared.ref


class ObjectMemo:
    """Which object was kept as what, while the object lives."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[weakref.ref[object], ResultRef]] = {}
        self._recent: OrderedDict[int, tuple[object, ResultRef]] = OrderedDict()
        self._lock = RankedLock(Rank.STORED_OBJECTS)

    def find(self, value: object) -> ResultRef | None:
        """Return what the object was kept as."""
        watched = self._watched.get(id(value))
        if watched is not None and watched[0]() is value:
            return watched[1]
        recent = self._recent.get(id(value))
        return recent[1] if recent is not None and recent[0] is value else None

    def note(self, value: object, ref: ResultRef) -> None:
        """Remember what the object was kept as."""
        identity = id(value)
        if type(value).__weakrefoffset__:
            watched = self._watched
            self._watched[identity] = (weakref.ref(value, lambda _: watched.pop(identity, None)), ref)
        elif ref.size_bytes > CHEAP_BYTES and ref.size_bytes <= _MEMO_BYTES:
            with self._lock:
                self._recent[identity] = (value, ref)
                while len(self._recent) > _MEMO_LENGTH:
                    self._recent.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._watched.clear()
            self._recent.clear()


class Raised:
    """Pickles an exception so that it comes back with its traceback in words as its cause."""

    def __init__(self, error: BaseException, formatted: str) -> None:
        self._error = error
        self._formatted = formatted

    def __reduce__(self) -> tuple[object, ...]:
        return raised, (self._error, self._formatted)


class RecordedTracebackError(Exception):
    """The traceback of an exception as it was when it was recorded."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def raised(error: BaseException, formatted: str) -> BaseException:
    """Return the exception as it was recorded: what its pickle calls."""
    if error.__cause__ is None:
        error.__cause__ = RecordedTracebackError(formatted)
    return error


def _elsewhere(ref: ResultRef) -> str:
    return f"value {ref.digest[:12]} is held elsewhere, out of this store's reach"


def message_of(error: BaseException) -> str:
    """Return an exception's message."""
    try:
        return str(error)
    except BaseException as exc:  # noqa: BLE001  # a user's __str__ may raise, or exit
        return f"(its message can't be shown: {type(exc).__name__})"
