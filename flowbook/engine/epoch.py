"""One epoch of a run: carries out the machine's instructions with an executor, and emits events.

One lock guards the machine. No user code runs and no event is delivered while it is held (decision 0033).
"""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from flowbook._utils.locks import Rank, RankedCondition, RankedLock
from flowbook.engine import steps
from flowbook.engine.ctrl_c import ctrl_c_cancels
from flowbook.engine.deadline import cancelled_with_task
from flowbook.engine.decided_epoch import DecidedEpoch
from flowbook.engine.event_relay import EventRelay
from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.final_state import task_results
from flowbook.engine.input_checks import InputChecks
from flowbook.engine.job import ComparesInputs, Job
from flowbook.engine.jobs import Jobs
from flowbook.engine.machine import Machine
from flowbook.engine.mapping import MapPlans
from flowbook.engine.masks import Masks
from flowbook.engine.messages import (
    AnswerBy,
    CancelRequested,
    Due,
    Emit,
    Expanded,
    Finish,
    Instruction,
    MachineEvent,
    Settled,
    Submit,
    TooEarly,
    WakeAt,
)
from flowbook.engine.plain_tasks import PlainTasks
from flowbook.engine.progress_bars import watch_progress_bars
from flowbook.engine.remote_error import format_traceback
from flowbook.engine.state import Cancelled, Failed, Running, Scheduled, State, Submitted, Success
from flowbook.engine.state_handlers import call_handlers, call_terminal_handler, in_layer
from flowbook.engine.stopping import Stopped, TaskThreads
from flowbook.engine.task_attempt import run_task
from flowbook.engine.task_call import is_in_task
from flowbook.engine.timers import Timers
from flowbook.exceptions import ExecutorError
from flowbook.executors.base import RunsCalls
from flowbook.executors.interrupts import LONGEST_WAIT_S

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.ports import EpochPorts
    from flowbook.engine.run_inputs import RunInputs
    from flowbook.engine.start_point import StartPoint
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.engine.worker_values import WorkerValues
    from flowbook.executors.base import Executor

__all__ = ["Epoch"]

#: As in `logging`, which is not loaded for this.
_ERROR = 40


class Epoch(DecidedEpoch):
    """One epoch of a run of `graph`. Call `run` in one thread; other methods from any.

    Args:
        graph: the compiled flow; its specs hold the contexts of single tasks.
        inputs: the run's inputs.
        start: the states that the epoch begins with.
        ports: the executor, sinks and caches that it uses.
    """

    def __init__(self, graph: Graph, inputs: RunInputs, start: StartPoint, ports: EpochPorts) -> None:
        super().__init__()
        self.graph = graph
        self.run_id = ports.run_id
        self.flow_name = graph.name
        self.parameters = inputs.parameters
        self.handlers = inputs.handlers
        self.layer = ports.layer
        self.cache = ports.cache
        self.shelf = ports.shelf
        self.interrupted = False
        self.masks = Masks.around(ports.layer, inputs.task_contexts.values()) or None
        self.state: State = start.state
        self._ports = ports
        self._is_begun_cancelled = start.is_cancelled
        #: Where tasks run in this process, and what stops those that run elsewhere.
        self.threads = TaskThreads()
        self._relay = EventRelay(ports.sinks, start.first_seq)
        self.input_checks: ComparesInputs | None = InputChecks(graph) if self._relay.is_recorded else None
        self._machine = Machine(
            graph,
            start.states,
            start.start,
            inputs.limits,
            within=inputs.start,
            only=inputs.only,
            has_handlers=bool(inputs.handlers),
        )
        self._lock = RankedLock(Rank.EPOCH)
        #: Of `_lock`; notified when there is work for a waiting worker. Made for the first one that waits.
        self._changed: threading.Condition | None = None
        self._ready: deque[str] = deque()
        self._timers = Timers()
        self._idle = 0
        self._final: State | None = None
        #: Whether a person cancelled the run.
        self.is_cancelled = False
        self.is_draining = self.has_left = False
        #: Keeps workers in other processes from beginning further calls; set while there are such workers.
        self.stop: Callable[[], None] | None = None
        #: Values of tasks that workers hold, maybe beyond the end of the run.
        self.worker_values: WorkerValues | None = None
        self.maps = MapPlans(graph, self._machine.states)
        self._jobs = Jobs(self, self._machine, self.maps, self._relay, (*start.start, *start.resumed))
        self._plain = PlainTasks(self, self._machine, self._jobs, self._relay, self._plain_settled)

    @property
    def states(self) -> dict[str, State]:
        """The present state of every task and child, by key. Don't change it."""
        return self._machine.states

    def run(self) -> State:
        """Run to the end, or until all that is left waits for a person; return the flow's state."""
        with cancelled_with_task(partial(self.cancel, note="The task that started it was stopped.", now=True)):
            return self._run_to_rest()

    def _run_to_rest(self) -> State:
        if not self._change(Running("The flow runs.")).is_running():
            return self.state
        watch_progress_bars()
        with self._lock:
            self.is_cancelled = self.is_cancelled or self._is_begun_cancelled
            self._carry_out(
                self._machine.handle(CancelRequested()) if self._is_begun_cancelled else self._machine.begin()
            )
        self._pass_on()
        with ctrl_c_cancels(self, is_inline=self._ports.executor.is_inline):
            try:
                with self._starting() as executor:
                    self._work(executor)
                self._leave_to_others()
            except ExecutorError as error:
                self._final = self._final or Failed(str(error), error)
            except KeyboardInterrupt:
                self.leave("Stopped by a second Ctrl-C. A task that sleeps or is in C code may still go on.")
                raise
        with self._lock:
            self._final = final = self._final or Cancelled("Stopped by Ctrl-C.")
        state = self._finish(final)
        # Both hold this epoch: without them, all that the run held goes with it, not with the next garbage collection.
        del self._plain, self._jobs
        return state

    def _starting(self) -> AbstractContextManager[Executor]:
        """Return the executor's context manager. If entering it can be cancelled, cancelling the run does so."""
        starting = self._ports.executor.start()
        stop: Callable[[], None] | None = getattr(starting, "cancel", None)
        with self._lock:
            self.stop = stop
            is_cancelled = self.is_cancelled
        if is_cancelled and stop is not None:
            stop()
        return starting

    def _leave_to_others(self) -> None:
        """If all that ran here has ended because another process is to take the run over, leave the rest to it."""
        with self._lock:
            if self._final is None and self.is_draining:
                self._final = Submitted("Another process is about to go on with it.", state=Running("The flow runs."))

    @property
    def is_drained(self) -> bool:
        """Whether the epoch has ended because another process is to take the run over."""
        return self.is_draining and isinstance(self.state, Submitted)

    def leave(self, message: str) -> None:
        """Abandon the run although tasks still run: it is Cancelled, with this message, and drops all further events."""
        left = Cancelled(message)
        with self._lock:
            self._final = left
            self._notify_all()
        self._finish(left)
        self._relay.close()
        self.threads.stop(is_in_task)

    def pending_events(self) -> list[Event]:
        """Return the events that have happened and that no sink has received yet."""
        return self._relay.pending()

    @property
    def next_seq(self) -> int:
        """The number that the next epoch's first event gets; meaningful once `run` has returned."""
        return self._relay.next_seq

    # The loop that each worker runs

    def _work(self, executor: Executor) -> None:
        # Asked by the attribute: `isinstance` with a protocol takes 10 µs, and a small flow runs in a few hundred.
        run_loops: Callable[[Callable[[], None]], None] | None = getattr(executor, "run_loops", None)
        if run_loops is not None:
            run_loops(self._loop)
        elif isinstance(executor, RunsCalls):
            from flowbook.engine.dispatch import Dispatch  # noqa: PLC0415  # pickling: only where tasks leave the process

            Dispatch(self, executor).run()
        else:
            self._loop_in_waves(executor)

    def _loop(self) -> None:
        try:
            with self.threads.here():
                while (first := self._take()) is not None:
                    key = self._plain.run(first)
                    while key is not None:
                        key = self._plain.run(self._next(self._run(key)))
        except BaseException as error:
            # Flowbook's own mistake, or a sink's: the other workers must not wait for this one for ever.
            with self._lock:
                self._final = self._final or Cancelled("Stopped by an error outside the tasks.")
                self._notify_all()
            if not isinstance(error, Stopped):  # which came just after a task's end
                raise

    def _loop_in_waves(self, executor: Executor) -> None:
        while (key := self._take()) is not None:
            with self._lock:
                wave = [key, *self._ready]
                self._ready.clear()
            events = executor.wait([executor.submit(self._run, each, extra_context={"task": each}) for each in wave])
            with self._lock:
                for event in events:
                    self._carry_out(self._machine.handle(event))
            self._relay.pass_on()

    def take(self, count: int, has_news: Callable[[], bool] | None = None) -> list[str] | None:
        """Return at most `count` keys to run, waiting for some, or none when there is other news; None at the end."""
        while True:
            with self._lock:
                self._wake_due()
                if not self._relay.has_gathered:
                    if self.is_draining and (has_news is None or has_news()):
                        self.has_left = True
                        return None if has_news is None else []
                    if (self._ready and not self.is_draining) or (has_news is not None and has_news()):
                        return [self._ready.popleft() for _ in range(min(count, len(self._ready)))]
                    if self._final is not None:
                        return None
                    self._wait()
            self._pass_on()

    def wake(self) -> None:
        """Let `take` look again."""
        with self._lock:
            self._notify_all()

    def handle(self, event: MachineEvent) -> None:
        """Pass an event to the machine and carry out its instructions."""
        with self._lock:
            self._carry_out(self._machine.handle(event))
        self._pass_on()

    def _next(self, event: MachineEvent) -> str | None:
        with self._lock:
            instructions = self._machine.handle(event)
            if instructions:
                self._carry_out(instructions)
            if self._ready and not self._relay.has_gathered and not self.is_draining:
                return self._ready.popleft()
        self._pass_on()
        return self._take()

    def _plain_settled(self, key: str, state: State, *, is_news: bool) -> str | None:
        """Tell the machine that a plain task has settled; return the next key to run, if there is one now.

        `is_news`: the state has yet to be emitted. Usually no sink receives it, but the task may have subscribed one.
        """
        machine, queue, relay, entry, ready = self._machine, self._ready, self._relay, None, None
        with self._lock:
            if is_news:
                entry = relay.enter(key, state)
            if type(state) is Success:
                ready = machine.succeed(key, state)
            if ready is None:
                self._carry_out(machine.handle(Settled(key, state)))
            elif len(ready) == 1 and entry is None and not relay.has_gathered and not self.is_draining:
                return ready[0]
            elif ready:
                self._enqueue(ready)
            elif not queue and not machine.has_work:
                self._carry_out(machine.finish())
            if entry is None:
                return queue.popleft() if queue and not relay.has_gathered and not self.is_draining else None
        relay.send(entry)
        return None

    def _take(self) -> str | None:
        """Return a key to run, waiting for one; None when the run is over."""
        found = self.take(1)
        return found[0] if found else None

    def _pass_on(self) -> None:
        """Deliver the events gathered under the lock, so that the receivers can act before a task starts."""
        if self._relay.has_gathered:
            self._relay.pass_on()

    def _wait(self) -> None:
        waits_s = [each for each in (self._timers.wait_s(), self._deadlines.wait_s()) if each is not None]
        if self._changed is None:
            self._changed = RankedCondition(Rank.EPOCH, lock=self._lock)
        self._idle += 1
        try:
            self._changed.wait(min([*waits_s, LONGEST_WAIT_S]))
        finally:
            self._idle -= 1

    def _notify_all(self) -> None:
        """Let all waiting workers look again. Call it with the lock held, as for all that has to do with waiting."""
        if self._changed is not None:
            self._changed.notify_all()

    def _wake_due(self) -> None:
        self._answer_overdue()
        for key in self._timers.due():
            state = self._machine.states[key]
            if isinstance(state, Scheduled) and steps.rests(state, time.time()):
                # Due although the clock was set back.
                state = state.copy()
                state.start_time = dt.datetime.fromtimestamp(time.time(), dt.UTC)
                self._machine.states[key] = state
            self._carry_out(self._machine.handle(Due(key)))

    def _carry_out(self, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Submit(keys):
                    self._enqueue(keys)
                case WakeAt(key, at):
                    self._timers.set(key, at)
                    self._notify_all()
                case AnswerBy():
                    self._note_deadline(instruction)
                    self._notify_all()
                case Emit(key, state):
                    self._relay.gather(StateChanged, key, state)
                case Finish(state):
                    self._final = state
                    self._notify_all()

    def _enqueue(self, keys: Sequence[str]) -> None:
        """Queue tasks that a finished task made ready before others, so that branches run depth first."""
        if len(keys) > 1 and not self._ready:
            self._ready.extend(keys)
        else:
            self._ready.extendleft(reversed(keys))
        if self._idle and self._changed is not None:
            self._changed.notify(len(keys))

    # One task

    def _run(self, key: str) -> Settled | Expanded | TooEarly:
        job = self._jobs.job(key)
        return Settled(key, run_task(job, self)) if isinstance(job, Job) else job

    def job(self, key: str) -> Job | Settled | Expanded | TooEarly:
        """Return the job for `key`, or the machine's event if there is nothing to run. Upstream states are recorded first."""
        return self._jobs.job(key)

    # Events

    def state_changed(self, key: str, state: State) -> None:
        """Mark and emit a state of a running task. A cancel comes before or after, never in between."""
        with self._lock:
            self._machine.mark(key, state)
            entry = self._relay.enter(key, state)
        if entry is not None:
            self._relay.send(entry)

    def logged(self, key: str, level: int, text: str, shown: object = None) -> None:
        """Emit a task's log line or print, or what it displayed."""
        if self.masks:
            text, shown = self.masks.text(text), self.masks.within(shown)
        self._relay.emit(Logged, key, time.time(), level, text, shown)

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Pass on how far a task is."""
        if self.masks:
            progress = progress._replace(text=self.masks.text(progress.text))
        self._relay.progressed(key, progress)

    # The flow's own state

    def _change(self, new: State, results: dict[object, State] | None = None) -> State:
        handlers = (*self.graph.handlers, *self.handlers)
        if handlers:
            with in_layer(self.layer):
                new = call_handlers(handlers, self.graph.flow, self.state, new)
        if results is not None and new.raw_result is not results:  # a handler's state may hold a reference
            if isinstance(new.raw_result, BaseException):
                self.logged(FLOW, _ERROR, format_traceback(new.raw_result.__cause__ or new.raw_result))
            new.result = results
        if self.masks:
            self.masks.hide_in(new)
        self.state = new
        self._relay.state_changed(FLOW, new)
        return new

    def _finish(self, final: State) -> State:
        results = task_results(self.graph, self._machine.states)
        final.result = results
        handler = self.graph.terminal_handler
        if handler is not None and final.is_finished():
            reference = [self._machine.states[key] for key in self.graph.reference]
            with in_layer(self.layer):
                final = call_terminal_handler(handler, self.graph.flow, self.state, final, reference)
        return self._change(final, results)
