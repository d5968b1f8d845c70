"""Runs a graph on workers in other processes: sends them attempts and handles their reports; all decisions are made here.

Everything happens in the thread that runs the flow, including triggers, state handlers, retries and the cache. The executor
reports from any thread, through one queue.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from flowbook import config
from flowbook._utils.fresh import fresh_values
from flowbook.engine import steps
from flowbook.engine.cache_validators import needs_inputs, takes_references
from flowbook.engine.events import FLOW
from flowbook.engine.job import Job, RunPort
from flowbook.engine.messages import CancelRequested, Settled
from flowbook.engine.packing import PackedRun, Packer, Sent
from flowbook.engine.remote import Unread, read, run_remotely, stop_run
from flowbook.engine.state import Cancelled, Cancelling, Crashed, Looped, Pending, Running, State
from flowbook.engine.state_handlers import call_task_handlers, change_state
from flowbook.engine.task_attempt import begin_task, begun_state, run_task, settle_task
from flowbook.engine.task_context import TaskLayer
from flowbook.engine.worker_values import WorkerRef, WorkerValues, input_value
from flowbook.exceptions import ExecutorError, StoreError
from flowbook.results.pickled_value import PickledValue
from flowbook.results.reference import ResultRef, is_reference
from flowbook.results.value_record import ValueRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.mapping import MapPlans
    from flowbook.engine.messages import Expanded, MachineEvent, TooEarly
    from flowbook.engine.stopping import TaskThreads
    from flowbook.executors.base import Call, Report, RunsCalls

__all__ = ["Dispatch", "DispatchedRun"]

#: Number of tasks to send before reports are handled.
_AT_ONCE = 500


class DispatchedRun(PackedRun, RunPort, Protocol):
    """The part of an epoch that `Dispatch` uses."""

    is_cancelled: bool
    #: Whether no more calls may begin, because another process is to take the run over.
    is_draining: bool
    #: Whether it is too late to go on here after all.
    has_left: bool
    #: Called when the run is cancelled, so that workers begin no more calls; `Dispatch` sets it.
    stop: Callable[[], None] | None
    #: Has what stops tasks that run elsewhere; `Dispatch` sets that.
    threads: TaskThreads
    #: Its values that workers hold; `Dispatch` sets it.
    worker_values: WorkerValues | None
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
        """Make a waiting `take` check again."""
        ...

    def job(self, key: str) -> Job | Settled | Expanded | TooEarly:
        """Return the job for `key`, or the machine's event if there is nothing to run, e.g. because it was split."""
        ...

    def handle(self, event: MachineEvent) -> None:
        """Pass an event to the machine and carry out its instructions."""
        ...


class Dispatch:
    """One epoch of a run whose workers are other processes."""

    def __init__(self, runner: DispatchedRun, executor: RunsCalls) -> None:
        self._runner = runner
        self._executor = executor
        self._values = WorkerValues(executor)
        self._reports: deque[Report] = deque()
        self._sent: dict[int, Sent] = {}
        self._ids = itertools.count(1)
        self._is_waiting = False
        self._is_cancelled = False
        self._is_draining = False
        self._place = runner.shelf.place() if runner.shelf is not None else None
        self._packer = Packer(runner, self._place)
        runner.maps.read = self._read  # type: ignore[method-assign]  # for this run
        runner.worker_values = self._values

    def run(self) -> None:
        """Run until the run is over, or until all that is left waits for a person."""
        stop_calls = partial(self._executor.stop_calls, partial(stop_run, self._runner.run_id))
        try:
            self._executor.listen(run_remotely, self._on_report, self._place)
            self._runner.stop, self._runner.threads.stop_elsewhere = self._executor.cancel, stop_calls
            while (keys := self._runner.take(_AT_ONCE, self._has_news)) is not None:
                if self._runner.is_cancelled and not self._is_cancelled:
                    self._is_cancelled = True
                    self._executor.cancel()
                    for sent in self._sent.values():
                        self._cancelling(sent)
                if self._runner.has_left and not self._is_draining:
                    self._is_draining = True
                    self._executor.cancel()
                self._handle_reports()
                if self._is_draining and not self._sent:
                    break
                self._hand_over(keys)
        except KeyboardInterrupt:  # the second Ctrl-C
            self._executor.cancel()
            stop_calls()
            raise
        finally:
            self._runner.stop = self._runner.threads.stop_elsewhere = None
            self._values.bring_home(config.limits().gathered_bytes)
            if self._place is not None:
                self._place.remove()

    def _read(self, key: str) -> object:
        return input_value(self._runner.states[key])

    # Reports from workers

    def _on_report(self, report: Report) -> None:
        """Queue a report; called in any thread."""
        self._reports.append(report)
        if self._is_waiting:
            self._runner.wake()

    def _has_news(self) -> bool:
        #: Set before the check, so that a report that arrives after the check wakes the runner.
        self._is_waiting = True
        is_told = self._runner.is_cancelled == self._is_cancelled and self._runner.is_draining == self._is_draining
        if not self._reports and is_told:
            return False
        self._is_waiting = False
        return True

    def _handle_reports(self) -> None:
        self._is_waiting = False
        keys = [self._handle_report(self._reports.popleft()) for _ in range(len(self._reports))]
        unstarted = tuple(key for key in keys if key is not None)
        if unstarted and not self._is_draining:
            self._runner.handle(CancelRequested(unstarted))

    def _handle_report(self, report: Report) -> str | None:
        """Handle a report; return the key of a task that won't start because the run was cancelled, else None."""
        if report.kind == "notice":
            self._runner.logged(FLOW, *report.body)
        sent = self._sent.get(report.id)
        if sent is None:
            return None
        if report.kind == "running":
            self._begun(sent, report)
        elif report.kind == "log":
            self._runner.logged(*report.body)
        elif report.kind == "progress":
            self._runner.progressed(*report.body)
        else:
            del self._sent[report.id]
            if report.kind == "unstarted" or (report.kind == "stopped" and not sent.has_begun):
                self._unstarted(sent)
                return sent.job.key
            self._ended(sent, report)
        return None

    def _unstarted(self, sent: Sent) -> None:
        if sent.has_begun:
            self._runner.state_changed(sent.job.key, Pending("Cancelled when it was about to begin."))

    def _begun(self, sent: Sent, report: Report) -> None:
        if sent.is_looping:
            return
        if sent.has_begun:
            self._runner.logged(sent.job.key, 30, "Its worker went away; the cluster runs it again.")
            return
        sent.has_begun = True
        sent.running.at = report.body
        self._runner.state_changed(sent.job.key, sent.running)
        if self._is_cancelled:
            self._cancelling(sent)

    def _cancelling(self, sent: Sent) -> None:
        """Change a running task of a cancelled run to Cancelling, unless a handler returns another state."""
        if not sent.has_begun or type(sent.running) is Cancelling:
            return
        known = self._runner.states[sent.job.key]
        if type(known) is Cancelling:  # the machine knew that it was running
            sent.running = known
            return
        wanted: State = Cancelling("The run was cancelled; it goes on until it ends or is stopped.")
        cancelling = call_task_handlers(sent.job, self._runner, sent.running, wanted)
        if type(cancelling) is Cancelling:
            sent.running = cancelling
            self._runner.state_changed(sent.job.key, cancelling)

    def _ended(self, sent: Sent, report: Report) -> None:
        job, runner = sent.job, self._runner
        state = self._state(report, job.spec)
        if isinstance(state, Unread):
            self._send_values(sent, state)
            return
        if state.is_looped():
            result = state.raw_result  # reading `result` would load it
            if isinstance(state, Looped):
                state.loop_count = job.loop_count
            state = change_state(job, runner, sent.running, state)
            if state.is_looped():
                sent.is_looping = True
                job.loop_count += 1
                job.loop_result = result
                self._send(sent)
                return
        rested = settle_task(job, runner, sent.running, state, sent.inputs, sent.attempt)
        runner.handle(Settled(job.key, rested))

    def _send_values(self, sent: Sent, unread: Unread) -> None:
        """Send an attempt again, with the values that its worker couldn't read from the store."""
        if unread.is_far and self._packer.shelf is not None:
            self._packer.shelf = None
            said = "The store is out of a worker's reach: stored values go to the cluster through this process."
            self._runner.logged(sent.job.key, 20, said)
        sent.reads_store = False
        self._send(sent)

    def _state(self, report: Report, spec: TaskSpec) -> State | Unread:
        if report.kind == "lost":
            return Crashed(report.body, ExecutorError(report.body))
        if report.kind == "stopped":
            return Cancelled(self._runner.threads.message)
        try:
            outcome = read(report.body)
            if isinstance(outcome, Unread):
                return outcome
            if type(outcome.state) is Cancelled:
                return Cancelled(self._runner.threads.message)
            value = report.handle if report.handle is not None else outcome.value
            if isinstance(value, ValueRecord):
                value = self._adopted(value, outcome.content_hash)
        except BaseException as error:  # noqa: BLE001  # a state with a user's object inside
            return steps.state_of_error(error)
        if isinstance(value, PickledValue) or report.handle is not None:
            value = self._values.reference(value, outcome.size_bytes, outcome.content_hash)
            if report.handle is not None and self._packer.keeps(spec):
                value = self._kept(value)
        if value is not None:
            outcome.state.result = value
        return outcome.state

    def _adopted(self, written: ValueRecord, content_hash: str | None) -> object:
        """Return the reference to a value that a worker wrote into the store; `ref` itself if the store's database is full."""
        shelf = self._runner.shelf
        assert shelf is not None  # noqa: S101  # that worker was told of it
        try:
            return replace(shelf.adopt(written), content_hash=content_hash)
        except StoreError:
            return shelf.load(written)

    def _kept(self, ref: WorkerRef) -> ResultRef:
        """Store a value that its worker couldn't store; return `ref` itself if that is impossible."""
        shelf, limit_bytes = self._runner.shelf, config.limits().value_bytes
        if shelf is None or ref.size_bytes > limit_bytes:
            return ref
        try:
            return replace(shelf.put(self._values.load(ref), limit_bytes), content_hash=ref.content_hash)
        except BaseException:  # noqa: BLE001  # unpickling runs user code; the recorder reports the error
            return ref

    # Calls to workers

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
        """Steps 1 to 10, up to the call: a handler may still stop it; Running is emitted when the call begins."""
        runner = self._runner
        rested = begin_task(job, runner, _inputs)
        if rested is None:
            attempt = steps.attempt_number(job.state)
            layer = TaskLayer(runner, job, attempt)
            running = self._running(job, layer)
            if type(running) is Running:
                call = self._call(Sent(job, running, attempt, layer.run_name))
                if call is not None:
                    calls.append(call)
                return
            runner.state_changed(job.key, running)
            rested = running
        runner.handle(Settled(job.key, rested))

    def _running(self, job: Job, layer: TaskLayer) -> State:
        begun = begun_state(job, self._runner, job.inputs or {}, layer)
        return call_task_handlers(job, self._runner, job.state, begun)

    def _send(self, sent: Sent) -> None:
        call = self._call(sent)
        if call is not None:
            self._executor.submit_batch([call])

    def _call(self, sent: Sent) -> Call | None:
        """Return the call and record it as sent; if its arguments can't be pickled, settle the task and return None."""
        number = next(self._ids)
        try:
            call = self._packer.call(number, sent)
        except BaseException as error:  # noqa: BLE001  # pickling runs user code
            failed = change_state(sent.job, self._runner, sent.running, steps.state_of_error(error))
            self._runner.handle(Settled(sent.job.key, failed))
            return None
        self._sent[number] = sent
        return call


def _inputs(job: Job) -> dict[str, object]:
    """Step 6, as in `task_attempt`, but values that workers hold aren't loaded unless the driver needs them."""
    spec, kept = job.spec, job.state.cached_inputs
    inputs = job.inputs
    if inputs is None:
        inputs = fresh_values(spec.constants)
        for binding, up in zip(spec.bindings, job.upstream, strict=True):
            if binding.argument is not None and binding.argument not in kept:
                inputs[binding.argument] = input_value(up)
    inputs.update(kept)
    validator = spec.cache.validator if spec.cache is not None else None
    if validator is not None and needs_inputs(validator) and not takes_references(validator):
        for name, value in inputs.items():
            if is_reference(value):
                inputs[name] = value.load()
    return inputs
