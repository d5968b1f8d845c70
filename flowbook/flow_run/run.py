"""A run of a flow: started, watched, cancelled, resumed; over one or several epochs under one id."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedRLock
from flowbook.engine.events import FLOW, Decided, Logged, StateChanged
from flowbook.engine.mapped_states import fill_children
from flowbook.engine.remote_error import safe_str
from flowbook.engine.state import (
    Cancelled,
    Crashed,
    Failed,
    Paused,
    Pending,
    Running,
    Scheduled,
    State,
)
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import (
    DefinitionError,
    FlowbookError,
    RunClaimedError,
    RunError,
    StartTaskError,
)
from flowbook.executors import Executor, LocalExecutor
from flowbook.executors.interrupts import wait_for
from flowbook.flow_run import resume_plan
from flowbook.flow_run.epochs import new_epoch
from flowbook.flow_run.giving import NOTHING, Giving, refuse_late
from flowbook.flow_run.run_inputs import read_new_inputs, with_parameters
from flowbook.flow_run.run_log import FirstError, RunLog
from flowbook.flow_run.run_request import RunRequest, no_child, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    import pandas as pd

    from flowbook.engine.epoch import Epoch
    from flowbook.engine.events import Event, EventSink
    from flowbook.engine.limits import Limits
    from flowbook.engine.worker_values import WorkerValues
    from flowbook.flow_run.flow_changes import FlowChanges
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.remote_run import RemoteRun
    from flowbook.flow_run.run_inputs import NewInputs, RunInputs
    from flowbook.flow_run.run_states import RunStates
    from flowbook.store.records import Request

__all__ = ["FlowRun", "new_run", "start_run"]

_NUMBERS = itertools.count(1)


class FlowRun:
    """One run. `flow.start()` and `flow.last_run` give it; methods may be called from any thread."""

    def __init__(self, flow: RunnableFlow, asked: RunRequest) -> None:
        self.flow = flow
        self.flow_name = flow.name
        self.graph = asked.graph
        self.parameters = asked.parameters
        self.executor = asked.executor
        self.run_id = os.urandom(16).hex()
        #: The how-manieth run it is: of this flow in the store where it is recorded, else of this session.
        self.number = next(_NUMBERS)
        self.started: float | None = None
        self.ended: float | None = None
        #: Where and when it was begun; whatever day it goes on, its context shows this one.
        self.began = dt.datetime.now().astimezone()
        self._asked = asked
        self._giving = Giving(asked)
        self._log = RunLog(lambda: f"run {self.number} of {self.flow_name!r}")
        self._lock = RankedRLock(Rank.RUN)
        self._over = threading.Event()
        self._over.set()
        self._runner: Epoch | None = None
        self._states: dict[str, State] = dict.fromkeys(asked.graph.specs, Pending())
        self._states.update(asked.states)
        self._state: State = Pending()
        self._next_seq = 1
        self._recording: Recording | None = None
        #: Another process that has the run; None where none has, or this object started it.
        self._away: RemoteRun | None = None
        #: How the flow given differs from the one that was recorded.
        self._changes: FlowChanges | None = None
        #: Of each epoch, the values that workers hold.
        self._held: list[WorkerValues] = []
        #: Who else is told of each event.
        self._sinks: tuple[EventSink, ...] = (self._log,)

    @classmethod
    def recorded(
        cls, recording: Recording, flow: RunnableFlow | None = None, executor: Executor | None = None
    ) -> FlowRun:
        """Return a run that was recorded, by this process or another; with `flow`, else the flow as it was kept."""
        from flowbook.flow_run.remote_run import RemoteRun  # noqa: PLC0415  # the store: longer to load than all the rest

        is_given = flow is not None
        flow = flow if flow is not None else recording.flow()
        kept = recording.given()
        own_executor = executor or kept.executor()
        asked = RunRequest(
            flow.compile(),
            kept.parameters(),
            own_executor or flow.executor or LocalExecutor(),
            limits=recording.limits(),
            has_executor=own_executor is not None,
        )
        run = cls(flow, asked)
        run._recording, run.began = recording, recording.began()  # its own
        run._giving = Giving(asked, kept, is_changed=executor is not None)
        run.run_id, run.number = recording.run_id, recording.number
        run._states.update(recording.states(kept))
        run._state = run._states.pop(FLOW, Pending())
        events = recording.events()
        run._log.extend(events)
        run._next_seq = events[-1].seq + 1 if events else 1
        run.started, run.ended = recording.span()
        if is_given and (found := recording.changes(flow, run.graph)):
            run._changes = found
        if recording.is_owned():
            run._over.clear()
            run._away = RemoteRun(recording, run, run._next_seq - 1)
        else:
            run._note_crash()
        return run

    # Looking

    @property
    def state(self) -> State:
        """The flow's state now; Crashed where its process ended in the middle."""
        self._look()
        runner = self._runner
        return runner.state if runner is not None else self._state

    @property
    def states(self) -> RunStates:
        """The state of every task and child by key, as of now; `run.states(at=…)` as of any moment.

        Live: it changes while the run goes on.
        """
        from flowbook.flow_run.run_states import RunStates  # noqa: PLC0415  # only where somebody looks

        self._look()
        return RunStates(self, self._states_now())

    def _states_now(self) -> dict[str, State]:
        runner = self._runner
        return runner.states if runner is not None else self._states

    @property
    def is_live(self) -> bool:
        """Whether tasks of it run, or are to run, in this process."""
        return not self._over.is_set() and self._away is None

    @property
    def limits(self) -> Limits | None:
        """How many of its tasks may run at once; kept with a recorded run."""
        return self._asked.limits

    @property
    def executor_text(self) -> str:
        """What people call its executor."""
        return self.executor.describe()

    def __getitem__(self, task: object) -> State:
        """Return the state of a task now; a task or its key.

        Raises:
            UnknownTaskError: if it isn't in the flow.
        """
        key = self.graph.key_of(task)
        found = self.states.get(key)
        if found is None:
            raise no_child(key, self.states.get(parent_key(key)))
        from flowbook.flow_run.run_states import as_seen  # noqa: PLC0415  # only where somebody looks

        return as_seen(key, found, self.states)

    def events(self) -> list[Event]:
        """Return all events so far, by their number."""
        self._look()
        return self._log.in_order()

    def logs(self, key: str | None = None) -> list[Logged]:
        """Return the log lines and captured prints, of one task or of all."""
        return [event for event in self.events() if isinstance(event, Logged) and key in (None, event.key)]

    def timeline(self) -> pd.DataFrame:
        """Return what the time of each task went into, in order.

        Returns:
            One row for each time that a task ran, waited for a person or waited for its next attempt; columns `task`
            (its key), `state` (the one it ended in; what goes on: that), `start` and `end` (aware UTC; NaT while it
            goes on, and where its process ended in the middle), `duration`, `attempt` (0: it did not run).
        """
        from flowbook.flow_run.timeline import timeline  # noqa: PLC0415  # only where somebody looks

        return timeline(self.events())

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Let `sink` have every event from now on, in the thread where it happens; return how to stop that.

        Of a run that goes on in another process, events come through the store, in a thread of their own. A sink that
        raises gets no more; the run goes on.

        Raises:
            DefinitionError: if it has no method `emit(event)`.
        """
        stop = self._log.subscribe(sink)
        if (away := self._away) is not None:
            away.follow()
        return stop

    def wait(self, timeout: float | None = None) -> State:
        """Wait until nothing goes on any more, at most `timeout` seconds; return the flow's state then.

        Ctrl-C stops the waiting, not the run.
        """
        if (away := self._away) is not None:
            away.follow()
        wait_for(self._over, timeout)
        return self.state

    def close(self) -> None:
        """Let the cluster forget what the run's tasks returned; what was stored or loaded before stays. May be called again.

        Only `DaskExecutor(address=…)` keeps values after a run; elsewhere there is nothing to do. As a context manager a run
        waits for its end and closes itself; where the block raises, it is cancelled first.

        Raises:
            RunError: if it goes on in this process.
        """
        if self.is_live:
            msg = (
                f"Run {self.number} of {self.flow_name!r} goes on and needs its values. Call wait() or cancel() first."
            )
            raise RunError(msg, run=self.run_id)
        held, self._held = self._held, []
        for each in held:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self.is_live:
            self.cancel(note=f"{kind.__name__} ended the block that had the run.")
        self.wait()
        self.close()

    def _repr_mimebundle_(self, **options: object) -> dict[str, str]:
        from flowbook.draw.picture import LARGEST_SHOWN, picture_of  # noqa: PLC0415  # drawing: only where it is shown

        if len(self.graph.specs) > LARGEST_SHOWN:
            return {**self.state._repr_mimebundle_(), "text/plain": repr(self)}  # what notebooks call
        state = type(self.state).__name__
        shown = picture_of(self.graph, self.states, state=state, caption=f"run {self.number}")
        return {**shown._repr_mimebundle_(**options), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<FlowRun {self.number} of {self.flow_name!r}: {type(self.state).__name__}>"

    # Acting

    def cancel(self, by: str = "", note: str = "") -> None:
        """Start nothing more; tasks that run go on to their end. A run that is over stays as it is.

        Where another process has the run, that one is asked; a recorded run that nobody has and that is not over (it
        waits for a person, or crashed) is closed as Cancelled.

        Raises:
            RunClaimedError: if the other process does not answer.
        """
        while True:
            runner = self._runner
            if runner is not None:
                runner.cancel(by, note)
                return
            if self._ask("cancel", (), by, note):
                return
            with self._lock:
                if self._runner is None and self._away is None and self._cancel_at_rest(by, note):
                    return

    def resume(  # noqa: PLR0913  # who, why, and what `flow.run` takes
        self,
        *tasks: object,
        by: str = "",
        note: str = "",
        force: bool = False,
        parameters: Mapping[str, object] | None = None,
        context: Mapping[str, object] | None = None,
        task_contexts: Mapping[object, Mapping[str, object]] | None = None,
        state_handlers: Sequence[Callable[..., object]] | None = None,
    ) -> FlowRun:
        """Go on with paused tasks (default: all that wait), or with a cancelled or crashed run; return at once.

        A live run takes it as an event, also one in another process; otherwise a new epoch of this run goes on in the
        background. No task whose result is stored runs again. Tasks that wait for a person in a run that crashed wait
        on, unless they are named. The run goes on with what it was given at first; what is given here wins.

        Args:
            tasks: or their keys.
            by: who decides; kept with the run.
            note: why; likewise.
            force: go on although the flow's code differs from what was recorded, or something that the run was given is
                missing here.
            parameters: those that could not be kept; the others stay.
            context: values by name, over those that it was given.
            task_contexts: likewise, by task.
            state_handlers: instead of those that it was given.

        Raises:
            StartTaskError: if a task named here does not wait.
            RunClaimedError: if somebody else goes on with it.
            RunChangedError: if the flow given differs from the one that was recorded; says in what.
            RunIncompleteError: if something that it was given could not be kept; says what, and how to give it again.
            MissingSecretError: if a secret that its context had is not in this one, nor in the environment.
            DefinitionError: if something is given to a run that goes on already, or that is not what it should be.
        """
        keys = tuple(self.graph.key_of(task) for task in tasks)
        again = read_new_inputs(self.graph, parameters, context, task_contexts, state_handlers)
        self._refuse_changed(force=force)
        take_over = partial(self._take_over, again, force=force)
        while not self._ask("resume", keys, by, note, again):
            with self._lock:
                if self._away is None and self._resume_here(keys, by, note, take_over):
                    break
        return self

    def _resume_here(self, keys: tuple[str, ...], by: str, note: str, take_over: Callable[[], None]) -> bool:
        """Go on here; return False if another process went on, so that it is to be asked first."""
        try:
            waiting = self._waiting(keys)
        except (RunClaimedError, StartTaskError):
            if self._is_taken():
                return False
            raise
        take_over()
        runner = self._runner
        if runner is not None and runner.resume(waiting, by, note):
            return True
        if runner is not None:
            self._over.wait()
            waiting = self._waiting(keys)
        is_broken_off = self._state.is_cancelled() or isinstance(self._state, Crashed)
        if isinstance(self._state, Crashed):
            waiting = keys
        #: What another version of the flow added lies below no task that waits.
        is_partial = bool(waiting) and not is_broken_off and self._changes is None
        if is_partial:
            self._go_on(dict(self._states), waiting, "resume", by, note)
        else:
            self._go_on(self._unfinished(), (), "resume", by, note, resumed=waiting)
        return True

    def _unfinished(self) -> dict[str, State]:
        """Return the states to go on from as a whole, or from where the run started."""
        states, given = resume_plan.unfinished(self.graph, self._states), self._giving.at_hand
        return resume_plan.started_again(states, given.start, given.states) if given is not None else states

    def retry(  # noqa: PLR0913  # as `resume`
        self,
        by: str = "",
        note: str = "",
        *,
        force: bool = False,
        parameters: Mapping[str, object] | None = None,
        context: Mapping[str, object] | None = None,
        task_contexts: Mapping[object, Mapping[str, object]] | None = None,
        state_handlers: Sequence[Callable[..., object]] | None = None,
    ) -> FlowRun:
        """Run the failed tasks again with a fresh count of attempts, and what could not run because of them.

        A live run takes it as an event, also one in another process, while its other tasks go on; otherwise a new epoch
        of this run begins. Args and errors as for `resume`; besides,

        Raises:
            StartTaskError: if nothing failed.
        """
        again = read_new_inputs(self.graph, parameters, context, task_contexts, state_handlers)
        self._refuse_changed(force=force)
        take_over = partial(self._take_over, again, force=force)
        while not self._ask("retry", (), by, note, again):
            with self._lock:
                if self._away is None and self._retry_here(by, note, take_over):
                    break
        return self

    def _retry_here(self, by: str, note: str, take_over: Callable[[], None]) -> bool:
        """As `_resume_here`."""
        if (runner := self._runner) is not None:
            take_over()
            if self._retry_live(runner, by, note):
                return True
            self._over.wait()
        states = self._states
        failed = resume_plan.failed(states)
        if not failed and self._is_taken():
            return False
        if not failed:
            hint = " Go on with run.resume()." if isinstance(self._state, Crashed) else ""
            msg = (
                f"Nothing failed in run {self.number} of {self.flow_name!r}: it is {type(self._state).__name__}.{hint}"
            )
            raise StartTaskError(msg, run=self.run_id)
        take_over()
        states = self._states
        again = [*failed, *resume_plan.to_set_up_again(self.graph, states, failed)]
        start = resume_plan.first_of(self.graph, again)
        self._go_on(resume_plan.to_try_again(self.graph, states, again), start, "retry", by, note)
        return True

    def _retry_live(self, runner: Epoch, by: str, note: str) -> bool:
        """Let a live run try again; return False if it is over."""
        taken = runner.retry(by, note)
        if taken is None:
            msg = f"Nothing has failed so far in run {self.number} of {self.flow_name!r}; it goes on."
            raise StartTaskError(msg, run=self.run_id)
        return taken

    def _take_over(self, again: NewInputs, *, force: bool) -> None:
        """Have at hand what the run was given, also where it was begun elsewhere. The caller holds the lock.

        Raises:
            RunIncompleteError, MissingSecretError, DefinitionError: as `resume`.
        """
        if self._runner is not None:
            refuse_late(self, again, "here")
            return
        given = self._giving.take_over(self, self._recording, again, force=force)
        self.parameters = dict(given.parameters)
        if again.parameters:
            self._states = with_parameters(self._states, self.graph, again.parameters)

    def _waiting(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        states = self._states_now()
        if not keys:
            return self._all_waiting(states)
        for key in keys:
            if not resume_plan.waiting(states, (key,)):
                raise self._refusal_of(key, states)
        return resume_plan.waiting(states, keys)

    def _refusal_of(self, key: str, states: Mapping[str, State]) -> FlowbookError:
        if key not in states:
            return no_child(key, states.get(parent_key(key)))
        who = resume_plan.resumed_by(self._log, key)
        told = f", resumed by {who}" if who else ""
        msg = f"{key} does not wait any more: it is {type(states[key]).__name__}{told}."
        return RunClaimedError(msg, key=key, owner=who)

    def _all_waiting(self, states: Mapping[str, State]) -> tuple[str, ...]:
        found = tuple(key for key, state in states.items() if waits_for_person(state))
        if not found and self._runner is not None:
            msg = f"Nothing waits in run {self.number} of {self.flow_name!r}; it goes on."
            raise StartTaskError(msg, run=self.run_id)
        if not found and self._state.is_finished() and not isinstance(self._state, Cancelled | Crashed):
            msg = f"Nothing waits in run {self.number} of {self.flow_name!r}: it is {type(self._state).__name__}."
            raise StartTaskError(msg, run=self.run_id)
        return found

    # A run that another process has, or had

    def obey(self, request: Request) -> bool:
        """Do what another process asks; return False if the run is over, so that it can go on there.

        Raises:
            StartTaskError, RunClaimedError: as `resume`.
        """
        runner = self._runner
        if runner is None:
            return False
        if request.action == "cancel":
            return runner.cancel(request.by, request.note)
        if request.action == "retry":
            return self._retry_live(runner, request.by, request.note) or self._has_ended()
        waiting = self._waiting(tuple(self.graph.key_of(key) for key in request.keys))
        if not runner.resume(waiting, request.by, request.note):
            return self._has_ended()
        return True

    def _has_ended(self) -> Literal[False]:
        """Wait until the run that is ending has let go of the store; return what `obey` says then."""
        self._over.wait()
        return False

    def take_in(self, changed: Mapping[str, State], flow: State | None, events: Iterable[Event]) -> None:
        """Take note of what happened in the process that has the run: of its tasks, of the flow, and all of it."""
        self._states.update(changed)
        self._state = flow or self._state
        fill_children(self._states, {parent_key(key) for key in changed})
        for event in events:
            self._log.emit(event)

    def come_back(self) -> None:
        """Take note that the process that had the run let go of it, or died."""
        assert self._recording is not None  # noqa: S101  # only recorded runs are away
        self._away = None
        self._recording.refresh()
        self._next_seq = self._log.next_seq
        self.started, self.ended = self._recording.span()
        self._note_crash()
        self._over.set()

    def _look(self, *, now: bool = False) -> None:
        if (away := self._away) is not None:
            away.look(now=now)
        elif not self._state.is_successful() and self._lock.acquire(blocking=False):
            try:  # whoever has the lock acts on the run, and will see it too
                self._is_taken(now=now)
            finally:
                self._lock.release()

    def _is_taken(self, *, now: bool = True) -> bool:
        """Return whether another process took up the run, which was at rest here; follow it then. Needs the lock."""
        recording = self._recording
        if recording is None or self._runner is not None or self._away is not None or not recording.is_taken(now=now):
            return False
        self._leave_to(recording)
        return True

    def _leave_to(self, recording: Recording) -> None:
        """From now on follow the process that took up the run. The caller holds the lock."""
        from flowbook.flow_run.remote_run import RemoteRun  # noqa: PLC0415  # the store: longer to load than all the rest

        self._over.clear()
        self._away = away = RemoteRun(recording, self, self._next_seq - 1)
        away.look(now=True)
        if self._log.has_subscribers and self._away is away:
            away.follow()

    def _ask(self, action: str, keys: tuple[str, ...], by: str, note: str, again: NewInputs = NOTHING) -> bool:
        """Return whether another process has the run and did it; if not, this one may go on with it."""
        away = self._away
        if away is not None and again:
            away.look(now=True)
            if self._away is not None:
                refuse_late(self, again, "in another process")
        if away is None or again:
            return False
        if away.ask(action, keys, by, note):
            return True
        away.look(now=True)
        return False

    def _note_crash(self) -> None:
        """Take a run that nobody has and that did not come to rest for what it is."""
        if not isinstance(self._state, Running | Pending) or isinstance(self._state, Paused | Scheduled):
            return
        owner = self._recording.owner() if self._recording is not None else ""
        self._state = Crashed(f"Its process ({owner}) ended in the middle. run.resume() goes on from what is stored.")
        self._states = resume_plan.broken_off(self._states)

    def _refuse_changed(self, *, force: bool) -> None:
        if self._changes is not None and not force:
            raise self._changes.error(self.number, self.flow_name)

    def _cancel_at_rest(self, by: str, note: str) -> bool:
        """Close a run that nobody has, if it is open; return False if another process has it.

        Raises:
            RunClaimedError: if somebody else went on with it, and it is over.
        """
        if self._recording is None or not _is_open(self._state):
            return True
        try:
            if any(spec.cleans_up for spec in self.graph.specs.values()):
                self._take_over(NOTHING, force=True)
                self._go_on(dict(self._states), (), "cancel", by, note, is_cancelled=True)
            else:
                self._close_as_cancelled(self._recording, by, note)
        except RunClaimedError:
            if self._away is None:  # otherwise it was left to them where the claim failed
                self._leave_to(self._recording)
            if self._away is None:
                raise
            return False
        return True

    def _close_as_cancelled(self, recording: Recording, by: str, note: str) -> None:
        recording.claim(by)
        self._state = Cancelled("Cancelled by a person.")
        for event in (
            Decided(self._next_seq, FLOW, time.time(), "cancel", by, note),
            StateChanged(self._next_seq + 1, FLOW, self._state),
        ):
            recording.emit(event)
            self._log.emit(event)
        self._next_seq += 2
        recording.finish(self._state)
        self.ended = time.time()

    # Epochs

    def run_here(self) -> State:
        """Run in this thread; return the flow's final state."""
        first = FirstError(lambda note: self.cancel(note=note))
        if self._asked.raises:
            self._sinks = (self._log, first)
        self._prepare(self._asked.states, self._asked.start)
        self._work()
        if (error := first.take()) is not None:
            raise error
        return self._state

    def run_behind(self) -> FlowRun:
        """Run in a thread of its own; return at once."""
        if self._asked.raises:
            msg = "raise_on_exception has nobody to raise to in the background. Use flow.run(raise_on_exception=True)."
            raise DefinitionError(msg, flow=self.flow_name)
        self._prepare(self._asked.states, self._asked.start)
        self._spawn()
        return self

    def _go_on(  # noqa: PLR0913
        self,
        states: dict[str, State],
        start: tuple[str, ...],
        action: str,
        by: str,
        note: str,
        *,
        resumed: tuple[str, ...] = (),
        is_cancelled: bool = False,
    ) -> None:
        """Begin another epoch in the background: at `start`, or anew where `resumed` need wait for nobody."""
        sinks: list[EventSink] = [self._log]
        if self._recording is not None:
            try:
                self._recording.claim(by)
            except RunClaimedError:
                self._leave_to(self._recording)
                raise
            sinks.insert(0, self._recording)
            self._giving.keep(self, self._recording)
        for key in start or resumed or (FLOW,):
            decided = Decided(self._next_seq, key, time.time(), action, by, note)
            self._next_seq += 1
            for sink in sinks:
                sink.emit(decided)
        self._prepare(states, start, resumed, is_cancelled=is_cancelled)
        self._spawn()

    def _prepare(
        self,
        states: Mapping[str, State],
        start: tuple[str, ...],
        resumed: tuple[str, ...] = (),
        *,
        is_cancelled: bool = False,
    ) -> None:
        given = self._giving.begin()
        if self._recording is None and not self._log and is_recorded(self._asked.record):
            self._record(given)
        self._runner = new_epoch(
            self,
            given,
            self._recording,
            self._sinks,
            states=states,
            state=self._state,
            first_seq=self._next_seq,
            start=start,
            resumed=resumed,
            is_cancelled=is_cancelled,
        )
        self._over.clear()
        if self._recording is not None:
            self._recording.attend(self)
        self.started = self.started if self.started is not None else time.time()
        self.ended = None

    def _spawn(self) -> None:
        threads.spawn(self._work, name=f"run-{self.number}", owner=self)

    def _work(self) -> None:
        runner = self._runner
        assert runner is not None  # noqa: S101  # _prepare made it
        try:
            self._state = runner.run()
        except BaseException as error:
            self._state = runner.state
            if not self._state.is_finished():
                self._state = Failed(f"The run itself failed: {type(error).__name__}: {safe_str(error)}", error)
            raise
        finally:
            self._states = dict(runner.states)
            if runner.worker_values is not None:
                self._held.append(runner.worker_values)
            self._next_seq = runner.next_seq
            self.ended = time.time()
            try:
                if self._recording is None and self._state_is_to_go_on():
                    self._record(self._giving.begin(), afterwards=True)
                if self._recording is not None:
                    self._recording.finish(self._state)
            finally:
                #: Whatever went wrong on the way: nobody waits for this run for ever.
                self._runner = None
                self._over.set()

    def _record(self, given: RunInputs, *, afterwards: bool = False) -> None:
        from flowbook.flow_run.recording import open_recording  # noqa: PLC0415  # the store: longer to load than all the rest

        self._recording = open_recording(self, given, origin=self._asked.origin, afterwards=afterwards)
        self.number = self._recording.number if self._recording is not None else self.number

    def _state_is_to_go_on(self) -> bool:
        return self._asked.record is not False and isinstance(self._state, (Paused, Failed, Scheduled))


def new_run(flow: RunnableFlow) -> FlowRun:
    """Return a run of `flow` that has not begun and is not going to: what a panel shows before the first."""
    values = {p.name: p.default for p in flow.parameters()}
    return FlowRun(flow, RunRequest(flow.compile(), values, flow.executor or LocalExecutor()))


def is_recorded(record: bool | None) -> bool:  # noqa: FBT001  # the caller's word, or none
    """Return whether a run is recorded: as the caller says, else as FLOWBOOK_RECORD=1 does."""
    return os.environ.get("FLOWBOOK_RECORD") == "1" if record is None else record


def start_run(flow: RunnableFlow, parameters: Mapping[str, object] | None, options: dict[str, Any]) -> FlowRun:
    """Check what was asked for, and return a FlowRun that has not begun. Raises as `read_request` does."""
    return FlowRun(flow, read_request(flow, parameters, options))


def _is_open(state: State) -> bool:
    """Return whether a run in that state, which nobody has, is to go on some day."""
    return isinstance(state, Scheduled | Crashed)
