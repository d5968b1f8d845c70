"""Runs a graph with workers in other processes: decides here, hands over the bodies of tasks, takes in what comes back.

All of it happens in the thread that runs the flow: triggers, handlers, retries and the cache too. Reports of the executor
come from any thread through one queue.
"""

from __future__ import annotations

import itertools
import pickle
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from flowbook import config
from flowbook._context import current_frame
from flowbook.engine import steps
from flowbook.engine.cache_validators import needs_inputs, takes_references
from flowbook.engine.frames import TaskFrame
from flowbook.engine.held import HeldRef, HeldValues, ManyRef, held
from flowbook.engine.job import Job
from flowbook.engine.messages import CancelAsked, Settled
from flowbook.engine.remote import (
    Code,
    FromBlob,
    FromStore,
    FromWorker,
    Many,
    Reach,
    Surroundings,
    Unread,
    Work,
    pack,
    read,
    run_remotely,
)
from flowbook.engine.state import Crashed, Looped, Pending, Running, State
from flowbook.engine.task_runner import begin_task, begun_state, call_handlers, change_state, run_task, settle_task
from flowbook.exceptions import ExecutorError, FlowbookError, StoreError, UnpicklableError
from flowbook.executors.base import Blob, Call, Report
from flowbook.results.parcel import Parcel
from flowbook.results.reference import ResultRef
from flowbook.results.serializer import unpicklable
from flowbook.results.written import StoredValue, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook._context import Frame
    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.mapping import MapPlans
    from flowbook.engine.masks import Masks
    from flowbook.engine.messages import Expanded, MachineEvent, TooEarly
    from flowbook.engine.ports import OutputCache, Shelf
    from flowbook.executors.base import RunsCalls

__all__ = ["Dispatch", "DispatchedRun"]

#: How many tasks are handed over before what came back is looked at.
_AT_ONCE = 500
#: A larger value is sent to a worker once, however many calls need it.
_BLOB_BYTES = 10_000
#: So many large values of the driver are remembered in their parcels.
_MEMO_LENGTH = 32


class DispatchedRun(Protocol):
    """What `Dispatch` needs of a flow runner. A `RunFacts` as well."""

    graph: Graph
    run_id: str
    flow_name: str
    parameters: Mapping[str, object]
    handlers: tuple[Callable[..., object], ...]
    frame: Frame | None
    cache: OutputCache | None
    #: The store, where workers may put values themselves.
    shelf: Shelf | None
    interrupted: bool
    masks: Masks | None
    is_cancelled: bool
    #: Called once it was cancelled, so that nothing begins any more; `Dispatch` sets it.
    stop: Callable[[], None] | None
    #: Its values that workers hold; `Dispatch` sets it.
    held: HeldValues | None
    #: Its mapped tasks; `Dispatch` sets how they read what workers hold.
    maps: MapPlans

    @property
    def states(self) -> dict[str, State]:
        """The state of every task and child now."""
        ...

    def take(self, count: int, has_news: Callable[[], bool]) -> list[str] | None:
        """Return at most `count` keys to run, waiting for some, or none when there is other news; None at the end."""
        ...

    def wake(self) -> None:
        """Let `take` look again."""
        ...

    def job(self, key: str) -> Job | Settled | Expanded | TooEarly:
        """Return what is to be run for `key`, or what has come of it where it is split into children."""
        ...

    def handle(self, event: MachineEvent) -> None:
        """Tell the machine what happened, and do what it says."""
        ...

    def told(self, key: str, state: State) -> None:
        """Take note of a state on the way."""
        ...

    def logged(self, key: str, level: int, text: str) -> None:
        """Take note of a log line or a print."""
        ...


class _Sent:
    """A call that was handed over."""

    __slots__ = (
        "attempt",
        "has_begun",
        "inputs",
        "job",
        "loop_count",
        "loop_result",
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
        self.reads_store = True
        self.loop_count = 1
        self.loop_result: object = None
        self.run_name = run_name


class Dispatch:
    """One epoch of a run whose workers are other processes."""

    def __init__(self, runner: DispatchedRun, executor: RunsCalls) -> None:
        self._runner = runner
        self._executor = executor
        self._values = HeldValues(executor)
        self._reports: deque[Report] = deque()
        self._sent: dict[int, _Sent] = {}
        self._ids = itertools.count(1)
        self._is_waiting = False
        self._is_cancelled = False
        self._codes: dict[str, Blob] = {}
        self._memo: dict[int, tuple[object, object]] = {}
        self._order = {key: position for position, key in enumerate(runner.graph.specs)}
        self._surroundings: Blob | None = None
        #: Tasks by whose outputs a cache validator below them decides.
        self._hashed = _hashed(runner.graph) if runner.cache is not None else frozenset()
        self._shelf = runner.shelf
        self._place = self._shelf.place() if self._shelf is not None else None
        runner.maps.read = self._read
        runner.held = self._values

    def run(self) -> None:
        """Return when the run is over, or when all that is left waits for a person."""
        try:
            self._executor.listen(run_remotely, self._on_report, self._place)
            self._runner.stop = self._executor.cancel
            while (keys := self._runner.take(_AT_ONCE, self._has_news)) is not None:
                if self._runner.is_cancelled and not self._is_cancelled:
                    self._is_cancelled = True
                    self._executor.cancel()
                self._take_in()
                self._hand_over(keys)
        finally:
            self._runner.stop = None
            self._values.bring_home(config.limits().gathered_bytes)
            if self._place is not None:
                self._place.remove()

    def _read(self, key: str) -> object:
        return held(self._runner.states[key])

    # What comes back

    def _on_report(self, report: Report) -> None:
        """Take a report, in any thread."""
        self._reports.append(report)
        if self._is_waiting:
            self._runner.wake()

    def _has_news(self) -> bool:
        #: Set before the look, so that a report which comes after it wakes the runner.
        self._is_waiting = True
        if not self._reports and self._runner.is_cancelled == self._is_cancelled:
            return False
        self._is_waiting = False
        return True

    def _take_in(self) -> None:
        self._is_waiting = False
        unstarted = []
        for _ in range(len(self._reports)):
            report = self._reports.popleft()
            sent = self._sent.get(report.id)
            if sent is None:
                continue
            if report.kind == "running":
                self._begun(sent, report)
            elif report.kind == "log":
                key, level, text = report.body
                self._runner.logged(key, level, text)
            elif report.kind == "unstarted":
                del self._sent[report.id]
                unstarted.append(sent.job.key)
                if sent.has_begun:
                    self._runner.told(sent.job.key, Pending("Cancelled when it was about to begin."))
            else:
                del self._sent[report.id]
                self._ended(sent, report)
        if unstarted:
            self._runner.handle(CancelAsked(tuple(unstarted)))

    def _begun(self, sent: _Sent, report: Report) -> None:
        if sent.loop_count > 1:
            return
        if sent.has_begun:
            self._runner.logged(sent.job.key, 30, "Its worker went away; the cluster runs it again.")
            return
        sent.has_begun = True
        sent.running.at = report.body
        self._runner.told(sent.job.key, sent.running)

    def _ended(self, sent: _Sent, report: Report) -> None:
        job, runner = sent.job, self._runner
        state = self._state(report, job.spec)
        if isinstance(state, Unread):
            self._send_values(sent, state)
            return
        if state.is_looped():
            result = state._result  # noqa: SLF001  # reading `result` would load it
            if isinstance(state, Looped):
                state.loop_count = sent.loop_count
            state = change_state(job, runner, sent.running, state)
            if state.is_looped():
                sent.loop_count += 1
                sent.loop_result = result
                self._send(sent)
                return
        rested = settle_task(job, runner, sent.running, state, sent.inputs, sent.attempt)
        runner.handle(Settled(job.key, rested))

    def _send_values(self, sent: _Sent, unread: Unread) -> None:
        """Hand over an attempt anew, with the values that its worker could not read from the store."""
        if unread.is_far and self._shelf is not None:
            self._shelf = None
            said = "The store is out of a worker's reach: stored values go to the cluster through this process."
            self._runner.logged(sent.job.key, 20, said)
        sent.reads_store = False
        self._send(sent)

    def _state(self, report: Report, spec: TaskSpec) -> State | Unread:
        if report.kind == "lost":
            return Crashed(report.body, ExecutorError(report.body))
        try:
            outcome = read(report.body)
            if isinstance(outcome, Unread):
                return outcome
            value = report.handle if report.handle is not None else outcome.value
            if isinstance(value, Written):
                value = self._adopted(value, outcome.content_hash)
        except BaseException as error:  # noqa: BLE001  # a state with a user's object inside
            return steps.state_of_error(error)
        if isinstance(value, Parcel) or report.handle is not None:
            value = self._values.reference(value, outcome.size_bytes, outcome.content_hash)
            if report.handle is not None and self._keeps(spec):
                value = self._kept(value)
        if value is not None:
            outcome.state.result = value
        return outcome.state

    def _adopted(self, written: Written, content_hash: str | None) -> object:
        """Return the reference to a value that a worker put into the store; itself where the store's database is full."""
        shelf = self._runner.shelf
        assert shelf is not None  # noqa: S101  # that worker was told of it
        try:
            return replace(shelf.adopt(written), content_hash=content_hash)
        except StoreError:
            return shelf.load(written)

    def _keeps(self, spec: TaskSpec) -> bool:
        shelf = self._runner.shelf
        return shelf is not None and spec.keep and (shelf.is_for_all or spec.cache is not None)

    def _kept(self, ref: HeldRef) -> ResultRef:
        """Put a value into the store that its worker could not put there; return `ref` itself where that is impossible."""
        shelf, limit_bytes = self._runner.shelf, config.limits().value_bytes
        if shelf is None or ref.size_bytes > limit_bytes:
            return ref
        try:
            return replace(shelf.put(self._values.load(ref), limit_bytes), content_hash=ref.content_hash)
        except BaseException:  # noqa: BLE001  # unpickling runs user code; whoever records it says what is wrong
            return ref

    # What is handed over

    def _hand_over(self, keys: list[str]) -> None:
        calls: list[Call] = []
        for key in keys:
            job = self._runner.job(key)
            if not isinstance(job, Job):
                self._runner.handle(job)
            elif job.spec.is_parameter or (job.spec.cleans_up and self._runner.is_cancelled):
                # After a cancel the executor takes nothing more.
                self._runner.handle(Settled(key, run_task(job, self._runner)))
            else:
                self._start(job, calls)
        if calls:
            self._executor.submit_batch(calls)

    def _start(self, job: Job, calls: list[Call]) -> None:
        """Steps 1 to 10, up to the call: a handler may still stop it; Running is told when it runs."""
        runner = self._runner
        rested = begin_task(job, runner, _inputs)
        if rested is None:
            attempt = steps.attempt_number(job.state)
            frame = TaskFrame(runner, job, attempt)
            running = self._running(job, frame)
            if type(running) is Running:
                call = self._call(_Sent(job, running, attempt, frame.run_name))
                if call is not None:
                    calls.append(call)
                return
            runner.told(job.key, running)
            rested = running
        runner.handle(Settled(job.key, rested))

    def _running(self, job: Job, frame: TaskFrame) -> State:
        begun = begun_state(job, self._runner, job.inputs or {}, frame)
        handlers = (*job.spec.handlers, *self._runner.handlers)
        return call_handlers(handlers, job.spec.task, job.state, begun) if handlers else begun

    def _send(self, sent: _Sent) -> None:
        call = self._call(sent)
        if call is not None:
            self._executor.submit_batch([call])

    def _call(self, sent: _Sent) -> Call | None:
        """Return the call, noted as sent; None where its arguments can't be pickled: it is settled then."""
        number = next(self._ids)
        try:
            call = self._packed(number, sent)
        except BaseException as error:  # noqa: BLE001  # pickling runs user code
            failed = change_state(sent.job, self._runner, sent.running, steps.state_of_error(error))
            self._runner.handle(Settled(sent.job.key, failed))
            return None
        self._sent[number] = sent
        return call

    def _packed(self, number: int, sent: _Sent) -> Call:
        job = sent.job
        spec = job.spec
        packing = _Packing(self, self._shelf if sent.reads_store else None)
        code, surroundings = self._code(spec), self._around()
        work = Work(
            code.label,
            surroundings.label,
            job.key,
            job.index,
            sent.attempt,
            job.is_start,
            sent.loop_count,
            packing.item(sent.loop_result),
            sent.run_name,
            {name: packing.argument(spec.name, name, value) for name, value in sent.inputs.items()},
            self._keeps(spec),
            spec.key in self._hashed,
        )
        return Call(
            number,
            spec.name,
            pickle.dumps(work, protocol=5),
            (code, surroundings, *packing.blobs.values()),
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
        if self._surroundings is None:
            runner = self._runner
            reach = None
            if runner.shelf is not None and self._place is not None:
                reach = Reach(self._place, runner.shelf.blobs, config.limits().value_bytes)
            facts = Surroundings(runner.run_id, runner.flow_name, runner.parameters, _plain(runner.frame), reach)
            parcel = Parcel.of(facts)
            self._surroundings = Blob(parcel.label, parcel, parcel.size_bytes)
        return self._surroundings

    def remembered(self, value: object) -> object:
        """Return `value` packed; a large one is packed once for all the calls that share it."""
        known = self._memo.get(id(value))
        if known is not None and known[0] is value:
            return known[1]
        packed = pack(value)
        if isinstance(packed, Parcel) and packed.size_bytes > _BLOB_BYTES:
            while len(self._memo) >= _MEMO_LENGTH:
                del self._memo[next(iter(self._memo))]
            self._memo[id(value)] = (value, packed)
        return packed


class _Packing:
    """Packs the inputs of one call."""

    def __init__(self, dispatch: Dispatch, shelf: Shelf | None) -> None:
        self._dispatch = dispatch
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
        if isinstance(value, ManyRef):
            return Many(tuple(self.item(each) for each in value.items))
        if isinstance(value, HeldRef):
            if isinstance(value.handle, Parcel):
                return self._parcel(value.handle)
            self.held.append(value.handle)
            return FromWorker(len(self.held) - 1)
        if isinstance(value, ResultRef):
            if self._shelf is not None and self._shelf.holds(value):
                return self._stored(value, self._shelf)
            value = value.load()
        packed = self._dispatch.remembered(value)
        return self._parcel(packed) if isinstance(packed, Parcel) else packed

    def _stored(self, ref: ResultRef, shelf: Shelf) -> object:
        content = shelf.content(ref)
        if content is None:
            return FromStore(ref.digest, ref.size_bytes)
        if len(content) <= _BLOB_BYTES:
            return StoredValue(content)
        self.blobs[ref.digest] = Blob(ref.digest, StoredValue(content), len(content))
        return FromBlob(ref.digest)

    def _parcel(self, parcel: Parcel) -> object:
        if parcel.size_bytes <= _BLOB_BYTES:
            return parcel
        self.blobs[parcel.label] = Blob(parcel.label, parcel, parcel.size_bytes)
        return FromBlob(parcel.label)


def _parcel_of_code(spec: TaskSpec) -> Parcel:
    try:
        return Parcel.of(Code.of(spec))
    except UnpicklableError as error:
        raise _stuck(spec.name, "its code", unpicklable(spec.run, error.__cause__ or error)) from error


def _stuck(task: str, what: str, error: UnpicklableError) -> UnpicklableError:
    msg = f"Task {task!r} can't go to another process because of {what}. {error}"
    return UnpicklableError(msg, **error.details)


def _inputs(job: Job) -> dict[str, object]:
    """Step 6, as `task_runner` does it, but values that workers hold are not loaded, unless the driver must see them."""
    spec, kept = job.spec, job.state.cached_inputs or {}
    inputs = job.inputs
    if inputs is None:
        inputs = dict(spec.constants) if spec.constants else {}
        for binding, up in zip(spec.bindings, job.upstream, strict=True):
            if binding.argument is not None and binding.argument not in kept:
                inputs[binding.argument] = held(up)
    inputs.update(kept)
    validator = spec.cache.validator if spec.cache is not None else None
    if validator is not None and needs_inputs(validator) and not takes_references(validator):
        for name, value in inputs.items():
            if isinstance(value, ResultRef):
                inputs[name] = value.load()
    return inputs


def _hashed(graph: Graph) -> frozenset[str]:
    return frozenset(
        binding.upstream
        for spec in graph.specs.values()
        if spec.cache is not None and needs_inputs(spec.cache.validator)
        for binding in spec.bindings
    )


def _plain(frame: Frame | None) -> Mapping[str, object]:
    """Return what the context shows as plain values; what can't be pickled stays here."""
    found: dict[str, object] = {}
    frame = frame if frame is not None else current_frame()
    while frame is not None:
        for name in frame.names():
            if name not in found and _travels(value := frame.find(name)):
                found[name] = value
        frame = frame.parent
    return found


def _travels(value: object) -> bool:
    try:
        pack(value)
    except FlowbookError:
        return False
    return True
