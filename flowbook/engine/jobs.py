"""Makes the job for a key, or returns an event instead: the task was split into children, or would run too early.

Workers call it, from any thread. It calls state handlers, and reads the sequences that users map over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from flowbook.engine import steps
from flowbook.engine.answer import asks_again, ending, ends
from flowbook.engine.gathering import judged
from flowbook.engine.job import Job, RunPort
from flowbook.engine.messages import Expanded, Settled, TooEarly
from flowbook.engine.state import Cancelled, Failed, Mapped, Paused, Skipped, State
from flowbook.engine.state_handlers import call_task_handlers, change_state
from flowbook.engine.task_keys import child_key
from flowbook.exceptions import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.engine.event_relay import EventRelay
    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.machine import Machine
    from flowbook.engine.mapping import MapPlans

__all__ = ["JobRun", "Jobs"]


class JobRun(RunPort, Protocol):
    """The part of a run that `Jobs` uses."""

    graph: Graph
    is_cancelled: bool
    #: Its mapped tasks.
    maps: MapPlans


class Jobs:
    """The jobs of one epoch.

    Args:
        run: the run.
        machine: the epoch's machine; only read.
        maps: the plans that say which elements children get.
        relay: records the events that a task builds on before it starts.
        start: keys that a person started, so that no check holds them back.
    """

    def __init__(
        self,
        run: JobRun,
        machine: Machine,
        maps: MapPlans,
        relay: EventRelay,
        start: Iterable[str],
    ) -> None:
        self._run = run
        self._graph = run.graph
        self._machine = machine
        self._progress = machine.progress
        self._maps = maps
        self._relay = relay
        #: Replaced, never changed in place: other threads read it.
        self._start = frozenset(start)
        #: Whether any tasks are exempt from checks.
        self.has_requested = bool(self._start)

    def exempt_from_checks(self, keys: Iterable[str]) -> None:
        """Exempt these tasks from checks from now on, because a person started them."""
        self._start |= frozenset(keys)
        self.has_requested = bool(self._start)

    def job(self, key: str) -> Job | Settled | Expanded | TooEarly:
        """Return the job for `key`, or an event if there is nothing to run. Upstream states are recorded first."""
        if key in self._machine.gathering:
            return self._gathered(key)
        if self._progress.has_reopened and key not in self._start and self._machine.is_early(key):
            return TooEarly(key)
        child = self._machine.children.get(key)
        if ends(self._machine.states[key]):
            return self._ended(key, child)
        if not self._relay.secure(self._graph.specs[key if child is None else child[0]].upstream):
            return Settled(key, Cancelled("Another process has taken the run over."))
        return self._task_job(key, self._graph.specs[key]) if child is None else self._job_of_child(key, *child)

    def _ended(self, key: str, child: tuple[str, int] | None) -> Settled:
        """Settle a task that a person skipped or rejected; its inputs aren't read."""
        state = self._machine.states[key]
        parent, index = child if child is not None else (key, None)
        job = Job(self._graph.specs[parent], key, state, (), dict(state.cached_inputs), index, is_start=True)
        return Settled(key, change_state(job, self._run, state, ending(key, state)))

    def _is_start(self, key: str) -> bool:
        return key in self._start and not asks_again(self._machine.states[key])

    def _task_job(self, key: str, spec: TaskSpec) -> Job | Settled | Expanded:
        states = self._machine.states
        upstream = [states[binding.upstream] for binding in spec.bindings]
        if spec.is_mapped:
            return self._expand(key, spec, upstream)
        is_start = self._is_start(key) or (spec.cleans_up and self._run.is_cancelled)
        job = Job(spec, key, states[key], upstream, is_start=is_start)
        if spec.reads_gathered:
            job.judged = judged(self._graph, spec, upstream, states)
        if spec.reads_mapped:
            try:
                job.inputs = self._maps.reduced(spec, job.state)
            except BaseException as error:  # noqa: BLE001  # loading a value runs user code: unpickling
                return Settled(key, change_state(job, self._run, job.state, steps.state_of_error(error)))
        return job

    def _job_of_child(self, key: str, parent: str, index: int) -> Job | Settled:
        try:
            return self._child_job(key, parent, index)
        except BaseException as error:  # noqa: BLE001  # taking an element of a user's sequence may raise anything
            return self._broken_child(key, parent, index, error)

    def _child_job(self, key: str, parent: str, index: int) -> Job:
        is_start = (key in self._start or parent in self._start) and not asks_again(self._machine.states[key])
        return self._maps.child_job(key, parent, index, is_start=is_start)

    def _broken_child(self, key: str, parent: str, index: int, error: BaseException) -> Settled:
        state = self._machine.states[key]
        job = Job(self._graph.specs[parent], key, state, (), {}, index)
        return Settled(key, change_state(job, self._run, state, steps.state_of_error(error)))

    def _expand(self, key: str, spec: TaskSpec, upstream: list[State]) -> Settled | Expanded:
        job = Job(spec, key, self._machine.states[key], upstream, {}, is_start=key in self._start)
        state = self._unmappable(job)
        return self._split(job) if state is None else self._unsplit(job, state)

    def _split(self, job: Job) -> Settled | Expanded:
        key = job.key
        try:
            plan, width = self._maps.plan(job.spec, job.state)
        except RunError as error:
            return self._unsplit(job, Failed(str(error), error))
        except BaseException as error:  # noqa: BLE001  # a user's sequence may raise anything
            return self._unsplit(job, steps.state_of_error(error))
        split = self._state_of_split(job, width)
        if not isinstance(split, Mapped):
            self._run.state_changed(key, split)
            return Settled(key, split)
        self._maps.keep(key, plan)
        if job.is_start:
            self.exempt_from_checks(child_key(key, index) for index in range(width))
        return Expanded(key, width)

    def _unsplit(self, job: Job, state: State) -> Settled:
        """End a mapped task without children; a state that it already has isn't emitted again."""
        if state is not job.state:
            state = change_state(job, self._run, job.state, state)
        return Settled(job.key, state)

    def _gathered(self, key: str) -> Settled:
        """Call the handlers of a mapped task whose children have ended."""
        ended = self._machine.states[key]
        before = Mapped(n_map_states=ended.n_map_states) if isinstance(ended, Mapped) else ended
        job = Job(self._graph.specs[key], key, before, ())
        return Settled(key, change_state(job, self._run, before, ended))

    def _state_of_split(self, job: Job, width: int) -> State:
        """Return Mapped, or the state that a handler returned instead."""
        state: State = Mapped(f"Mapped over {width}.", n_map_states=width)
        return call_task_handlers(job, self._run, job.state, state)

    def _unmappable(self, job: Job) -> State | None:
        """Return the state in which a mapped task ends without having been split, or None."""
        if job.is_start:
            return None
        if steps.rests(job.state, time.time()):
            return job.state
        culprit = steps.skipped_by(job.spec, job.upstream)
        if culprit is not None:
            return Skipped(f"{culprit} was skipped.")
        lost = [
            b
            for b, s in zip(job.spec.bindings, job.upstream, strict=True)
            if b.mapped and b.argument is not None and not s.is_successful()
        ]
        if not lost:
            return None
        refused = steps.trigger_state(job.spec, job.upstream, steps.attempt_number(job.state), time.time())
        if refused is not None and not isinstance(refused, Paused):
            return refused
        names = ", ".join(f"{b.argument} (from {b.upstream})" for b in lost)
        return Failed(f"Can't map over {names}: it did not succeed, so there is no width.")
