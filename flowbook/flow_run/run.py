"""A run of a flow as its user sees it: started, watched, cancelled, resumed; over one or several epochs, under one id."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import time
from typing import TYPE_CHECKING, Any, Literal, Self

from flowbook.engine.run_inputs import RunInputs
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import DefinitionError, RunError
from flowbook.executors import LocalExecutor
from flowbook.executors.interrupts import wait_for
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.location import AtRest, Elsewhere, Here
from flowbook.flow_run.new_inputs import read_new_inputs
from flowbook.flow_run.reported_run import on_terminal
from flowbook.flow_run.run_control import RunControl
from flowbook.flow_run.run_description import RunDescription, RunLabel
from flowbook.flow_run.run_log import FirstError
from flowbook.flow_run.run_request import RunRequest, no_child, read_request

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    import pandas as pd

    from flowbook.engine.events import Event, EventSink, Logged
    from flowbook.engine.graph import Graph
    from flowbook.engine.limits import Limits
    from flowbook.engine.state import State
    from flowbook.executors.base import Executor
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.run_states import RunStates

__all__ = ["FlowRun", "new_run", "start_run"]

_NUMBERS = itertools.count(1)
_WHERE: dict[type, Literal["at rest", "here", "elsewhere"]] = {AtRest: "at rest", Here: "here", Elsewhere: "elsewhere"}


class FlowRun:
    """One run of a flow. `flow.start()`, `flow.last_run` and `flowbook.run(...)` give it.

    It may run in this process, in another one, or nowhere at the moment: everything here works alike. Methods may be
    called from any thread, also by a subscriber while it receives an event.
    """

    def __init__(self, control: RunControl, request: RunRequest | None = None) -> None:
        self._control = control
        self._request = request

    # What it is

    @property
    def flow(self) -> RunnableFlow:
        """The flow that runs."""
        return self._control.run.flow

    @property
    def flow_name(self) -> str:
        """The name of its flow."""
        return self._control.run.label.flow_name

    @property
    def graph(self) -> Graph:
        """The flow as it was compiled for this run."""
        return self._control.run.graph

    @property
    def run_id(self) -> str:
        """Unique over all stores."""
        return self._control.run.label.run_id

    @property
    def number(self) -> int:
        """Run number, counted per flow in the store, or per session if the run isn't recorded."""
        return self._control.run.label.number

    @property
    def name(self) -> str:
        """What `flow.run(flow_run_name=...)` called it; empty: nothing."""
        return self._control.inputs.name

    @property
    def parameters(self) -> dict[str, object]:
        """The values of its parameters. A copy."""
        inputs = self._control.inputs
        return dict(inputs.parameters) if isinstance(inputs, RunInputs) else inputs.parameters()

    @property
    def executor(self) -> Executor:
        """Where its tasks run."""
        return self._control.run.executor

    @property
    def executor_text(self) -> str:
        """A short description of its executor."""
        return self.executor.describe()

    @property
    def limits(self) -> Limits | None:
        """How many of its tasks may run at once; None: as many as the executor can."""
        return self._control.inputs.limits

    @property
    def began(self) -> dt.datetime:
        """When it began, in the time zone of the place where it did; aware. Its context shows this day whenever it resumes."""
        return self._control.run.began

    @property
    def started(self) -> float | None:
        """When its first task could run, seconds since 1970; None before."""
        return self._control.started

    @property
    def ended(self) -> float | None:
        """When it came to rest, seconds since 1970; None as long as it goes on."""
        return self._control.ended

    # Looking

    @property
    def where(self) -> Literal["at rest", "here", "elsewhere"]:
        """Where it is: at rest, in this process, or in another one, which can be asked to cancel or resume it."""
        return _WHERE[type(self._control.look())]

    @property
    def is_live(self) -> bool:
        """Whether its tasks run, or are to run, in this process."""
        return isinstance(self._control.location, Here)

    @property
    def state(self) -> State:
        """The flow's state now; Crashed if its process ended in the middle."""
        return self._control.look().state

    @property
    def states(self) -> RunStates:
        """The state of every task and child by key, as of now; `run.states(at=...)` as of any time.

        Live: it changes while the run goes on.
        """
        from flowbook.flow_run.run_states import RunStates  # noqa: PLC0415  # only where somebody looks

        states = self._control.look().states
        return RunStates(self.graph, self._control.log, states)

    def __getitem__(self, task: object) -> State:
        """Return the state of a task now; a task or its key.

        Raises:
            UnknownTaskError: if it isn't in the flow.
            StartTaskError: if it names a child that there is not.
        """
        from flowbook.flow_run.run_states import complete_state  # noqa: PLC0415  # only where somebody looks

        key = self.graph.key_of(task)
        states = self.states
        found = states.get(key)
        if found is None:
            raise no_child(key, states.get(parent_key(key)))
        return complete_state(key, found, states)

    def events(self) -> list[Event]:
        """Return all events so far, by their number."""
        self._control.look()
        return self._control.log.in_order()

    def logs(self, key: str | None = None) -> list[Logged]:
        """Return the log lines and captured prints by their number, of one task or of all."""
        self._control.look()
        return self._control.log.logged(key)

    def timeline(self) -> pd.DataFrame:
        """Return what the time of each task went into, in order.

        Returns:
            One row for each time that a task ran, waited for a person or waited for its next attempt; columns `task`
            (its key), `state` (the one it ended in; what goes on: that), `start` and `end` (aware UTC; NaT while it
            goes on, and if its process ended in the middle), `duration`, `attempt` (0: it did not run).
        """
        from flowbook.flow_run.timeline import timeline  # noqa: PLC0415  # only where somebody looks

        return timeline(self.events())

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Let `sink` have every event from now on, once, in order; return how to stop that.

        `sink.emit(event)` is called in one thread at a time, holding no lock: it may call anything on this run or
        another, only not wait for this one. Events of a run that another process has come through the store. A sink that
        raises gets no more; the run goes on.

        Raises:
            DefinitionError: if it has no method `emit(event)`.
        """
        stop = self._control.log.subscribe(sink)
        if isinstance(location := self._control.location, Elsewhere):
            location.remote.follow()
        return stop

    def wait(self, timeout: float | None = None) -> State:
        """Wait until the run is at rest, at most `timeout` seconds; return the flow's state then.

        Ctrl-C stops the waiting, not the run.

        Raises:
            RunError: if a subscriber of this run calls it without a timeout: the run would wait for the subscriber.
        """
        control = self._control
        if control.log.is_delivering_here and timeout is None:
            msg = f"A subscriber can't wait for {control.run.label}, which waits for the subscriber. Give a timeout."
            raise RunError(msg, run=self.run_id)
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        location = control.look()
        if isinstance(location, Elsewhere):
            location.remote.follow()
        if not isinstance(location, AtRest) and not wait_for(location.over, timeout):
            return self.state
        control.log.flush(deadline)
        return control.location.state

    def close(self) -> None:
        """Let the cluster forget what the run's tasks returned; what was stored or loaded before stays. May be called again.

        Only `DaskExecutor(address=...)` keeps values after a run; elsewhere there is nothing to do. As a context manager a
        run waits for its end and closes itself; if the block raises, it is cancelled first.

        Raises:
            RunError: if it goes on in this process.
        """
        if self.is_live:
            msg = f"{self._control.run.label.title} goes on and needs its values. Call wait() or cancel() first."
            raise RunError(msg, run=self.run_id)
        self._control.close()

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
        picture = picture_of(self.graph, self.states, state=type(self.state).__name__, caption=f"run {self.number}")
        return {**picture._repr_mimebundle_(**options), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<FlowRun {self.number} of {self.flow_name!r}: {type(self.state).__name__}>"

    # Acting

    def cancel(self, by: str = "", note: str = "", *, now: bool = False) -> None:
        """Start nothing more. What runs goes on to its end; until then the run is Cancelling. One that is over stays as it is.

        If another process has the run, that one is asked. A recorded run that nobody has and that isn't over (it waits
        for a person, or crashed) is closed as Cancelled.

        Args:
            by: who decides; recorded.
            note: why; recorded.
            now: ask that what runs stops, too. Tasks that run at the moment aren't interrupted yet: they go on to their end.

        Raises:
            RunClaimedError: if the other process does not answer.
        """
        self._control.decide(Decision("cancel_now" if now else "cancel", by=by, note=note))

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

        A live run takes it as an event, also one in another process; otherwise a new epoch of this run begins in the
        background. No task whose result is stored runs again. Tasks that wait for a person in a run that crashed go on
        waiting, unless they are named. The run goes on with what it was given at first; what is given here wins.

        Args:
            tasks: or their keys.
            by: who decides; recorded.
            note: why; recorded.
            force: go on although the flow's code differs from what was recorded, or something that the run was given is
                missing here.
            parameters: those that could not be stored; the others stay.
            context: values by name, over those that it was given.
            task_contexts: likewise, by task.
            state_handlers: instead of those that it was given.

        Raises:
            StartTaskError: if a task named here does not wait.
            RunClaimedError: if somebody else goes on with it.
            RunChangedError: if the flow differs from the one that was recorded; says in what.
            RunIncompleteError: if something that it was given could not be stored; says what, and how to give it again.
            MissingSecretError: if a secret that its context had is not in this one, nor in the environment.
            DefinitionError: if something is given to a run that goes on already, or isn't what it should be.
        """
        keys = tuple(self.graph.key_of(task) for task in tasks)
        new = read_new_inputs(self.graph, parameters, context, task_contexts, state_handlers)
        self._control.decide(Decision("resume", keys, by, note), new, force=force)
        return self

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
        new = read_new_inputs(self.graph, parameters, context, task_contexts, state_handlers)
        self._control.decide(Decision("retry", by=by, note=note), new, force=force)
        return self

    # Starting; `flow.run` and `flow.start` call these once

    def run_here(self) -> State:
        """Run in this thread; return the flow's final state.

        Raises:
            RunFailedError: if the run failed, and its caller asked for that error.
        """
        control, request = self._control, self._request
        if request is not None and request.state is not None and request.state.is_finished():
            control.location = AtRest(request.state, control.location.states)
            return request.state
        first = FirstError(lambda note: self.cancel(note=note))
        if request is not None and request.raises_first:
            control.log.subscribe(first)
        raises = request is not None and (request.raises_first or request.raises_failure)
        with self.on_terminal(progress=None if request is None else request.progress, shows_traceback=not raises):
            try:
                state = control.work(control.begin(None if request is None else request.state))
            except KeyboardInterrupt as interrupt:
                # The second Ctrl-C. What stands below here says nothing to whoever pressed it.
                raise interrupt.with_traceback(None) from None
        if (error := first.take()) is not None:
            raise error
        if request is not None and request.raises_failure and state.is_failed():
            from flowbook.flow_run.failure import failure_of  # noqa: PLC0415  # only where a run failed

            raise failure_of(control.run.label, state, control.location.states)
        return state

    def on_terminal(
        self, *, progress: bool | None = None, shows_traceback: bool = True
    ) -> contextlib.AbstractContextManager[None]:
        """Show on the terminal, where there is one, how the run goes while the block lasts, and how it comes to rest.

        Args:
            progress: whether it is shown from the start; None: once it takes a while; False: not at all.
            shows_traceback: whether that of a failure is shown.
        """
        return on_terminal(self._control, progress=progress, shows_traceback=shows_traceback)

    def run_behind(self) -> FlowRun:
        """Run in a thread of its own; return at once.

        Raises:
            DefinitionError: if its caller asked for an exception, which would have nobody to go to.
        """
        request = self._request
        for option, is_asked in (
            ("raise_on_exception", request is not None and request.raises_first),
            ("raise_on_failure", request is not None and request.raises_failure),
        ):
            if is_asked:
                msg = f"{option} has nobody to raise to in the background. Use flow.run({option}=True)."
                raise DefinitionError(msg, flow=self.flow_name)
        self._control.start(None if request is None else request.state)
        return self


def new_run(flow: RunnableFlow) -> FlowRun:
    """Return a run of `flow` that has not begun and is not going to: what a panel shows before the first."""
    values = {p.name: p.default for p in flow.parameters()}
    request = RunRequest(flow.compile(), RunInputs(parameters=values), flow.executor or LocalExecutor())
    return FlowRun(_control(flow, request))


def start_run(flow: RunnableFlow, parameters: Mapping[str, object] | None, options: dict[str, Any]) -> FlowRun:
    """Check what was asked for, and return a FlowRun that has not begun. Raises as `read_request` does."""
    request = read_request(flow, parameters, options)
    return FlowRun(_control(flow, request), request)


def _control(flow: RunnableFlow, request: RunRequest) -> RunControl:
    description = RunDescription(
        RunLabel(os.urandom(16).hex(), next(_NUMBERS), flow.name),
        flow,
        request.graph,
        request.executor,
        dt.datetime.now().astimezone(),
        request.origin,
    )
    return RunControl(description, request.inputs, record=request.record)
