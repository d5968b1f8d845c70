"""Controls one run: starts its epochs here, follows it in other processes, and brings it back to rest."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedRLock
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.remote_error import error_line
from flowbook.engine.run_inputs import RunInputs
from flowbook.engine.start_point import StartPoint
from flowbook.engine.state import Cancelled, Crashed, Failed, Pending, Running, Scheduled, Submitted
from flowbook.exceptions import RunClaimedError, StartTaskError
from flowbook.flow_run import at_rest
from flowbook.flow_run.decision import decided
from flowbook.flow_run.location import AtRest, Elsewhere, Here
from flowbook.flow_run.new_inputs import NewInputs, refuse_late
from flowbook.flow_run.own_process import OwnProcess, own_process_of
from flowbook.flow_run.recording_default import is_recorded, is_worth_recording
from flowbook.flow_run.reported_run import reporting_sinks
from flowbook.flow_run.resume_plan import begun_anew, broken_off, plan_cancel
from flowbook.flow_run.run_log import RunLog
from flowbook.flow_run.unrecorded_notices import tell_if_unrecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flowbook.engine.answer import Answer
    from flowbook.engine.events import Event
    from flowbook.engine.state import State
    from flowbook.engine.worker_values import WorkerValues
    from flowbook.executors.base import Executor
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.flow_changes import FlowChanges
    from flowbook.flow_run.location import Location
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.run_description import RunDescription
    from flowbook.flow_run.stored_inputs import StoredInputs
    from flowbook.store.records import Claim

__all__ = ["RunControl"]

_NOTHING_NEW = NewInputs()


class RunControl:
    """One run's location, and its moves between locations. From any thread.

    The location is one value. Reading it takes no lock. A thread that replaces it takes the lock and checks that the
    location is still the one it read. No subscriber and no task runs under that lock.

    Args:
        run: facts that all epochs share.
        inputs: the run's inputs; those of a recorded run are loaded when it resumes.
        record: whether it is recorded; None: decided as in `recording_default`.

    Attributes:
        location: where the run is.
        started: seconds since 1970; None before the start.
        ended: seconds since 1970; None while it runs.
        changes: how the flow differs from the recorded one; None if it doesn't.
        log: all events.
    """

    #: The process of its own that the run may have; made when it is first asked for, as most have none.
    own_process: OwnProcess = property(own_process_of)  # type: ignore[assignment]  # what reading it gives

    def __init__(self, run: RunDescription, inputs: RunInputs | StoredInputs, *, record: bool | None = None) -> None:
        self.run = run
        self.inputs = inputs
        #: The executor passed for this run; None if the flow's own or the default is used.
        self.own_executor: Executor | None = None
        self.log = RunLog(run.label)
        states: dict[str, State] = dict.fromkeys(run.graph.specs, Pending())
        if isinstance(inputs, RunInputs):
            states.update(inputs.states)
            self.own_executor = inputs.executor
        self.location: Location = AtRest(Pending(), states)
        self.started: float | None = None
        self.ended: float | None = None
        self.changes: FlowChanges | None = None
        #: Whether it has inputs that aren't stored yet.
        self.has_new_inputs = False
        #: Whether the run is recorded; None: decided as in `recording_default`.
        self.record = record
        #: Whether a terminal shows its progress, so that its failures needn't be logged.
        self.is_displayed = False
        #: Whether epochs are run by whoever called for them, with `work`: the engine's process does it in its main thread.
        self.works_in_caller = False
        #: Values of its tasks that workers hold, by epoch.
        self._worker_values: list[WorkerValues] = []
        self._lock = RankedRLock(Rank.RUN)

    # Where it is

    def refresh(self, *, now: bool = False) -> Location:
        """Read what other processes did, every 50 ms at most unless `now`; return where the run is."""
        location = self.location
        if isinstance(location, Elsewhere):
            location.remote.refresh(now=now)
        elif (
            isinstance(location, AtRest)
            and location.recording is not None
            and not location.state.is_successful()
            and location.recording.is_taken(now=now)
        ):
            self._follow(location, location.recording)
        return self.location

    def follow(self, recording: Recording) -> None:
        """Follow a recorded run that was just loaded, or that another process was given."""
        location = self.location
        if isinstance(location, AtRest):
            self._follow(location, recording)

    @contextlib.contextmanager
    def moving(self, seen: Location) -> Iterator[bool]:
        """Hold the lock of the run's location; return whether that is still `seen`."""
        with self._lock:
            yield self.location is seen

    def _follow(self, seen: AtRest, recording: Recording) -> None:
        """Follow the recorded run from now on, if its location is still `seen`."""
        from flowbook.flow_run.remote_run import RemoteRun, recorded_states  # noqa: PLC0415  # loading the store takes long

        snapshot = recording.snapshot()
        states = recorded_states(self.run.graph, self.inputs, snapshot)
        with self._lock:
            if self.location is not seen:
                return
            if seen.is_lost:
                self.log.replace(snapshot.events)
            else:
                for event in snapshot.events:
                    if event.seq >= seen.next_seq:
                        self.log.append(event)
            remote = RemoteRun(
                recording, snapshot, states, self.log, lambda: self._on_released(away), self.own_process.ends_soon
            )
            self.location = away = Elsewhere(remote, self.run.graph)
            self._set_times(snapshot.claim)
        remote.refresh(now=True)
        if self.log.subscribers:
            remote.follow()

    def _on_released(self, away: Elsewhere) -> None:
        """Return to rest after the other process has released the run or died."""
        remote, snapshot = away.remote, away.remote.snapshot
        rest = AtRest(remote.state, remote.states, self.log.next_seq, remote.recording)
        if isinstance(rest.state, Running | Pending | Submitted) and not isinstance(rest.state, Scheduled):
            who = remote.recording.owner_name(snapshot.claim)
            crashed = Crashed(f"Its process ({who}) ended in the middle. run.resume() goes on from what is stored.")
            rest = rest._replace(state=crashed, states=broken_off(remote.states))
        with self._lock:
            if self.location is away:
                remote.recording.mark_read(snapshot)
                self._set_times(snapshot.claim)
                self.location = rest
        away.over.set()

    def _set_times(self, claim: Claim) -> None:
        self.started, self.ended = (None if at is None else at.timestamp() for at in (claim.started, claim.ended))

    # What people decide

    def decide(self, decision: Decision, new: NewInputs = _NOTHING_NEW, *, force: bool = False) -> None:
        """Carry out a decision, wherever the run is.

        Args:
            decision: cancel, retry, or an answer to tasks that wait.
            new: inputs that the caller adds.
            force: resume even if the flow has changed or an input is missing.

        Raises:
            RunError, DefinitionError: as documented at `FlowRun.resume`, `retry` and `cancel`.
        """
        label = self.run.label
        if self.changes is not None and not force and not decision.action.startswith("cancel"):
            raise self.changes.error(label.number, label.flow_name)
        location, is_done = self.location, False
        while not is_done:
            if isinstance(location, AtRest):
                is_done = self._decide_at_rest(location, decision, new, force=force)
            else:
                refuse_late(label, new, "here" if isinstance(location, Here) else "in another process")
                is_done = location.apply(decision)
            if not is_done and isinstance(location, Here):
                is_done = self._wait_or_defer(location, lambda: self.decide(decision, force=force))
            location = self.refresh(now=True)

    def _wait_or_defer(self, here: Here, action: Callable[[], None]) -> bool:
        """Wait until the run is no longer here; if a subscriber holds it up, schedule `action` for then and return True."""
        if here.wait():
            return False
        with self._lock:
            if self.location is not here:
                return False
            here.afterwards.append(action)
            return True

    def _decide_at_rest(self, rest: AtRest, decision: Decision, new: NewInputs, *, force: bool) -> bool:
        """Carry out a decision about a run at rest; return False if its location has changed meanwhile."""
        if rest.is_on_its_way:
            time.sleep(at_rest.LOOK_S)
            return False
        if decision.action in {"cancel", "cancel_now"}:
            try:
                return self._cancel_at_rest(rest, decision)
            except RunClaimedError:
                if not isinstance(self.refresh(now=True), Elsewhere):
                    raise
                return False
        try:
            inputs, start, answer = at_rest.plan(self, rest, decision, new, force=force)
        except (RunClaimedError, StartTaskError):
            if self.refresh(now=True) is rest:
                raise
            return False
        if self.own_process.is_wanted:
            return self.own_process.go_on(rest, inputs, decision, force=force)
        return self._begin_next(rest, inputs, start, decision, answer)

    def _cancel_at_rest(self, rest: AtRest, decision: Decision) -> bool:
        """Cancel a run at rest if it isn't over; return False if its location has changed meanwhile."""
        recording = rest.recording
        if recording is None or not isinstance(rest.state, Scheduled | Crashed):
            return True
        if self.started is not None and any(spec.cleans_up for spec in self.run.graph.specs.values()):
            inputs = at_rest.inputs_to_resume(self, rest, _NOTHING_NEW, force=True)
            if self.own_process.is_wanted:
                return self.own_process.go_on(rest, inputs, decision, force=True)
            at = StartPoint(rest.states, rest.state, first_seq=rest.next_seq)
            return self._begin_next(rest, inputs, plan_cancel(at), decision)
        with self._lock:
            if self.location is not rest:
                return False
            with recording.claimed(decision.by):
                self._record_cancelled(rest, recording, decision)
        self.log.deliver()
        return True

    def _record_cancelled(self, rest: AtRest, recording: Recording, decision: Decision) -> None:
        """Record that a claimed run at rest was cancelled, and release it. Call it with the lock held."""
        state = Cancelled("Cancelled by a person.")
        events: list[Event] = [*decided(decision, (FLOW,), rest.next_seq), StateChanged(rest.next_seq + 1, FLOW, state)]
        for event in events:
            recording.emit(event)
            self.log.append(event)
        recording.finish(state)
        self.ended = time.time()
        self.location = AtRest(state, rest.states, rest.next_seq + 2, recording)

    # Into an epoch here, and back to rest

    def begin(self, state: State | None = None) -> Here:
        """Begin the run, once; return its location, with the first epoch ready for `work`."""
        rest, inputs = self.location, self.inputs
        assert isinstance(rest, AtRest)  # noqa: S101  # no other thread has the run yet, and it wasn't loaded:
        assert isinstance(inputs, RunInputs)  # noqa: S101
        self.run.executor.check_process()
        recording = self._open_recording() if is_recorded(self.record) else None
        try:
            here = self._here(
                inputs, StartPoint(inputs.states, rest.state if state is None else state, inputs.start), recording
            )
            self.location = here
            self._mark_started(here)
        except BaseException:
            self._return_to_rest(recording, rest)
            raise
        return here

    def start(self, state: State | None = None) -> None:
        """Begin the run, once, in the background."""
        rest, here = self.location, self.begin(state)
        assert isinstance(rest, AtRest)  # noqa: S101  # as for `begin`
        try:
            self._spawn(here)
        except BaseException:
            self._return_to_rest(here.recording, rest)
            raise

    def begin_recorded(self) -> None:
        """Begin a run that was recorded before it begins. Raises as `_begin_next`."""
        rest = self.location
        assert isinstance(rest, AtRest)  # noqa: S101  # it is new to this process
        inputs = at_rest.inputs_to_resume(self, rest, _NOTHING_NEW, force=False)
        start = StartPoint(inputs.states, rest.state, inputs.start, first_seq=rest.next_seq)
        self._begin_next(rest, inputs, start, None)

    def go_on(self) -> None:
        """Go on with a run that another process has left to this one, or that broke off. Raises as `_begin_next`."""
        rest = self.location
        assert isinstance(rest, AtRest)  # noqa: S101  # as above
        self._begin_next(rest, *at_rest.plan_rest(self, rest), None)

    def _begin_next(
        self,
        rest: AtRest,
        inputs: RunInputs,
        start: StartPoint,
        decision: Decision | None,
        answer: Answer | None = None,
    ) -> bool:
        """Begin another epoch in the background; return False if the run's location has changed meanwhile.

        Raises:
            RunClaimedError: if another process has claimed it.
        """
        events: list[Event] = []
        if decision is not None:
            keys = start.start or start.resumed or (FLOW,)
            told = decision._replace(definitions=self.changes.definitions if self.changes is not None else {})
            events += decided(told, keys, rest.next_seq, answer, start.states)
        events += begun_anew(rest.states, start.states, rest.next_seq + len(events))
        start = start._replace(first_seq=start.first_seq + len(events))
        try:
            here = self._claim(rest, inputs, start, events, "" if decision is None else decision.by)
        except RunClaimedError:
            self.refresh(now=True)
            raise
        if here is None:
            return False
        try:
            if here.recording is not None and self.has_new_inputs:
                here.recording.store_inputs(inputs, self.run.graph)
                self.has_new_inputs = False
            self.log.deliver()
            self._mark_started(here)
            self._spawn(here)
        except BaseException:
            self._return_to_rest(here.recording, rest)
            raise
        return True

    def _claim(
        self, rest: AtRest, inputs: RunInputs, start: StartPoint, events: Sequence[Event], by: str
    ) -> Here | None:
        """Claim the run, log the events, and make it run here; return None if its location has changed meanwhile."""
        with self._lock:
            if self.location is not rest:
                return None
            recording = rest.recording
            with contextlib.nullcontext() if recording is None else recording.claimed(by, is_start=True):
                here = self._here(inputs, start, recording)
                for event in events:
                    if recording is not None:
                        recording.emit(event)
                    self.log.append(event)
            self.inputs = inputs
            self.location = here
            return here

    def _here(self, inputs: RunInputs, start: StartPoint, recording: Recording | None) -> Here:
        from flowbook.flow_run.epochs import new_epoch  # noqa: PLC0415  # the engine, loaded with the first run

        sinks = (self.log, *reporting_sinks(self))
        epoch = new_epoch(self.run, inputs, start, recording, sinks)
        return Here(epoch, recording, self.run, self.log, given=self._expect_taker)

    def _expect_taker(self) -> None:
        from flowbook.flow_run.hand_over import expect_taker  # noqa: PLC0415  # few runs are handed over

        expect_taker(self)

    def _mark_started(self, here: Here) -> None:
        if here.recording is not None:
            here.recording.listen(self.run.label, here)
        self.started = self.started if self.started is not None else time.time()
        self.ended = None

    def _return_to_rest(self, recording: Recording | None, rest: AtRest) -> None:
        """Return to rest because an epoch could not begin."""
        here = self.location
        if recording is not None:
            recording.release()
        with self._lock:
            self.location = rest._replace(next_seq=max(self.log.next_seq, rest.next_seq), recording=recording)
        if isinstance(here, Here):
            here.end()

    def _spawn(self, here: Here) -> None:
        """Run an epoch in a thread of its own, unless the caller wants to call `work`."""
        if self.works_in_caller:
            return
        threads.spawn(self.work, here, name=f"run-{self.run.label.number}", owner=self)

    def work(self, here: Here) -> State:
        """Run an epoch in this thread, to its end; return the flow's state."""
        epoch = here.epoch
        state: State | None = None
        try:
            state = epoch.run()
        except BaseException as error:
            if not epoch.state.is_finished():
                state = Failed(f"The run itself failed: {error_line(error)}", error)
            raise
        finally:
            state = self.end(here, epoch.state if state is None else state)
        return state

    def end(self, here: Here, state: State) -> State:
        """Record the end of an epoch and come to rest; return the flow's state."""
        epoch, recording = here.epoch, here.recording
        if epoch.worker_values is not None:
            self._worker_values.append(epoch.worker_values)
        rest = AtRest(state, dict(epoch.states), epoch.next_seq, recording)
        lost_to = None
        try:
            self.ended = time.time()
            if recording is None and is_worth_recording(self.record, state):
                recording = self._record_past()
                rest = rest._replace(recording=recording)
            lost_to = recording.finish(state) if recording is not None else None
            tell_if_unrecorded(self.run, rest)
        finally:
            # Whatever went wrong, callers of `wait` must return.
            lost_to = here.lost_to or lost_to
            if lost_to is not None:
                rest = rest._replace(state=Cancelled(f"Stopped here. {lost_to}"), is_lost=True)
            with self._lock:
                self.location = rest
            here.end()
        return rest.state

    def _open_recording(self) -> Recording | None:
        from flowbook.flow_run.recording import open_recording  # noqa: PLC0415  # loading the store takes long

        assert isinstance(self.inputs, RunInputs)  # noqa: S101  # it began here
        recording = open_recording(self.run, self.inputs)
        if recording is not None:
            self.run = self.run._replace(label=self.run.label._replace(number=recording.number))
            self.log.label = self.run.label
        return recording

    def _record_past(self) -> Recording | None:
        from flowbook.flow_run.past_record import record_past  # noqa: PLC0415  # as above

        recording = self._open_recording()
        if recording is not None:
            record_past(recording, self.log.in_order())
        return recording

    def close(self) -> None:
        """Release the values that workers hold."""
        while self._worker_values:
            self._worker_values.pop().close()
