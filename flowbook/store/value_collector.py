"""Stores the values of one event (a result, inputs, an exception): the rows to write, and why a value can't be stored.

Never raises for a value: it returns the reason instead.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.remote_error import RemoteError, error_line, safe_str
from flowbook.engine.worker_values import WorkerRef
from flowbook.exceptions import FlowbookError
from flowbook.results.blobs import TooLargeError
from flowbook.results.preview import format_size
from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
    from flowbook.store.values import Values

__all__ = ["CHEAP_BYTES", "ObjectMemo", "RecordedTracebackError", "ValueCollector", "raised"]

#: The most objects without weak references, and the largest of them, that are remembered: a memo must not hold memory.
_MEMO_LENGTH = 8
_MEMO_BYTES = 1_000_000
#: A smaller value is cheaper to write again than to remember.
CHEAP_BYTES = 1000


class ValueCollector:
    """Collects the rows of the values of one event.

    Attributes:
        rows: of the values, for the caller's transaction.
        needed: digests of values that the run needs besides the event's result.
    """

    def __init__(self, values: Values, memo: ObjectMemo, limit_bytes: int) -> None:
        self._values = values
        self._memo = memo
        self._limit_bytes = limit_bytes
        self.rows: list[tuple[object, ...]] = []
        self.needed: list[str] = []

    def output(self, value: object, *, is_limited: bool = True) -> ResultRef | str:
        """Store a task's result; return where, or why not.

        Never taken from the memo: the task may have changed the object that it was given.
        """
        return self._store(value, self._limit_bytes if is_limited else None)

    def input(self, value: object) -> ResultRef | str:
        """Store an input, whatever its size; one that was stored as the output it is isn't written again."""
        found = self._memo.find(value) or self._store(value, None)
        if isinstance(found, ResultRef):
            self.needed.append(found.digest)
        return found

    def error(self, error: BaseException) -> dict[str, Any]:
        """Store an exception in words, and itself if it can be pickled."""
        words = RemoteError.of(error)
        described: dict[str, Any] = {"type": words.type_name, "message": words.message, "traceback": words.formatted}
        found = self._store(Raised(error, words.formatted), self._limit_bytes)
        if isinstance(found, ResultRef):
            self.needed.append(found.digest)
            described["ref"] = [found.digest, found.size_bytes]
        return described

    def _store(self, value: object, limit_bytes: int | None) -> ResultRef | str:
        try:
            if issubclass(type(value), WorkerRef):
                return self._store_from_worker(value, limit_bytes)  # type: ignore[arg-type]  # as just compared
            return self._store_value(value, limit_bytes)
        except TooLargeError as exc:
            return f"the {type(value).__name__} is larger than the limit of {format_size(exc.limit_bytes)} a value"
        except (FlowbookError, OSError, MemoryError) as exc:
            return str(exc) or type(exc).__name__
        except BaseException as exc:  # noqa: BLE001  # the border to users' objects, which may raise anything
            return f"the {type(value).__name__} can't be looked at ({error_line(exc)})"

    def _store_from_worker(self, ref: WorkerRef, limit_bytes: int | None) -> ResultRef | str:
        if limit_bytes is not None and ref.size_bytes > limit_bytes:
            return f"it has {format_size(ref.size_bytes)}, more than the limit of {format_size(limit_bytes)} a value"
        try:
            value = ref.load()
        except BaseException as exc:  # noqa: BLE001  # unpickling runs user code
            return f"it could not be had from its worker: {safe_str(exc)}"
        return self._store_value(value, limit_bytes)

    def _store_value(self, value: object, limit_bytes: int | None) -> ResultRef | str:
        #: By its type: what an object says of its own class may be a lie, or raise.
        if issubclass(type(value), ResultRef):
            return self._known(value)  # type: ignore[arg-type]  # as just compared
        prepared = self._values.prepare(value, limit_bytes=limit_bytes)
        self.rows.append(prepared.row)
        self._memo.note(value, prepared.ref)
        return prepared.ref

    def _known(self, ref: ResultRef) -> ResultRef | str:
        if ref.store is self._values or self._values.holds(ref):
            return ref
        return f"value {ref.digest[:12]} is in another store, out of reach of this one"


class ObjectMemo:
    """Remembers which object was stored as which value, while the object lives."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[weakref.ref[object], ResultRef]] = {}
        self._recent: OrderedDict[int, tuple[object, ResultRef]] = OrderedDict()
        self._lock = RankedLock(Rank.STORED_OBJECTS)

    def find(self, value: object) -> ResultRef | None:
        """Return the value as which the object was stored."""
        watched = self._watched.get(id(value))
        if watched is not None and watched[0]() is value:
            return watched[1]
        recent = self._recent.get(id(value))
        return recent[1] if recent is not None and recent[0] is value else None

    def note(self, value: object, ref: ResultRef) -> None:
        """Remember the value as which the object was stored."""
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
        """Forget every object."""
        with self._lock:
            self._watched.clear()
            self._recent.clear()


class Raised:
    """Pickles an exception so that it is loaded with its traceback as a text for its cause."""

    def __init__(self, error: BaseException, formatted: str) -> None:
        self._error = error
        self._formatted = formatted

    def __reduce__(self) -> tuple[object, ...]:
        return raised, (self._error, self._formatted)


class RecordedTracebackError(Exception):
    """The traceback that an exception had when it was recorded."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def raised(error: BaseException, formatted: str) -> BaseException:
    """Return the exception as it was recorded; its pickle calls this."""
    if error.__cause__ is None:
        error.__cause__ = RecordedTracebackError(formatted)
    return error
