"""Packs calls for workers in other processes: a task's code once, its inputs pickled, large ones beside the call."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Protocol

from flowbook import config
from flowbook._context import current_layer
from flowbook._utils.worker_terminal import WORKER_TERMINAL
from flowbook.engine.displays import Displays
from flowbook.engine.remote import Code, FromBlob, FromStore, FromWorker, Many, Reach, RunEnvironment, Work, pack
from flowbook.engine.worker_values import ListRef, WorkerRef
from flowbook.exceptions import FlowbookError, UnpicklableError
from flowbook.executors.base import Blob, Call
from flowbook.results.pickled_value import PickledValue
from flowbook.results.reference import ResultRef, is_reference
from flowbook.results.unpicklable import unpicklable
from flowbook.results.value_record import EncodedValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook._context import ContextLayer
    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.job import Job
    from flowbook.engine.ports import OutputCache, Shelf
    from flowbook.engine.state import State
    from flowbook.executors.ledger import LedgerFolder

__all__ = ["PackedRun", "Packer", "Sent"]

#: A larger value is sent to a worker only once for all calls that need it.
_BLOB_BYTES = 10_000
#: Number of large values of the driver whose parcels are remembered.
_MEMO_LENGTH = 32


class PackedRun(Protocol):
    """The part of a run that workers need."""

    graph: Graph
    run_id: str
    flow_name: str
    parameters: Mapping[str, object]
    layer: ContextLayer | None
    cache: OutputCache | None
    #: The store, where workers may put values themselves.
    shelf: Shelf | None


class Sent:
    """An attempt that was or will be sent to a worker."""

    __slots__ = (
        "attempt",
        "has_begun",
        "inputs",
        "is_looping",
        "job",
        "reads_store",
        "run_name",
        "running",
    )

    def __init__(self, job: Job, running: State, attempt: int, run_name: str | None = None) -> None:
        self.job = job
        self.inputs = job.inputs or {}
        self.running = running
        self.attempt = attempt
        self.has_begun = False
        #: Whether a round of its loop has been made: it is Running already.
        self.is_looping = False
        self.reads_store = True
        self.run_name = run_name


class Packer:
    """Packs the calls of one epoch.

    Args:
        run: whose tasks they are.
        place: where workers leave word of what they put into the store; None where they put nothing.
    """

    def __init__(self, run: PackedRun, place: LedgerFolder | None) -> None:
        #: The store that workers may read; None once it turned out to be out of reach of one.
        self.shelf = run.shelf
        self._run = run
        self._place = place
        self._codes: dict[str, Blob] = {}
        self._memo: dict[int, tuple[object, object]] = {}
        self._order = {key: position for position, key in enumerate(run.graph.specs)}
        self._environment: Blob | None = None
        self._terminal = WORKER_TERMINAL.get()
        #: Tasks by whose outputs a cache validator below them decides.
        self._hashed = _hashed(run.graph) if run.cache is not None else frozenset()

    def call(self, number: int, sent: Sent) -> Call:
        """Return the call that makes this attempt.

        Raises:
            UnpicklableError: if an input or the task's code can't be pickled; any other, if the user's own pickling raises it.
        """
        job = sent.job
        spec = job.spec
        packing = _Inputs(self, self.shelf if sent.reads_store else None)
        code, environment = self._code(spec), self._around()
        work = Work(
            code.label,
            environment.label,
            job.key,
            job.index,
            sent.attempt,
            job.is_resumed,
            job.loop_count,
            packing.item(job.loop_result),
            sent.run_name,
            {name: packing.argument(spec.name, name, value) for name, value in sent.inputs.items()},
            self.keeps(spec),
            spec.key in self._hashed,
        )
        return Call(
            number,
            spec.name,
            pickle.dumps(work, protocol=5),
            (code, environment, *packing.blobs.values()),
            tuple(packing.held),
            spec.resources,
            self._order[spec.key],
            spec.key if job.index is not None and not packing.held else "",
        )

    def _code(self, spec: TaskSpec) -> Blob:
        found = self._codes.get(spec.key)
        if found is None:
            parcel = _parcel_of_code(spec)
            found = self._codes[spec.key] = Blob(parcel.label, parcel, parcel.size_bytes)
        return found

    def _around(self) -> Blob:
        if self._environment is None:
            run = self._run
            reach = None
            if run.shelf is not None and self._place is not None:
                reach = Reach(self._place, run.shelf.blobs, config.limits().value_bytes)
            environment = RunEnvironment(
                run.run_id, run.flow_name, run.parameters, _plain(run.layer), reach, self._terminal, Displays.are_taken
            )
            parcel = PickledValue.of(environment)
            self._environment = Blob(parcel.label, parcel, parcel.size_bytes)
        return self._environment

    def remembered(self, value: object) -> object:
        """Return `value` packed; a large one is packed once for all the calls that share it."""
        known = self._memo.get(id(value))
        if known is not None and known[0] is value:
            return known[1]
        packed = pack(value)
        if isinstance(packed, PickledValue) and packed.size_bytes > _BLOB_BYTES:
            while len(self._memo) >= _MEMO_LENGTH:
                del self._memo[next(iter(self._memo))]
            self._memo[id(value)] = (value, packed)
        return packed

    def keeps(self, spec: TaskSpec) -> bool:
        """Return whether a task's result goes into the store."""
        shelf = self._run.shelf
        return shelf is not None and spec.keep and (shelf.is_for_all or spec.cache is not None)


class _Inputs:
    """Packs the inputs of one call."""

    def __init__(self, packer: Packer, shelf: Shelf | None) -> None:
        self._packer = packer
        self._shelf = shelf
        self.blobs: dict[str, Blob] = {}
        self.held: list[object] = []

    def argument(self, task: str, name: str, value: object) -> object:
        """Return what stands for an argument in the payload.

        Raises:
            UnpicklableError: naming task and argument.
        """
        try:
            return self.item(value)
        except UnpicklableError as error:
            raise _stuck(task, f"its argument {name!r}", error) from error

    def item(self, value: object) -> object:
        """Return what stands for `value` in the payload."""
        if is_reference(value):
            if isinstance(value, ListRef):
                return Many(tuple(self.item(each) for each in value.items))
            if isinstance(value, WorkerRef):
                handle = value.handle  # once: whoever reads the value puts it there
                if isinstance(handle, PickledValue):
                    return self._parcel(handle)
                self.held.append(handle)
                return FromWorker(len(self.held) - 1)
            if self._shelf is not None and self._shelf.holds(value):
                return self._stored(value, self._shelf)
            value = value.load()
        packed = self._packer.remembered(value)
        return self._parcel(packed) if isinstance(packed, PickledValue) else packed

    def _stored(self, ref: ResultRef, shelf: Shelf) -> object:
        content = shelf.content(ref)
        if content is None:
            return FromStore(ref.digest, ref.size_bytes)
        if len(content) <= _BLOB_BYTES:
            return EncodedValue(content)
        self.blobs[ref.digest] = Blob(ref.digest, EncodedValue(content), len(content))
        return FromBlob(ref.digest)

    def _parcel(self, parcel: PickledValue) -> object:
        if parcel.size_bytes <= _BLOB_BYTES:
            return parcel
        self.blobs[parcel.label] = Blob(parcel.label, parcel, parcel.size_bytes)
        return FromBlob(parcel.label)


def _parcel_of_code(spec: TaskSpec) -> PickledValue:
    try:
        return PickledValue.of(Code.of(spec))
    except UnpicklableError as error:
        raise _stuck(spec.name, "its code", unpicklable(spec.run, error.__cause__ or error)) from error


def _stuck(task: str, what: str, error: UnpicklableError) -> UnpicklableError:
    msg = f"Task {task!r} can't go to another process because of {what}. {error}"
    return UnpicklableError(msg, **error.details)


def _hashed(graph: Graph) -> frozenset[str]:
    return frozenset(
        binding.upstream for spec in graph.specs.values() if spec.cache is not None for binding in spec.bindings
    )


def _plain(layer: ContextLayer | None) -> Mapping[str, object]:
    """Return what the context shows as plain values; what can't be pickled stays here."""
    found: dict[str, object] = {}
    layer = layer if layer is not None else current_layer()
    while layer is not None:
        for name in layer.names():
            if name not in found and _travels(value := layer.find(name)):
                found[name] = value
        layer = layer.parent
    return found


def _travels(value: object) -> bool:
    try:
        pack(value)
    except FlowbookError:
        return False
    return True
