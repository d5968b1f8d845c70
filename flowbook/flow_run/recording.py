"""A run in the store: recorded while it runs, read back, claimed and released."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from flowbook import config
from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.limits import Limits
from flowbook.engine.ports import OutputCache
from flowbook.engine.secret_inputs import all_secret_inputs
from flowbook.engine.state import Submitted
from flowbook.exceptions import FlowbookError, ResultGoneError, RunClaimedError, StoreError, UnpicklableError
from flowbook.flow_run.answers import refuse_unpicklable
from flowbook.flow_run.decision import TypedText
from flowbook.flow_run.fingerprint import fingerprint
from flowbook.flow_run.flow_changes import compare_graphs
from flowbook.flow_run.new_record import owner_text, run_record
from flowbook.flow_run.program_name import program_name
from flowbook.flow_run.request_listener import RequestListener
from flowbook.flow_run.run_description import RunLabel
from flowbook.flow_run.stored_inputs import StoredInputs, store_inputs
from flowbook.store import RunRecord, open_store
from flowbook.store.records import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from flowbook.engine.events import Event, Logged
    from flowbook.engine.graph import Graph
    from flowbook.engine.run_inputs import RunInputs
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.flow_changes import FlowChanges
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.request_listener import RequestHandler
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.store import Store
    from flowbook.store.recorder import Recorder
    from flowbook.store.records import Claim
    from flowbook.store.run_snapshot import RunSnapshot
    from flowbook.store.worker_values import WorkerValues

__all__ = ["Recording", "open_recording", "output_cache", "shelf"]

_LOOK_S = 0.05


class Recording:
    """One run in the store. An EventSink while an epoch runs.

    Args:
        store: the store.
        record: of the run.
        epoch: for which this process has claimed it; 0 if it hasn't.
        functions: of this process that are told of the run, by their form in the store.
    """

    def __init__(
        self, store: Store, record: RunRecord, epoch: int, functions: Mapping[str, Callable[..., object]] | None = None
    ) -> None:
        self.run_id = record.run_id
        self.number = record.number
        self.record = record
        self.epoch = epoch
        self._store = store
        self._lock = RankedLock(Rank.RECORDING)
        self._listener: RequestListener | None = None
        #: Number of the last event that this process has read; None if it recorded all events itself.
        self._last_seq: int | None = None
        self._next_read = 0.0
        self._functions = functions or {}
        #: What each of its recorders couldn't store, the newest last.
        self._unkept: list[Mapping[str, tuple[float, str]]] = []
        self._recorder = None if epoch < 1 else self._new_recorder()

    @classmethod
    def of(cls, store: Store, run_id: str) -> Recording:
        """Return the recording of an earlier run, without claiming it.

        Raises:
            UnknownRunError: if the store has no run of that id.
        """
        return cls(store, store.runs.get(run_id), 0)

    @classmethod
    def at(
        cls,
        store: Store,
        record: RunRecord,
        epoch: int,
        *,
        last_seq: int,
        functions: Mapping[str, Callable[..., object]] | None = None,
    ) -> Recording:
        """Return the recording of a run of which this process knows all up to event `last_seq`, and records nothing now."""
        found = cls(store, record, 0, functions)
        found.epoch, found._last_seq = epoch, last_seq
        return found

    @property
    def store(self) -> Store:
        """The store that has it."""
        return self._store

    @property
    def label(self) -> RunLabel:
        """The run's name in messages."""
        return RunLabel(self.run_id, self.number, self.record.flow)

    def flow(self) -> RunnableFlow:
        """Return the stored flow.

        Raises:
            ResultGoneError: if it couldn't be stored, or was dropped; says why.
            UnpicklableError: if its code can't be imported here, or another version of flowbook stored it.
        """
        if self.record.flow_ref is None:
            why = (self.record.flow_unkept or "no reason was noted").removesuffix(".")
            msg = (
                f"The flow of run {self.number} was not kept: {why}. "
                "Run the cells that define it, then resume with that flow."
            )
            raise ResultGoneError(msg, run_id=self.run_id)
        try:
            return cast("RunnableFlow", self.record.flow_ref.load())
        except ResultGoneError as error:
            msg = (
                f"The flow of run {self.number} was dropped to make room. Run the cells that define it, then give it: "
                f"flowbook.run({self.run_id!r}, flow=...)."
            )
            raise ResultGoneError(msg, run_id=self.run_id) from error
        except UnpicklableError as error:
            msg = (
                f"The stored flow of run {self.number} can't be read here: {error} "
                f"Or run the cells that define it, then give it: flowbook.run({self.run_id!r}, flow=...)."
            )
            raise UnpicklableError(msg, run_id=self.run_id) from error

    def inputs(self) -> StoredInputs:
        """Return the run's inputs; for a successful run whose parameters were dropped, the parameters as text.

        Raises:
            ResultGoneError: if they were dropped, and tasks may still run.
        """
        values, limits = self._store.values, self._limits()
        texts = StoredInputs(dict(self.record.parameters), values, limits)
        ref = self.record.parameters_ref
        if ref is None:
            return texts
        try:
            found = StoredInputs(ref.load(), values, limits)
            found.parameters()
        except ResultGoneError:
            if self._store.runs.summary(self.run_id).state != "Success":
                raise
            return texts
        return found

    def newer_inputs(self) -> StoredInputs | None:
        """Return the run's inputs if another process has changed them since this one read them, else None."""
        ref = self._store.runs.inputs(self.run_id)
        if ref == self.record.parameters_ref:
            return None
        self.record = replace(self.record, parameters_ref=ref)
        return self.inputs()

    def store_inputs(self, inputs: RunInputs, graph: Graph) -> None:
        """Store the run's inputs again, after `resume` added to them; this process must have claimed the run."""
        try:
            stored = store_inputs(inputs, graph, self._store.values)
            self._store.ownership.set_inputs(self.run_id, self.epoch, stored.ref, stored.further)
            self.record = replace(self.record, parameters_ref=stored.ref)
        except FlowbookError as error:
            warnings.warn(f"What run {self.number} was given when it resumed is not recorded: {error}", stacklevel=2)

    def store_flow(self, flow: RunnableFlow, graph: dict[str, object]) -> None:
        """Store the flow and the graph of a run that hasn't begun, whose flow was read from its file again."""
        flow_ref, why_not = self._store.runs.store_flow(flow)
        self._store.ownership.set_flow(self.run_id, self.epoch, graph, flow_ref, why_not)
        self.record = replace(self.record, graph=graph, flow_ref=flow_ref, flow_unkept=why_not)

    def set_flow_runner(self, settings: Mapping[str, Any] | None, epoch: int | None = None) -> None:
        """Store the settings of the flow runner that starts the run's processes from now on.

        Args:
            settings: of the flow runner; None: the run goes on wherever it is resumed.
            epoch: the run's; default: as this process knows it.

        Raises:
            RunClaimedError: if another process has claimed it.
        """
        self._store.ownership.set_flow_runner(self.run_id, self.epoch if epoch is None else epoch, settings)
        self.record = replace(self.record, flow_runner=settings)

    def set_identifier(self, identifier: str) -> None:
        """Store which process has the run, or is about to claim it; "" if it has none of its own."""
        self._store.ownership.set_identifier(self.run_id, self._owner().epoch, identifier)

    def began(self) -> dt.datetime:
        """Return when the run began, in the time zone of the machine that started it."""
        east_s = self.record.graph.get("utc_offset_s")
        zone = None if east_s is None else dt.timezone(dt.timedelta(seconds=east_s))
        return self.record.created.astimezone(zone)

    def _limits(self) -> Limits | None:
        stored = self.record.graph.get("limits")
        return None if stored is None else Limits(stored["total"], stored["by_tag"])

    def snapshot(self, since: int = 0, progress_since: float = 0.0) -> RunSnapshot:
        """Return the run's owner, its events after number `since` and its progress after that time, read at one moment.

        Raises:
            UnknownRunError: if the store doesn't have it.
        """
        return self._store.history.snapshot(self.run_id, since, progress_since)

    def output_sizes(self) -> dict[str, int]:
        """Return the sizes of the outputs that are stored, by key. If the store can't be read: none."""
        with contextlib.suppress(FlowbookError):
            return self._store.history.output_sizes(self.run_id)
        return {}

    def why_unkept(self, key: str, at: float) -> str:
        """Return why the value of the state that this process recorded for a task, at that time, isn't stored; "" if it is."""
        return next((found[key][1] for found in self._unkept if key in found and found[key][0] == at), "")

    def mark_read(self, snapshot: RunSnapshot) -> None:
        """Remember how much of the run this process has read; `claim` is refused if more has been recorded by then."""
        self.epoch, self._last_seq = snapshot.claim.epoch, snapshot.last_seq

    def is_taken(self, *, now: bool = False) -> bool:
        """Return whether another process has claimed the run since `epoch`. Reads the store every 50 ms at most, unless `now`.

        Returns False if the store can't be read, so that the run can still be inspected.
        """
        if not now and time.monotonic() < self._next_read:
            return False
        self._next_read = time.monotonic() + _LOOK_S
        try:
            return self._owner().epoch != self.epoch
        except FlowbookError:
            return False

    def owner_name(self, claim: Claim | None = None) -> str:
        """Return the name of the run's present or last owner, for messages."""
        claim = claim or self._owner()
        return claim.owner or self.record.owner or "another process"

    def is_owned(self) -> bool:
        """Return whether a live process, maybe this one, has the run."""
        return self._store.ownership.is_owned(self.run_id)

    def _owner(self) -> Claim:
        return self._store.ownership.owner(self.run_id)

    def send_request(self, decision: Decision) -> int:
        """Send a decision to the run's owner; return the request's number. Raises UnpicklableError for an input."""
        values, rows, inputs = self._store.values, [], {}
        for name, value in decision.inputs.items():
            try:
                prepared = values.prepare(str(value) if isinstance(value, TypedText) else value)
            except UnpicklableError as error:
                raise refuse_unpicklable(self.label, decision.keys[0], name, error) from error
            rows.append(prepared.row)
            inputs[name] = prepared.ref
        self.epoch = self._owner().epoch
        typed = tuple(name for name, value in decision.inputs.items() if isinstance(value, TypedText))
        request = Request(*decision[:4], inputs, decision.looked_at, typed=typed)
        return self._store.requests.send(self.run_id, request, self.epoch, rows)

    def answer_to(self, number: int) -> dict[str, object] | None:
        """Return the owner's answer to a request; None if it hasn't answered yet."""
        return self._store.requests.answer_to(number)

    def withdraw(self, number: int) -> bool:
        """Take a request back; return False if it was answered already."""
        return self._store.requests.answer(number, {"withdrawn": True})

    def listen(self, label: RunLabel, handler: RequestHandler) -> None:
        """From now on, pass other processes' requests for the run to `handler`."""
        if self._recorder is not None and self._listener is None:
            self._listener = RequestListener(self._store, label, self.epoch, handler)

    def changes(self, flow: RunnableFlow, graph: Graph) -> FlowChanges:
        """Return how `flow`, compiled to `graph`, differs from the flow that was recorded."""
        return compare_graphs(self.record.graph, fingerprint(flow, graph))

    def claim(self, by: str, *, is_start: bool = False) -> None:
        """Claim the run for a new epoch.

        Args:
            by: who claims it, in words; "": this process.
            is_start: whether its tasks run from now on, see `RunOwnership.claim`.

        Raises:
            RunClaimedError: if another process has claimed it in the meantime; says who and when.
        """
        who = by or owner_text()
        self.epoch = self._store.ownership.claim(
            self.run_id, self.epoch, who, last_seq=self._last_seq, is_start=is_start
        )
        self._last_seq = None
        self._recorder = self._new_recorder()

    def _new_recorder(self) -> Recorder:
        recorder = self._store.runs.recorder(
            self.run_id, self.epoch, graph=self.record.graph, on_notices=self._send_notices
        )
        self._unkept.append(recorder.unkept)
        return recorder

    def _send_notices(self) -> None:
        from flowbook.notices.sender import sender_of  # noqa: PLC0415  # only where somebody is told

        sender_of(self._store).wake(self._functions)

    def notice_lines(self) -> list[Logged]:
        """Return what went wrong with notices of the run, as log lines. If the store can't be read: none."""
        with contextlib.suppress(FlowbookError):
            return self._store.notices.log_lines(self.run_id)
        return []

    @contextlib.contextmanager
    def claimed(self, by: str, *, is_start: bool = False) -> Iterator[None]:
        """Claim the run for a new epoch that the block prepares, as `claim` does; release it if the block raises."""
        self.claim(by, is_start=is_start)
        try:
            yield
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Release a run that was claimed and couldn't begin."""
        self._close()
        with contextlib.suppress(FlowbookError):
            self._store.ownership.release(self.run_id, self.epoch)

    def hold(self) -> None:
        """Record nothing more for now, and keep the claim: another process is to take it over."""
        self._close()

    def shelf(self) -> WorkerValues | None:
        """Return the storage to which workers of a cluster may write values themselves."""
        return self._store.worker_values(is_for_all=True)

    def emit(self, event: Event) -> None:
        """Record one event."""
        if self._recorder is not None:
            self._recorder.emit(event)

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Record how far a task is."""
        if self._recorder is not None:
            self._recorder.progressed(key, progress)

    def secure(self, keys: Sequence[str]) -> bool:
        """Return once the states of these tasks are committed; return False if another process has claimed the run."""
        recorder, listener = self._recorder, self._listener
        if recorder is None:
            return True
        recorder.secure(keys)
        if recorder.is_lost and listener is not None:
            listener.lose()
        return not recorder.is_lost

    def finish(self, state: State) -> RunClaimedError | None:
        """Write what is still queued and release the run; return an error if another process has taken the run over.

        A run that is Submitted keeps its owner until the process that it is left to has claimed it.
        """
        recorder = self._close()
        if isinstance(state, Submitted):
            return None
        if recorder is None:
            return None
        reason = recorder.unrecorded
        try:
            if reason is None:
                self._store.ownership.finish(self.run_id, self.epoch, state)
            else:
                why = f"Its record ends in the middle: {reason}"
                self._store.ownership.release(self.run_id, self.epoch, why)  # shown as Crashed: the record has no end
            self._store.make_room()
        except RunClaimedError as error:
            return error
        except FlowbookError as error:
            reason = str(error)
        if reason is not None:
            warnings.warn(f"The end of run {self.number} was not recorded: {reason}", stacklevel=2)
        return None

    def _close(self) -> Recorder | None:
        """Stop the request listener and the recorder; return the recorder."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
        if recorder is not None:
            recorder.close()
        return recorder


def open_recording(run: RunDescription, inputs: RunInputs) -> Recording | None:
    """Start recording a run. If the store can't be used, warn and return None: the run goes on in memory."""
    try:
        store = open_store()
        new = run_record(store, run._replace(origin=run.origin or program_name()), inputs)
        return Recording(store, store.runs.create(new.record), 1, new.functions)
    except FlowbookError as error:
        warnings.warn(f"{run.label.title} is not recorded: {error}", stacklevel=4)
        return None


def shelf(recording: Recording | None) -> WorkerValues | None:
    """Return the storage to which workers of a cluster may write: all values of a recorded run, else only cached ones."""
    if recording is not None:
        return recording.shelf()
    try:
        return open_store().worker_values(is_for_all=False)
    except StoreError:
        return None  # output_cache() has said so


def output_cache(graph: Graph) -> OutputCache | None:
    """Return the output cache. If the store can't be used, warn and return None: all tasks run."""
    project = config.project()
    tasks = [key for key in graph.run_order() if graph.specs[key].cache is not None]
    try:
        store = open_store()
        index, secrets = store.lookup(project, graph.name, tasks), all_secret_inputs(graph)
        return OutputCache(store.values, index, project, graph.codes, secrets=secrets)
    except StoreError as error:
        warnings.warn(f"Nothing is cached: {error}", stacklevel=4)
        return None


def _stamp(moment: dt.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
