"""References to values on workers: loaded when first read, passed to other tasks without going through the driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook._utils.live_objects import LiveObjects
from flowbook.engine.state import Mapped
from flowbook.exceptions import ExecutorError, ResultGoneError
from flowbook.results.pickled_value import PickledValue
from flowbook.results.reference import Preview, ResultRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.engine.state import State
    from flowbook.executors.base import RunsCalls

__all__ = ["ListRef", "WorkerRef", "WorkerValues", "input_value"]

#: Smaller values stay in this process once fetched (a recorded run fetches all), so that a worker that dies doesn't take
#: them along.
_HERE_BYTES = 4_000_000


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class WorkerRef(ResultRef):
    """A value on a worker, by the executor's `handle`: a PickledValue if it is in this process, None if it is lost."""

    handle: object = None

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __reduce__(self) -> tuple[object, ...]:
        parcel = self.store.parcel(self) if isinstance(self.store, WorkerValues) else self.handle
        return _arrived, (parcel,)


@dataclass(frozen=True, slots=True, eq=False)
class ListRef(WorkerRef):
    """The list of the children's results of a mapped task; its items are values and references."""

    items: tuple[object, ...] = field(default=())

    def load(self) -> list[Any]:
        """Return the list of the values."""
        return [item.load() if isinstance(item, ResultRef) else item for item in self.items]

    def __reduce__(self) -> tuple[object, ...]:
        return ListRef, ("", 0, None, None, self.items)


class WorkerValues:
    """The values that workers of one run have. Implements `ResultStore`, except `put`."""

    def __init__(self, executor: RunsCalls | None = None) -> None:
        self._executor = executor
        self._refs: LiveObjects[WorkerRef] = LiveObjects()
        self._why_gone = "it stayed on a worker, and the run's cluster has closed"

    def reference(self, handle: object, size_bytes: int, content_hash: str | None = None) -> WorkerRef:
        """Return a new reference."""
        ref = WorkerRef("", size_bytes, self, handle, content_hash=content_hash)
        if not isinstance(handle, PickledValue):
            self._refs.add(ref)
        return ref

    def parcel(self, ref: WorkerRef) -> PickledValue:
        """Return the pickled value.

        Raises:
            ResultGoneError: if it is lost.
        """
        handle, executor = ref.handle, self._executor  # once: the run may end at any moment
        if isinstance(handle, PickledValue):
            return handle
        why, cause = self._why_gone, None
        if handle is not None and executor is not None:
            try:
                return self._fetched(ref, handle, executor)
            except ExecutorError as error:
                why, cause = str(error), error
        if isinstance(brought := ref.handle, PickledValue):  # the run has ended, or somebody else has read it
            return brought
        raise _gone(ref, why) from cause

    def _fetched(self, ref: WorkerRef, handle: object, executor: RunsCalls) -> PickledValue:
        """Return a value from its worker; a small one stays here. Raises ExecutorError."""
        (parcel,) = executor.fetch([handle])
        assert isinstance(parcel, PickledValue)  # noqa: S101  # as the engine's own body gave it
        if ref.size_bytes <= _HERE_BYTES:
            object.__setattr__(ref, "handle", parcel)
            self._refs.discard(ref)
        return parcel

    def load(self, ref: ResultRef) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return the value.

        Raises:
            ResultGoneError: if it is lost.
        """
        assert isinstance(ref, WorkerRef)  # noqa: S101  # its own
        return self.parcel(ref).value

    def bring_home(self, limit_bytes: int) -> None:
        """Fetch values before the workers end, the smallest first, up to `limit_bytes` in all; the rest is lost."""
        executor = self._executor
        if executor is None or executor.outlives:
            return
        left = limit_bytes
        wanted: list[tuple[WorkerRef, object]] = []
        lost: list[tuple[WorkerRef, object]] = []
        for ref in sorted(self._refs.listed(), key=_size):
            left -= ref.size_bytes
            if not isinstance(handle := ref.handle, PickledValue):  # which somebody has just read
                (wanted if left >= 0 else lost).append((ref, handle))
        try:
            parcels: Iterable[object] = executor.fetch([handle for _, handle in wanted])
        except ExecutorError:
            parcels = [None] * len(wanted)
        for (ref, handle), parcel in [*zip(wanted, parcels, strict=True), *((each, None) for each in lost)]:
            if ref.handle is handle:
                object.__setattr__(ref, "handle", parcel)
        self._executor = None

    def close(self) -> None:
        """Release the values that stayed on a cluster after the run. May be called again, and from any thread."""
        executor, self._executor = self._executor, None
        if executor is not None:
            self._why_gone = "it stayed on the cluster until its run was closed"
            executor.release()

    def put(self, value: object) -> ResultRef:
        """Raise ExecutorError: workers only have what their tasks returned."""
        msg = f"A {type(value).__name__} can't be put on the workers of a run. Put it into the store."
        raise ExecutorError(msg)

    def preview(self, ref: ResultRef) -> Preview | None:  # noqa: ARG002  # the port's signature
        """Return None: there are no previews here."""
        return None


def input_value(state: State) -> object:
    """Return the input that a task gets from `state`: its value, or a reference that isn't loaded."""
    if not isinstance(state, Mapped):
        return state.raw_result  # reading `result` would load it
    return ListRef("", 0, None, None, tuple(input_value(child) for child in state.map_states))


def _gone(ref: WorkerRef, why: str) -> ResultGoneError:
    msg = (
        f"This value of {ref.size_bytes:,} bytes is gone: {why}. Run its task again. To keep such values, raise "
        "FLOWBOOK_MAX_GATHER_BYTES, record the run, or use a cluster by its address."
    )
    return ResultGoneError(msg, size_bytes=ref.size_bytes)


def _arrived(parcel: PickledValue) -> WorkerRef:
    return WorkerRef("", parcel.size_bytes, WorkerValues(), parcel)


def _size(ref: WorkerRef) -> int:
    return ref.size_bytes
