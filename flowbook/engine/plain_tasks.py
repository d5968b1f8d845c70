"""Runs tasks that need none of the optional steps: no trigger, handlers, cache, files, time limit, captured prints or map.

Most tasks of most flows are plain, and while a run has no subscribers and isn't recorded, their events needn't be made. This
module does the work of `jobs`, `task_attempt`, `state_handlers` and `machine` for them, at a third of the cost. States and
log are the same. Everything unusual takes the usual path: a task with a state from `task_states`, an input that isn't in
memory, an upstream task that didn't simply succeed, a function that raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowbook._context import current_layer, enter_layer, leave_layer
from flowbook._utils import costs
from flowbook._utils.fresh import fresh_values
from flowbook._utils.handed_on import IMMUTABLE, handed_on
from flowbook.engine.job import Job
from flowbook.engine.state import Mapped, Pending, Running, Success
from flowbook.engine.task_attempt import finish_attempt
from flowbook.engine.task_call import call_plainly
from flowbook.engine.task_context import TaskLayer
from flowbook.engine.task_log import OVER
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from flowbook._context import ContextLayer
    from flowbook.engine.event_relay import EventRelay
    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.jobs import JobRun, Jobs
    from flowbook.engine.machine import Machine
    from flowbook.engine.state import State

__all__ = ["PlainTasks"]

#: A reading older than this doesn't stand for the beginning of a call.
_STALE_S, _LEAST_S = 0.001, costs.LEAST_S


class Settle(Protocol):
    """Tells the machine that a task has settled."""

    def __call__(self, key: str, state: State, *, is_news: bool) -> str | None:
        """Return the next key to run, or None; `is_news`: the state has yet to be emitted."""
        ...


class PlainTasks:
    """The plain tasks of one epoch; from any thread.

    Args:
        run: the run.
        machine: the epoch's machine; tasks are marked in its states.
        jobs: the epoch's jobs; a task that a person started takes the usual path.
        relay: the epoch's relay; tasks run here only while it has no receivers.
        settle: called when a task has settled; returns the next key to run, or None.
    """

    def __init__(
        self,
        run: JobRun,
        machine: Machine,
        jobs: Jobs,
        relay: EventRelay,
        settle: Settle,
    ) -> None:
        self._run = run
        self._specs = run.graph.specs
        self._states = machine.states
        self._children = machine.children
        self._maps = run.maps
        self._progress = machine.progress
        self._jobs = jobs
        self._relay = relay
        self._settle = settle
        self._is_used = run.masks is None and not run.handlers

    def run(self, key: str | None) -> str | None:
        """Run `key` and the plain tasks that follow; return the first key that isn't plain, or None if none follows."""
        if key is None or not self._is_used:
            return key
        parent = self._run.layer if self._run.layer is not None else current_layer()
        token = enter_layer(parent)
        try:
            return self._run_all(key, parent)
        finally:
            leave_layer(token)

    def _run_all(self, key: str | None, parent: ContextLayer | None) -> str | None:  # noqa: C901  # the inner loop of every run
        run, specs, states, relay, settle = self._run, self._specs, self._states, self._relay, self._settle
        log, progress, jobs = relay.quiet_log, self._progress, self._jobs
        if log is None:
            return key
        write, number = log.writer, relay.number
        begun, begun_at = costs.begin(), float("-inf")
        while key is not None:
            spec = specs.get(key)
            if log.subscribers or progress.has_reopened or jobs.has_requested:
                return key
            layer: TaskLayer
            if spec is None:
                if (child := self._child(key, parent)) is None:
                    return key
                spec, inputs, layer = child
            else:
                inputs = self._inputs(spec, key)
                layer = _PlainLayer(run, spec, key, parent)
            if inputs is None:
                return key
            running = Running()
            write((number(), key, running))
            states[key] = running
            at = running.at
            if not 0.0 <= at - begun_at < _STALE_S:
                begun = costs.begin()
                begun_at = begun.at
            enter_layer(layer)
            state = call_plainly(spec, inputs, layer, run)
            if layer.log is not None:
                layer.log.close()
            layer.log = OVER
            is_news = type(state) is Success
            if state.at - at > _LEAST_S:
                state.cost = costs.cost_since(begun)
            if not is_news:
                enter_layer(parent)
                state = self._finish(layer.job, inputs, running, state)
            key = settle(key, state, is_news=is_news)
        return None

    def _inputs(self, spec: TaskSpec, key: str) -> dict[str, object] | None:
        """Return the inputs of a task that isn't mapped; None if it needs the usual way."""
        if not spec.has_plain_inputs:
            return None
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
                if type(value) not in IMMUTABLE:
                    if is_reference(value):
                        return None
                    value = handed_on(value)
                inputs[argument] = value
        return inputs

    def _child(
        self, key: str, around: ContextLayer | None
    ) -> tuple[TaskSpec, dict[str, object] | None, TaskLayer] | None:
        """Return the spec, inputs and layer of a mapped task's child; None if it needs the usual path."""
        parent, index = self._children[key]
        spec, state = self._specs[parent], self._states[key]
        if not spec.is_plain or type(state) is not Pending or state._cached_inputs:  # noqa: SLF001  # as above
            return None
        try:
            inputs = self._maps.simple_inputs(parent, index)
            if inputs is not None:
                return spec, inputs, _PlainLayer(self._run, spec, key, around, index)
            job = self._maps.child_job(key, parent, index, is_start=False)
        except BaseException:  # noqa: BLE001  # a user's sequence: the usual way asks it again, and says what is wrong
            return None
        for above in job.upstream if job.judged is None else job.judged[1]:
            if not above._successful or above._skipped or type(above) is Mapped:  # noqa: SLF001  # as above
                return None
        layer = TaskLayer(self._run, job, 1)
        layer.parent = around
        return spec, job.inputs, layer

    def _finish(self, job: Job, inputs: dict[str, object], running: State, state: State) -> State:
        """Take the usual path from the end of the call on; the state of the call isn't emitted yet."""
        job.inputs = inputs
        return finish_attempt(job, self._run, running, state, TaskLayer(self._run, job, 1))


class _PlainLayer(TaskLayer):
    """The context layer of a plain task's or child's first call; its job is made only when it is read."""

    __slots__ = ("_index", "_key", "_spec")

    attempt = 1
    run_name = None

    def __init__(
        self, run: JobRun, spec: TaskSpec, key: str, parent: ContextLayer | None, index: int | None = None
    ) -> None:
        self.run = run
        self._spec = spec
        self._key = key
        self._index = index
        self.parent = parent
        self.log = None

    @property
    def job(self) -> Job:  # type: ignore[override]  # read only here
        """The job of the task; made anew each time."""
        return Job(self._spec, self._key, Pending(), (), None, self._index)
