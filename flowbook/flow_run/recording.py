"""Wiring between runs and the store: what is kept, when, and how a kept run comes back."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import platform
import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from flowbook import config
from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.limits import Limits
from flowbook.engine.mapped_states import fill_children
from flowbook.engine.ports import OutputCache
from flowbook.engine.remote_error import safe_repr
from flowbook.engine.state import Mapped, Pending, Running
from flowbook.exceptions import FlowbookError, ResultGoneError, StoreError, UnpicklableError
from flowbook.flow_run.flow_changes import changes
from flowbook.flow_run.request_listener import RequestListener
from flowbook.flow_run.stored_inputs import StoredInputs, keep
from flowbook.results.code_hash import code_hash
from flowbook.results.content_hash import content_hash
from flowbook.store import RunRecord, graph_record, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.state import State
    from flowbook.flow_run.flow_changes import FlowChanges
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.run import FlowRun
    from flowbook.flow_run.run_inputs import RunInputs
    from flowbook.store import Store
    from flowbook.store.records import Request
    from flowbook.store.worker_values import WorkerValues

__all__ = ["Recording", "open_recording", "output_cache", "owner_text", "shelf"]

_SHOWN_CHARS = 200
_LOOK_S = 0.05


class Recording:
    """One run's place in the store. An EventSink while an epoch goes on."""

    def __init__(self, store: Store, record: RunRecord, epoch: int) -> None:
        self.run_id = record.run_id
        self.number = record.number
        self.record = record
        self.epoch = epoch
        self._store = store
        self._lock = RankedLock(Rank.RECORDING)
        self._attendant: RequestListener | None = None
        self._next_look = 0.0
        self._recorder = None if epoch < 1 else store.runs.recorder(record.run_id, epoch, graph=record.graph)

    @classmethod
    def of(cls, store: Store, run_id: str) -> Recording:
        """Return the place of a run that was recorded before; nobody's epoch is touched.

        Raises:
            UnknownRunError: if there is none of that id.
        """
        found = cls(store, store.runs.get(run_id), 0)
        found.epoch = store.ownership.owner(run_id).epoch
        return found

    def flow(self) -> RunnableFlow:
        """Return the flow as it was kept.

        Raises:
            ResultGoneError: if it could not be kept, or was dropped; says why.
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

    def given(self) -> StoredInputs:
        """Return what the run was given; parameters as they are shown where they were dropped and nothing needs them.

        Raises:
            ResultGoneError: if they were dropped, and tasks may run yet.
        """
        values = self._store.values
        shown = StoredInputs(dict(self.record.parameters), values)
        ref = self.record.parameters_ref
        if ref is None:
            return shown
        try:
            found = StoredInputs(ref.load(), values)
            found.parameters()
        except ResultGoneError:
            if self._store.runs.summary(self.run_id).state != "Success":
                raise
            return shown
        return found

    def given_since(self) -> StoredInputs | None:
        """Return what the run was given, if another process gave it more since this one looked; None if not."""
        ref = self._store.runs.inputs(self.run_id)
        if ref == self.record.parameters_ref:
            return None
        self.record = replace(self.record, parameters_ref=ref)
        return self.given()

    def keep_given(self, given: RunInputs, graph: Graph) -> None:
        """Keep with the run what it goes on with, since more was given to it; needs the claim."""
        try:
            ref, further = keep(given, graph, self._store.values)
            self._store.ownership.set_inputs(self.run_id, self.epoch, ref, further)
            self.record = replace(self.record, parameters_ref=ref)
        except FlowbookError as error:
            warnings.warn(f"What run {self.number} was given again is not recorded: {error}", stacklevel=2)

    def began(self) -> dt.datetime:
        """Return when the run began, in the time of the place where it did."""
        east_s = self.record.graph.get("utc_offset_s")
        zone = None if east_s is None else dt.timezone(dt.timedelta(seconds=east_s))
        return self.record.created.astimezone(zone)

    def limits(self) -> Limits | None:
        """Return how many tasks may run at once, as the run was begun."""
        kept = self.record.graph.get("limits")
        return None if kept is None else Limits(kept["total"], kept["by_tag"])

    def states(self, given: StoredInputs) -> dict[str, State]:
        """Return the last state of every task by key, the flow's under FLOW; values are references.

        Of a task that has none since the run began, that is the one it was given; where the run was to start, none.
        """
        recorded = self._store.history.states(self.run_id)
        if not (begun := given.states()):
            return recorded
        unbegun = {
            key: Pending(cached_inputs=begun[key].cached_inputs) for key in given.start if _is_one(begun.get(key))
        }
        states = {**begun, **unbegun, **recorded}
        fill_children(states)
        return states

    def events(self, since: int = 0) -> list[Event]:
        """Return the events so far, after number `since`."""
        return self._store.history.events(self.run_id, since)

    def flow_state(self, events: Sequence[Event]) -> State | None:
        """Return the last state of the flow among `events`."""
        found = [event.state for event in events if isinstance(event, StateChanged) and event.key == FLOW]
        return found[-1] if found else None

    def is_owned(self) -> bool:
        """Return whether a process that lives has the run; this one may be it."""
        return self._store.ownership.is_owned(self.run_id)

    def is_taken(self, *, now: bool = False) -> bool:
        """Return whether somebody else took up the run since `epoch`; looks every 50 ms at most unless it has to be `now`.

        A store that can't be asked any more does not keep anybody from looking at the run as it was.
        """
        if not now and time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + _LOOK_S
        try:
            return self._store.ownership.owner(self.run_id).epoch != self.epoch
        except FlowbookError:
            return False

    def refresh(self) -> None:
        """Take note of the epoch it is at now."""
        self.epoch = self._store.ownership.owner(self.run_id).epoch

    def owner(self) -> str:
        """Return who has the run, or had it last, in words."""
        return self._store.ownership.owner(self.run_id).owner or self.record.owner or "Another process"

    def ask(self, request: Request) -> int:
        """Leave a request for the run's owner; return its number."""
        self.refresh()
        return self._store.requests.send(self.run_id, request, self.epoch)

    def answered(self, number: int) -> dict[str, object] | None:
        """Return the owner's answer, or None."""
        return self._store.requests.answer_to(number)

    def withdraw(self, number: int) -> bool:
        """Take a request back; return False if it was answered already."""
        return self._store.requests.answer(number, {"withdrawn": True})

    def attend(self, run: FlowRun) -> None:
        """From now on hear what others ask of the run, which goes on here."""
        if self._recorder is not None and self._attendant is None:
            self._attendant = RequestListener(self._store, run, self.epoch)

    def changes(self, flow: RunnableFlow, graph: Graph) -> FlowChanges:
        """Return how `flow`, compiled to `graph`, differs from the flow that was recorded."""
        return changes(self.record.graph, _graph_record(flow, graph))

    def span(self) -> tuple[float | None, float | None]:
        """Return when the run started and ended, seconds since the epoch."""
        claim = self._store.ownership.owner(self.run_id)
        return _stamp(claim.started), _stamp(claim.ended)

    def claim(self, by: str) -> None:
        """Take up the run for a new epoch.

        Raises:
            RunClaimedError: if somebody else did in the meantime; says who and when.
        """
        self.epoch = self._store.ownership.claim(self.run_id, self.epoch, by or owner_text())
        self._recorder = self._store.runs.recorder(self.run_id, self.epoch, graph=self.record.graph)

    def shelf(self) -> WorkerValues | None:
        """Return where workers of a cluster may keep values themselves."""
        return self._store.worker_values(is_for_all=True)

    def emit(self, event: Event) -> None:
        """Record one event."""
        if self._recorder is not None:
            self._recorder.emit(event)

    def secure(self, keys: Sequence[str]) -> None:
        """Return when what tasks `keys` came to is committed."""
        if self._recorder is not None:
            self._recorder.secure(keys)

    def finish(self, state: State) -> None:
        """Write what waits, and let go of the run."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
            attendant, self._attendant = self._attendant, None
        if attendant is not None:
            attendant.dismiss()
        if recorder is None:
            return
        recorder.close()
        reason = recorder.unrecorded
        try:
            if reason is None:
                self._store.ownership.finish(self.run_id, self.epoch, state)
            else:
                self._store.ownership.release(self.run_id, self.epoch)  # shown as Crashed: the record has no end
            self._store.make_room()
        except FlowbookError as error:
            reason = str(error)
        if reason is not None:
            warnings.warn(f"The end of run {self.number} was not recorded: {reason}", stacklevel=2)


def open_recording(run: FlowRun, given: RunInputs, *, origin: str, afterwards: bool = False) -> Recording | None:
    """Begin to record `run`; a store that can't be used is a warning, the run goes on in memory, and None comes back.

    Args:
        run: not begun, or over when `afterwards`.
        given: what it was given.
        origin: e.g. the notebook's name.
        afterwards: keep what is needed to go on with a run that is over.
    """
    try:
        store = open_store()
        flow_ref, why_not = store.runs.store_flow(run.flow)
        given_ref, further = keep(given, run.graph, store.values)
        created = RunRecord(
            run_id=run.run_id,
            flow=run.flow_name,
            project=config.project(),
            graph={
                **_graph_record(run.flow, run.graph),
                "limits": _limits_record(run.limits),
                "utc_offset_s": _utc_offset_s(run.began),
            },
            created=run.began.astimezone(dt.UTC),
            parameters={name: _shown(value) for name, value in run.parameters.items()},
            parameters_ref=given_ref,
            further=further,
            flow_ref=flow_ref,
            flow_unkept=why_not,
            executor=run.executor_text,
            origin=origin,
            owner=owner_text(),
        )
        recording = Recording(store, store.runs.create(created), 1)
    except FlowbookError as error:
        warnings.warn(f"Run {run.number} of {run.flow_name!r} is not recorded: {error}", stacklevel=4)
        return None
    if afterwards:
        _record_past(recording, run)
    return recording


def shelf(recording: Recording | None) -> WorkerValues | None:
    """Return where workers of a cluster may keep values themselves: all of a recorded run's, else the cached ones."""
    if recording is not None:
        return recording.shelf()
    try:
        return open_store().worker_values(is_for_all=False)
    except StoreError:
        return None  # output_cache() has said so


def output_cache(graph: Graph) -> OutputCache | None:
    """Return where outputs are cached; a store that can't be used is a warning, and None comes back: the tasks run."""
    project = config.project()
    tasks = [key for key, spec in graph.specs.items() if spec.cache is not None]
    try:
        store = open_store()
        return OutputCache(store.values, store.lookup(project, graph.name, tasks), project)
    except StoreError as error:
        warnings.warn(f"Nothing is cached: {error}", stacklevel=4)
        return None


def owner_text() -> str:
    """Return who runs here: the user at the host, and the process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "somebody"
    return f"{user}@{platform.node()}:{os.getpid()}"


def _graph_record(flow: RunnableFlow, graph: Graph) -> dict[str, object]:
    #: Thousands of copies of a task share one function, and one trigger.
    hashes = _CodeHashes()
    codes = {key: hashes[spec.run] for key, spec in graph.specs.items()}
    wirings = {key: wiring for key, spec in graph.specs.items() if (wiring := _wiring(flow, spec, hashes)) is not None}
    return graph_record(graph, codes, wirings)


class _CodeHashes(dict["Callable[..., object]", str]):
    def __missing__(self, function: Callable[..., object]) -> str:
        found = self[function] = code_hash(function)
        return found


def _wiring(flow: RunnableFlow, spec: TaskSpec, hashes: _CodeHashes) -> str | None:
    """Return a hash of what the flow's author gave a task besides its code and its edges; None: nothing."""
    given: list[tuple[object, ...]] = [("constant", *item) for item in (spec.constants or {}).items()]
    given += [("mapped", *item) for item in (spec.mapped_constants or {}).items()]
    given += [("way", bound.argument, bound.flattened) for bound in spec.bindings if bound.mapped or bound.flattened]
    given += [("own", *item) for item in flow.own_fields(spec.task).items()]
    if spec.trigger is not None:
        cells = [cell.cell_contents for cell in getattr(spec.trigger, "__closure__", None) or ()]
        given.append(("trigger", hashes[spec.trigger], *(each for each in cells if not callable(each))))
    try:
        return content_hash(given) if given else None
    except UnpicklableError:
        return content_hash([tuple(map(_hash, each)) for each in given])


def _hash(value: object) -> str:
    """Return a hash of what can be pickled; of anything else only what it is."""
    try:
        return content_hash(value)
    except UnpicklableError:
        return type(value).__qualname__


def _limits_record(limits: Limits | None) -> dict[str, object] | None:
    return None if limits is None else {"total": limits.total, "by_tag": dict(limits.by_tag)}


def _utc_offset_s(moment: dt.datetime) -> float | None:
    offset = moment.utcoffset()
    return None if offset is None else offset.total_seconds()


def _is_one(state: State | None) -> bool:
    """Return whether this is a state of one task or child, not of several together."""
    return state is not None and not isinstance(state, Mapped)


def _record_past(recording: Recording, run: FlowRun) -> None:
    """Record a run that is over: when it began, and its last states, in the order of its events."""
    changed = [event for event in run.events() if isinstance(event, StateChanged)]
    last = {event.key: event for event in changed}
    flow_event = last.pop(FLOW, None)
    began = next((event for event in changed if event.key == FLOW and isinstance(event.state, Running)), None)
    if began is not None:
        recording.emit(began)
    for event in sorted(last.values(), key=lambda e: e.seq):
        recording.emit(event)
    if flow_event is not None:
        recording.emit(flow_event)


def _shown(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else safe_repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _stamp(moment: dt.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
