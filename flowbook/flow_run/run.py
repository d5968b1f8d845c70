"""A run of a flow as its user sees it: started, watched, cancelled and resumed, under one id."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import time
from typing import TYPE_CHECKING, Any, Literal, Self

from flowbook.engine.run_inputs import RunInputs
from flowbook.engine.state import Crashed, Running
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import DefinitionError, RunError
from flowbook.executors import LocalExecutor
from flowbook.executors.interrupts import wait_for
from flowbook.flow_run.location import AtRest, Elsewhere, Here
from flowbook.flow_run.reported_run import on_terminal
from flowbook.flow_run.run_control import RunControl
from flowbook.flow_run.run_decisions import RunDecisions
from flowbook.flow_run.run_description import RunDescription, RunLabel
from flowbook.flow_run.run_inspection import RunInspection
from flowbook.flow_run.run_log import FirstError
from flowbook.flow_run.run_moves import RunMoves
from flowbook.flow_run.run_request import RunRequest, no_child, read_request

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    import pandas as pd

    from flowbook.engine.events import Event, EventSink, Logged
    from flowbook.engine.graph import Graph
    from flowbook.engine.limits import Limits
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.executors.base import Executor
    from flowbook.flow_run.flow_changes import FlowChanges
    from flowbook.flow_run.location import Location
    from flowbook.flow_run.ports import RunnableFlow
    from flowbook.flow_run.run_states import RunStates

__all__ = ["FlowRun", "new_run", "start_run"]

_LOOK_S = 0.02
_NUMBERS = itertools.count(1)
_WHERE: dict[type, Literal["at rest", "here", "elsewhere"]] = {AtRest: "at rest", Here: "here", Elsewhere: "elsewhere"}


class FlowRun(RunDecisions, RunMoves, RunInspection):
    """One run of a flow, from `flow.start()`, `flow.last_run` or `flowbook.run(...)`.

    It may run in this process, in another one, or nowhere at the moment; every method works in all three cases.
    Methods may be called from any thread, also by a subscriber while it receives an event.
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
        """Its name from `flow.run(flow_run_name=...)`; "" if it has none."""
        return self._control.inputs.name

    @property
    def parameters(self) -> dict[str, object]:
        """The values of its parameters. A copy."""
        inputs = self._control.inputs
        return dict(inputs.parameters) if isinstance(inputs, RunInputs) else inputs.parameters()

    @property
    def identifier(self) -> str | None:
        """What its flow runner calls the process or container that runs it, or ran it last; None if it has none of its own."""
        recording = self._control.location.recording
        return None if recording is None else recording.store.runs.identifier(self.run_id) or None

    @property
    def output_file(self) -> Path | None:
        """The log file with what its own process wrote, the newest part; None if it never had one."""
        from flowbook.store.process_output import output_file  # noqa: PLC0415  # only where somebody looks

        file = output_file(self.run_id)
        return file if file.exists() else None

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
        """How many of its tasks may run at once; None: as many as the executor allows."""
        return self._control.inputs.limits

    @property
    def only(self) -> tuple[str, ...]:
        """Keys of the tasks that it may run, if it was limited (`start_at=`, `only=`, `up_to=`, `start_tasks=`); empty: all."""
        inputs = self._control.inputs
        if inputs.only or not inputs.start:
            return inputs.only
        below = self.graph.downstream(map(parent_key, inputs.start))
        return tuple(key for key in self.graph.specs if key in below)

    @property
    def began(self) -> dt.datetime:
        """When it began, in the time zone of the machine that started it; aware. Its context keeps this date when it resumes."""
        return self._control.run.began

    @property
    def started(self) -> float | None:
        """When its first task could run, seconds since 1970; None before."""
        return self._control.started

    @property
    def ended(self) -> float | None:
        """When it came to rest, seconds since 1970; None while it runs."""
        return self._control.ended

    @property
    def changes(self) -> FlowChanges | None:
        """How the flow that it would go on with differs from the one that was recorded; None if it doesn't."""
        return self._control.changes

    # Looking

    @property
    def where(self) -> Literal["at rest", "here", "elsewhere"]:
        """Where it is: at rest, in this process, or in another one; `cancel` and `resume` work in each case."""
        return _WHERE[type(self._control.refresh())]

    @property
    def is_live(self) -> bool:
        """Whether its tasks run, or are to run, in this process."""
        return isinstance(self._control.location, Here)

    @property
    def state(self) -> State:
        """The flow's state now; Crashed if its process ended in the middle."""
        return self._control.refresh().state

    @property
    def states(self) -> RunStates:
        """The state of every task and child by key, as of now; `run.states(at=...)` as of any time.

        Live: it changes while the run does.
        """
        from flowbook.flow_run.run_states import RunStates  # noqa: PLC0415  # only where somebody looks

        states = self._control.refresh().states
        return RunStates(self.graph, self._control.log, states)

    def __getitem__(self, task: object) -> State:
        """Return the present state of a task, given as a task or its key.

        Raises:
            UnknownTaskError: if it isn't in the flow.
            StartTaskError: if it names a child that doesn't exist.
        """
        from flowbook.flow_run.run_states import complete_state  # noqa: PLC0415  # only where somebody looks

        key = self.graph.key_of(task)
        states = self.states
        found = states.get(key)
        if found is None:
            raise no_child(key, states.get(parent_key(key)))
        return complete_state(key, found, states)

    def events(self) -> list[Event]:
        """Return all events so far, ordered by number."""
        self._control.refresh()
        return self._control.log.in_order()

    def logs(self, key: str | None = None) -> list[Logged]:
        """Return the log lines and captured prints of one task or of all, ordered by number.

        Among those of all, and of the flow itself (key ""), are notices that did not arrive.
        """
        recording = self._control.refresh().recording
        found = self._control.log.logged(key)
        if key or recording is None or not (lines := recording.notice_lines()):
            return found
        return sorted((*found, *lines), key=lambda line: line.seq)

    def progress(self) -> dict[str, TaskProgress]:
        """Return how far tasks are through their work, by key: those that report it with `flowbook.progress` or tqdm.

        Returns:
            For each task its newest report: `done`, `total`, `text`, `unit`, `rate` (units a second). A new dict.
        """
        self._control.refresh()
        return self._control.log.progress()

    def timeline(self) -> pd.DataFrame:
        """Return a table of when each task ran or waited, in order.

        Returns:
            One row for each time that a task ran, waited for a person or waited for its next attempt; columns `task`
            (its key), `state` (the state that ended it, or the present one; Crashed if the process died meanwhile),
            `start` and `end` (aware UTC; `end` is NaT while it lasts, and if the process died), `duration`, `attempt` (0:
            it didn't run); of an attempt that took at least 10 ms `cpu` (processor time of its thread), `memory_bytes` (by
            how much the process grew meanwhile; where `own_process`, the peak of a process that did nothing else, and its
            whole processor time); and `output_bytes`, where the output is stored.
        """
        from flowbook.flow_run.timeline import timeline  # noqa: PLC0415  # only where somebody looks

        recording = self._control.location.recording
        sizes = {} if recording is None else recording.output_sizes()
        return timeline(self.events(), sizes, has_died=isinstance(self.state, Crashed))

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Send every event from now on to `sink`, once and in order; return a function that unsubscribes it.

        `sink.emit(event)` is called in one thread at a time, holding no lock: it may call any method of any run, except
        that it must not wait for this one. If another process has the run, its events come through the store. A sink
        that raises receives no more events; the run goes on.

        Raises:
            DefinitionError: if it has no method `emit(event)`.
        """
        stop = self._control.log.subscribe(sink)
        if isinstance(location := self._control.location, Elsewhere):
            location.remote.follow()
        return stop

    def wait(self, timeout: float | None = None) -> State:
        """Wait until the run is at rest, at most `timeout` seconds; return the flow's state.

        Ctrl-C stops the waiting, not the run.

        Raises:
            RunError: if a subscriber of this run calls it without a timeout: each would wait for the other.
        """
        control = self._control
        if control.log.is_delivering_here and timeout is None:
            msg = f"A subscriber can't wait for {control.run.label}, which waits for the subscriber. Give a timeout."
            raise RunError(msg, run=self.run_id)
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        location = control.refresh(now=True)
        while not _is_at_rest(location):
            left_s = None if timeout is None else max(deadline - time.monotonic(), 0.0)
            if isinstance(location, Elsewhere):
                location.remote.follow()
            if isinstance(location, AtRest):
                time.sleep(_LOOK_S)
                is_over = left_s is None or left_s > 0
            else:
                is_over = wait_for(location.over, left_s)
            if not is_over:
                return self.state
            location = control.location if isinstance(location, Here) else control.refresh()
        control.log.flush(deadline)
        return control.location.state

    def close(self) -> None:
        """Release the values that the run left on a cluster; stored and loaded values stay. May be called again.

        Only `DaskExecutor(address=...)` leaves values on a cluster; with others this does nothing. As a context manager,
        a run waits for its end and closes itself; if the block raises, the run is cancelled first.

        Raises:
            RunError: if it is running in this process.
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

    # Starting: `flow.run` and `flow.start` call one of these, once

    def run_here(self) -> State:
        """Run in this thread; return the flow's final state.

        Raises:
            RunFailedError: if the run failed and its caller asked for that error.
        """
        control, request = self._control, self._request
        if request is not None and request.state is not None and request.state.is_finished():
            control.location = AtRest(request.state, control.location.states)
            return request.state
        first: FirstError | None = None
        if request is not None and request.raises_first:
            first = FirstError(lambda note: self.cancel(note=note))
            control.log.subscribe(first)
        raises = request is not None and (request.raises_first or request.raises_failure)
        with self.on_terminal(progress=None if request is None else request.progress, shows_traceback=not raises):
            try:
                state = control.work(control.begin(None if request is None else request.state))
            except KeyboardInterrupt as interrupt:
                # The second Ctrl-C: flowbook's own frames don't help the user.
                raise interrupt.with_traceback(None) from None
        if first is not None and (error := first.take()) is not None:
            raise error
        if request is not None and request.raises_failure and state.is_failed():
            from flowbook.flow_run.failure import failure_of  # noqa: PLC0415  # only where a run failed

            raise failure_of(control.run.label, state, control.location.states, self.flow)
        return state

    def on_terminal(
        self, *, progress: bool | None = None, shows_traceback: bool = True
    ) -> contextlib.AbstractContextManager[None]:
        """Show the run's progress and its end on the terminal, if there is one, while the block runs.

        Args:
            progress: True: show it from the start; None: once the run takes a while; False: not at all.
            shows_traceback: whether to show the traceback of a failure.
        """
        return on_terminal(self._control, progress=progress, shows_traceback=shows_traceback)

    def run_behind(self) -> FlowRun:
        """Run in a thread of its own, or in a process that the flow runner starts; return at once.

        Raises:
            DefinitionError: if its caller asked for an exception, which nothing could catch.
        """
        request = self._request
        for option, is_asked in (
            ("raise_on_exception", request is not None and request.raises_first),
            ("raise_on_failure", request is not None and request.raises_failure),
        ):
            if is_asked:
                msg = f"{option} has nobody to raise to in the background. Use flow.run({option}=True)."
                raise DefinitionError(msg, flow=self.flow_name)
        if request is not None and request.flow_runner is not None:
            _refuse_what_only_runs_here(request)
            self._control.own_process.begin(request.flow_runner)
        else:
            self._control.start(None if request is None else request.state)
        return self


def new_run(
    flow: RunnableFlow, parameters: Mapping[str, object] | None = None, executor: Executor | None = None
) -> FlowRun:
    """Return a run of `flow` with these parameters that is never started: a panel shows it before the first real one."""
    values = {p.name: p.default for p in flow.parameters()} | dict(parameters or {})
    request = RunRequest(flow.compile(), RunInputs(parameters=values), executor or flow.executor or LocalExecutor())
    return FlowRun(_control(flow, request))


def start_run(flow: RunnableFlow, parameters: Mapping[str, object] | None, options: dict[str, Any]) -> FlowRun:
    """Check the arguments and return a FlowRun that hasn't begun. Raises as `read_request` does."""
    request = read_request(flow, parameters, options)
    return FlowRun(_control(flow, request), request)


def _is_at_rest(location: Location) -> bool:
    """Return whether nothing goes on: a run that is being taken back is Running, and no process has it for a moment."""
    return isinstance(location, AtRest) and not (location.is_on_its_way or isinstance(location.state, Running))


def _refuse_what_only_runs_here(request: RunRequest) -> None:
    """Raise DefinitionError if the run was given an option that no other process can hear of."""
    for option, is_given, why in (
        ("record=False", request.record is False, "the process that runs it finds it in the store"),
        ("state", request.state is not None, "the run begins in state Scheduled"),
    ):
        if is_given:
            msg = f"{option} doesn't go with flow_runner={request.flow_runner!r}: {why}. Leave one of them out."
            raise DefinitionError(msg, option=option)


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
