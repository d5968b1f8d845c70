"""The body of a task, run by a worker in another process: bytes in, bytes out.

The driver decides; the worker calls the task's function and sends back the result. Nothing that is raised here gets out, not
even while arguments are unpickled or the result is pickled: on a cluster it would hang the task or kill the worker.
"""

from __future__ import annotations

import functools
import pickle
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook._context import ContextLayer
from flowbook._utils.worker_terminal import adopt
from flowbook.engine import steps
from flowbook.engine.displays import watch_displays
from flowbook.engine.job import Job
from flowbook.engine.masks import Masks
from flowbook.engine.progress_bars import watch_progress_bars
from flowbook.engine.remote_error import RemoteError
from flowbook.engine.state import Cancelled, Pending, State, Success
from flowbook.engine.stopping import STOPPED, Stopped, stop_calls, stoppable
from flowbook.engine.target_files import written_state
from flowbook.engine.task_call import call_task, is_in_task
from flowbook.engine.task_context import TaskLayer
from flowbook.exceptions import StoreError
from flowbook.executors.base import Answer
from flowbook.results import serializer
from flowbook.results.blobs import FolderBlobs, TooLargeError
from flowbook.results.content_hash import portable_hash
from flowbook.results.pickled_value import PickledValue
from flowbook.results.value_record import EncodedValue, ValueRecord, write_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook._utils.worker_terminal import WorkerTerminal
    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.job import ComparesInputs
    from flowbook.engine.ports import OutputCache
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.executors.ledger import LedgerFolder

__all__ = [
    "AttemptResult",
    "Code",
    "FromBlob",
    "FromStore",
    "FromWorker",
    "Many",
    "Reach",
    "RunEnvironment",
    "Unread",
    "Work",
    "pack",
    "read",
    "run_remotely",
    "stop_run",
]

#: Up to here a value travels with the news of it: less than a reference to it would cost.
_INLINE_BYTES = 4096
_SCALARS = frozenset({int, float, bool, type(None), complex})
_TEXTS = frozenset({str, bytes})


class FromBlob(NamedTuple):
    """An input that travels as a blob."""

    label: str


class FromWorker(NamedTuple):
    """An input that a worker holds: the position among the call's held values."""

    position: int


class FromStore(NamedTuple):
    """An input that the worker reads from the store's folder."""

    digest: str
    size_bytes: int


class Many(NamedTuple):
    """An input that is a list of inputs."""

    items: tuple[object, ...]


class Reach(NamedTuple):
    """The store's folder of values, and how a worker checks that it can reach it. Values above `limit_bytes` aren't stored."""

    place: LedgerFolder
    blobs: str
    limit_bytes: int


class Code(NamedTuple):
    """What all calls of one task share."""

    spec: TaskSpec

    @classmethod
    def of(cls, spec: TaskSpec) -> Code:
        """Return what a worker needs of `spec`: no edges, no inputs, and nothing that the driver decides by."""
        return cls(
            spec._replace(
                task=None,
                bindings=(),
                upstream=(),
                constants=None,
                mapped_constants=None,
                trigger=None,
                retry=None,
                cache=None,
                handlers=(),
                run_name=None,
            )
        )


class RunEnvironment(NamedTuple):
    """What all calls of one run share, the context as plain values among it."""

    run_id: str
    flow_name: str
    parameters: Mapping[str, object]
    values: Mapping[str, object]
    reach: Reach | None = None
    #: Where the worker writes instead of on the driver's terminal; None where no run is shown there.
    terminal: WorkerTerminal | None = None
    #: Whether what tasks display and their figures go to the run.
    takes_displays: bool = False


class Work(NamedTuple):
    """One attempt: what `run_remotely` gets as its payload, pickled; it holds no user's object but in parcels."""

    code: str
    environment: str
    key: str
    map_index: int | None
    attempt: int
    is_start: bool
    loop_count: int
    loop_result: object
    run_name: str | None
    inputs: dict[str, object]
    #: Whether the result goes into the store.
    is_kept: bool = False
    #: Whether to hash the result.
    is_hashed: bool = False


class AttemptResult(NamedTuple):
    """What came of an attempt.

    `value` is its value, packed, where it is small; ValueRecord where the worker put it into the store; else the answer holds it.
    """

    state: State
    value: object
    size_bytes: int
    seconds: float
    content_hash: str | None = None


class Unread(NamedTuple):
    """Said of an attempt that was not made: an input could not be read from the store there.

    Attributes:
        is_far: whether the store is out of that worker's reach; otherwise it lacks a module of the value's.
    """

    is_far: bool


def pack(value: object) -> object:
    """Return `value` itself where it is plain and short, else its PickledValue.

    Raises:
        UnpicklableError: naming the member at fault.
    """
    kind = type(value)
    if kind in _SCALARS or (kind in _TEXTS and len(value) <= _INLINE_BYTES):  # type: ignore[arg-type]  # a text
        return value
    return PickledValue.of(value)


def run_remotely(
    payload: bytes, blobs: Mapping[str, Any], held: Sequence[Any], report: Callable[[str, object], bool]
) -> Answer | None:
    """Make one attempt; return the pickled AttemptResult, and the value's PickledValue where it is not small.

    None: it was not begun, since the run was cancelled.
    """
    start = time.perf_counter()
    try:
        work: Work = pickle.loads(payload)  # noqa: S301  # the run's driver sent it
        environment: RunEnvironment = blobs[work.environment].value
        if environment.terminal is not None:
            adopt(environment.terminal)
        watch_progress_bars()
        if environment.takes_displays:
            watch_displays()
        with stoppable(environment.run_id):
            shelf = _Shelf(environment.reach)
            state = _attempt(work, environment, _Inputs(blobs, held, shelf), report)
            return None if state is None else _answer(state, work, shelf, start)
    except _UnreadError as error:
        return Answer(pickle.dumps(Unread(error.is_far), protocol=5))
    except BaseException as error:  # noqa: BLE001  # the border
        return _refused(error, start)


def stop_run(run_id: str) -> None:
    """Stop the Python code of the run's attempts that this process makes, as a time limit does; they end Cancelled."""
    stop_calls(run_id, is_in_task)


def read(body: bytes) -> AttemptResult | Unread:
    """Return the result of an attempt; an exception that can't be unpickled here is replaced by its stand-in."""
    outcome: AttemptResult | Unread = pickle.loads(body)  # noqa: S301  # the run's own worker sent it
    if isinstance(outcome, AttemptResult) and isinstance(outcome.state.raw_result, _Raised):
        outcome.state.result = outcome.state.raw_result.error()
    return outcome


def _attempt(
    work: Work, environment: RunEnvironment, given: _Inputs, report: Callable[[str, object], bool]
) -> State | None:
    spec = given.blobs[work.code].value.spec
    inputs = {name: given.open(item) for name, item in work.inputs.items()}
    run = _WorkerRun(environment, report)
    job = Job(spec, work.key, Pending(), (), inputs, work.map_index, is_start=work.is_start)
    layer = TaskLayer(run, job, work.attempt)
    job.loop_count = work.loop_count
    job.loop_result = given.open(work.loop_result)
    layer.run_name = work.run_name
    if not report("running", time.time()):
        return None
    state = call_task(job, run, inputs, layer, work.attempt)
    if spec.files is not None and type(state) is Success:
        cost, state = state.cost, written_state(spec.files, inputs, layer, state)
        state.cost = cost
    if run.masks:
        run.masks.hide_in(state)
    return state


class _UnreadError(Exception):
    def __init__(self, *, is_far: bool) -> None:
        super().__init__(is_far)
        self.is_far = is_far


class _Shelf:
    """The store's folder of values as a worker sees it."""

    def __init__(self, reach: Reach | None) -> None:
        self._reach = reach if reach is not None and _is_in_reach(reach.place) else None

    def read(self, digest: str, size_bytes: int) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return a value, memory-mapped, private and writable.

        Raises:
            _UnreadError: if it must come another way.
            DamagedValueError, ResultGoneError: as the store says.
        """
        if self._reach is None:
            raise _UnreadError(is_far=True)
        try:
            return serializer.load(_blobs(self._reach.blobs).read(digest, size_bytes))
        except (ImportError, AttributeError) as error:
            raise _UnreadError(is_far=False) from error

    def write(self, value: object) -> ValueRecord | None:
        """Return what the store is to keep of `value`; None where it can't be kept from here."""
        if self._reach is None:
            return None
        try:
            return write_value(value, _blobs(self._reach.blobs), limit_bytes=self._reach.limit_bytes)
        except (TooLargeError, StoreError):
            return None


@functools.lru_cache(maxsize=64)
def _is_in_reach(place: LedgerFolder) -> bool:
    return place.is_in_reach()


@functools.lru_cache(maxsize=8)
def _blobs(folder: str) -> FolderBlobs:
    """Return the one of this process, which remembers whose hash was checked."""
    return FolderBlobs(Path(folder))


class _Inputs:
    """Where a call's inputs are."""

    def __init__(self, blobs: Mapping[str, Any], held: Sequence[Any], shelf: _Shelf) -> None:
        self.blobs = blobs
        self._held = held
        self._shelf = shelf

    def open(self, item: object) -> object:
        """Return the value that `item` stands for."""
        if isinstance(item, (PickledValue, EncodedValue)):
            return item.value
        if isinstance(item, FromBlob):
            return self.blobs[item.label].value
        if isinstance(item, FromWorker):
            return self._held[item.position].value
        if isinstance(item, FromStore):
            return self._shelf.read(item.digest, item.size_bytes)
        if isinstance(item, Many):
            return [self.open(each) for each in item.items]
        return item


class _WorkerRun:
    """What a task run needs to know of its run, on a worker."""

    handlers: tuple[Callable[..., object], ...] = ()
    cache: OutputCache | None = None
    interrupted = False
    input_checks: ComparesInputs | None = None

    def __init__(self, environment: RunEnvironment, report: Callable[[str, object], bool]) -> None:
        self.run_id = environment.run_id
        self.flow_name = environment.flow_name
        self.parameters = environment.parameters
        self.layer: ContextLayer | None = ContextLayer(environment.values)
        self.takes_displays = environment.takes_displays
        self._report = report
        #: Of what is secret in this process: the driver hides what it knows itself.
        self.masks = Masks.around(None) or None

    def state_changed(self, key: str, state: State) -> None:
        """Drop a state: the driver emits states."""

    def logged(self, key: str, level: int, text: str, shown: object = None) -> None:
        """Send a line to the driver, or what the task displayed."""
        if self.masks is not None:
            text, shown = self.masks.text(text), self.masks.within(shown)
        self._report("log", (key, level, text) if shown is None else (key, level, text, shown))

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Send a report of progress to the driver."""
        if self.masks is not None:
            progress = progress._replace(text=self.masks.text(progress.text))
        self._report("progress", (key, progress))


class _Raised:
    """An exception on its way to the driver, with a stand-in in case it can't be unpickled there."""

    def __init__(self, error: BaseException) -> None:
        self._stand_in = RemoteError.of(error)
        #: In words it travels already; some libraries pickle it frame by frame, which a deep one does not survive.
        BaseException.with_traceback(error, None)
        self._parcel = _parcel(error)
        self._kind = _parcel(type(error))

    def error(self) -> BaseException:
        """Return the exception, the traceback of the worker in words as its cause."""
        stand_in = self._stand_in
        stand_in.kind = self._known_kind()
        if self._parcel is None:
            return stand_in
        try:
            found = self._parcel.value
            if not isinstance(found, BaseException):
                return stand_in
            if found.__cause__ is None and not isinstance(found, RemoteError):
                #: Not by assignment, which a class of the user's may refuse (a frozen dataclass does).
                BaseException.__setattr__(found, "__cause__", stand_in)
        except BaseException:  # noqa: BLE001  # user code
            return stand_in
        return found

    def _known_kind(self) -> type | None:
        try:
            kind = self._kind.value if self._kind is not None else None
        except BaseException:  # noqa: BLE001  # user code: a class is made
            return None
        return kind if isinstance(kind, type) else None


def _parcel(value: object) -> PickledValue | None:
    try:
        return PickledValue.of(value)
    except BaseException:  # noqa: BLE001  # whatever a user's exception raises here, its stand-in travels
        return None


def _answer(state: State, work: Work, shelf: _Shelf, start: float) -> Answer:
    result, value, size = state.raw_result, None, 0  # a value, never a reference
    held = content_hash = None
    if not state.is_successful() and isinstance(result, BaseException):
        state.result = _Raised(result)
    elif result is not None:
        state.result = None
        content_hash = portable_hash(result) if work.is_hashed else None
        value = _stored(result, shelf) if work.is_kept else pack(result)
        if isinstance(value, PickledValue | ValueRecord):
            size = value.size_bytes
        if isinstance(value, PickledValue) and size > _INLINE_BYTES:
            held, value = value, None
    outcome = AttemptResult(state, value, size, time.perf_counter() - start, content_hash)
    return Answer(pickle.dumps(outcome, protocol=5), held)


def _stored(value: object, shelf: _Shelf) -> object:
    """Return `value` as the store is to keep it; packed where it is small, or can't be kept."""
    if type(value) in _SCALARS:
        return value
    written = shelf.write(value)
    return written if written is not None and written.size_bytes > _INLINE_BYTES else pack(value)


def _refused(error: BaseException, start: float) -> Answer:
    if isinstance(error, Stopped):  # it came just before or after the task
        state: State = Cancelled(STOPPED)
    else:
        state = steps.state_of_error(error)
        state.result = _Raised(error)
    return Answer(pickle.dumps(AttemptResult(state, None, 0, time.perf_counter() - start), protocol=5))
