"""Runs tasks that need none of the optional steps: no trigger, handlers, cache, files, time limit, captured prints or map.

Most tasks of most flows are like that, and while nobody watches or records a run, their events needn't be made. What such a
task goes through in `jobs`, `task_attempt`, `state_handlers` and `machine` is done here in one place, at a third of the cost.
The states and the log are the same. Whatever is out of the ordinary takes the usual way: a state that a task was given, an
input that isn't in memory, an upstream task that didn't plainly succeed, a function that raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._context import current_layer, enter_layer, leave_layer
from flowbook._utils.fresh import fresh_values
from flowbook.engine.job import Job
from flowbook.engine.state import Pending, Running, Success
from flowbook.engine.task_attempt import finish_attempt
from flowbook.engine.task_call import call_plainly
from flowbook.engine.task_context import TaskLayer
from flowbook.engine.task_log import OVER
from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook._context import ContextLayer
    from flowbook.engine.event_relay import EventRelay
    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.jobs import JobRun, Jobs
    from flowbook.engine.machine import Machine
    from flowbook.engine.state import State

__all__ = ["PlainTasks"]


class PlainTasks:
    """The plain tasks of one epoch; from any thread.

    Args:
        run: whose tasks they are.
        machine: of the epoch. A task is marked in its states.
        jobs: of the epoch. A task that a person asked for takes the usual way.
        relay: of the epoch. Tasks run here only while nobody hears of events.
        settle: called when a task has settled; returns the next key to run, or None.
    """

    def __init__(
        self,
        run: JobRun,
        machine: Machine,
        jobs: Jobs,
        relay: EventRelay,
        settle: Callable[[str, State], str | None],
    ) -> None:
        self._run = run
        self._specs = run.graph.specs
        self._states = machine.states
        self._progress = machine.progress
        self._jobs = jobs
        self._relay = relay
        self._settle = settle
        self._is_used = run.masks is None and not run.handlers

    def run(self, key: str | None) -> str | None:
        """Run `key`, and what follows as long as it is plain; return the first key that isn't, or None if nothing follows."""
        if key is None or not self._is_used:
            return key
        parent = self._run.layer if self._run.layer is not None else current_layer()
        token = enter_layer(parent)
        try:
            return self._run_all(key, parent)
        finally:
            leave_layer(token)

    def _run_all(self, key: str | None, parent: ContextLayer | None) -> str | None:
        run, specs, settle = self._run, self._specs, self._settle
        while key is not None:
            spec = specs.get(key)
            if spec is None or not spec.is_plain or not self._relay.is_quiet or self._is_asked_again:
                return key
            inputs = self._inputs(spec, key)
            if inputs is None:
                return key
            running = self._states[key] = Running()
            self._relay.note(key, running)
            layer = _PlainLayer(run, spec, key, parent)
            enter_layer(layer)
            state = call_plainly(spec, inputs, layer, run)
            if layer.log is not None:
                layer.log.close()
            layer.log = OVER
            if type(state) is Success:
                self._states[key] = state
                self._relay.state_changed(key, state)  # the task may have let somebody listen
            else:
                enter_layer(parent)
                state = self._finish(spec, key, inputs, running, state)
            key = settle(key, state)
        return None

    @property
    def _is_asked_again(self) -> bool:
        """Whether somebody asked for tasks, so that checks differ from one to the other."""
        return self._progress.has_reopened or self._jobs.has_asked

    def _inputs(self, spec: TaskSpec, key: str) -> dict[str, object] | None:
        """Return the inputs; None if the task needs the usual way."""
        states = self._states
        state = states[key]
        if type(state) is not Pending or state._cached_inputs:  # noqa: SLF001  # once a task: a property makes an empty dict
            return None
        inputs = fresh_values(spec.constants) if spec.constants else {}
        for upstream, argument, _, _, _ in spec.bindings:
            above = states[upstream]
            if type(above) is not Success:
                return None
            if argument is not None:
                value = above.raw_result
                if isinstance(value, ResultRef):
                    return None
                inputs[argument] = value
        return inputs

    def _finish(self, spec: TaskSpec, key: str, inputs: dict[str, object], running: State, state: State) -> State:
        """Take the usual way from the end of the call on; the state of the call is not told yet."""
        upstream = [self._states[binding.upstream] for binding in spec.bindings]
        job = Job(spec, key, Pending(), upstream, inputs)
        return finish_attempt(job, self._run, running, state, TaskLayer(self._run, job, 1))


class _PlainLayer(TaskLayer):
    """The layer of a plain task's first call; the job that others read there is made when somebody asks for it."""

    __slots__ = ("_key", "_spec")

    attempt = 1
    run_name = None

    def __init__(self, run: JobRun, spec: TaskSpec, key: str, parent: ContextLayer | None) -> None:
        self.run = run
        self._spec = spec
        self._key = key
        self.parent = parent
        self.log = None

    @property
    def job(self) -> Job:  # type: ignore[override]  # read only here
        """What others read of the task."""
        return Job(self._spec, self._key, Pending(), ())
