"""Decides what a run does next: an event goes in, instructions come out.

Pure: no clock, thread, file or context. It knows keys, edges and states, and never looks at a value. A mapped task
becomes children `key[0]`, `key[1]`, … when its width is known.

`messages` has the events and instructions, `progress` the state of the run. `groups` handles mapped tasks, `reopening`
retries, `epoch_start` an epoch that continues an earlier one, and `final_state` the flow's last state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine import reopening
from flowbook.engine.answer import answered_state, ending, ends, to_try_again
from flowbook.engine.epoch_start import EpochStart
from flowbook.engine.final_state import final_state
from flowbook.engine.groups import Groups
from flowbook.engine.limits import Limits, Slots
from flowbook.engine.messages import (
    AnswerBy,
    CancelRequested,
    Due,
    Emit,
    Expanded,
    Finish,
    ResumeRequested,
    RetryRequested,
    Settled,
    Submit,
    TooEarly,
    WakeAt,
)
from flowbook.engine.progress import Progress
from flowbook.engine.state import (
    Cancelled,
    Cancelling,
    Mapped,
    Paused,
    Pending,
    Queued,
    Resume,
    Retrying,
    Running,
    Scheduled,
    TriggerFailed,
)
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_keys import child_keys
from flowbook.exceptions import TransitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flowbook.engine.answer import Answer
    from flowbook.engine.graph import Graph
    from flowbook.engine.messages import Instruction, MachineEvent
    from flowbook.engine.state import State

__all__ = ["Machine"]


class Machine:
    """The run of one graph, or with `start` of one epoch of it.

    Args:
        graph: what to run.
        states: states given from before, by key; children included.
        start: keys to treat as roots; only they and the tasks below are visited. Empty: all tasks are.
        limits: how many tasks run at once; None: any number.
        within: without `start`: only these keys and the tasks below are visited, and these wait for nothing above.
        only: the tasks that may run; empty: all may. What is above them has a finished state.
        has_handlers: whether the run has state handlers, besides those of the tasks.
    """

    def __init__(  # noqa: PLR0913  # a run, or an epoch of it
        self,
        graph: Graph,
        states: Mapping[str, State] | None = None,
        start: Iterable[str] = (),
        limits: Limits | None = None,
        *,
        within: Iterable[str] = (),
        only: Iterable[str] = (),
        has_handlers: bool = False,
    ) -> None:
        self._graph = graph
        self._start = tuple(start)
        self._only = frozenset(only) or None
        self._deciding = graph if self._only is None else graph.ending_with(self._only)
        self._within = tuple(within) or graph.first_of(self._only or frozenset())
        #: Whether only a part of the graph is visited.
        self._is_partial = bool(self._start or self._within)
        #: Whether tasks may be waiting for a person already.
        self._is_begun = bool(states)
        #: Shared with the machine's parts, and changed only by them.
        self.progress = Progress(graph, states)
        #: The state of every task and child, by key. Others change it only through `mark`.
        self.states = self.progress.states
        #: For each child of a mapped task: its task's key and its index.
        self.children = self.progress.children
        self._groups = Groups(self.progress, has_handlers=has_handlers)
        #: Mapped tasks that are submitted again after their children have ended, so that their handlers are called.
        self.gathering = self._groups.gathering
        self._slots = None if limits is None else Slots(limits)
        #: The states of queued tasks before they were queued.
        self._before_queue: dict[str, State] = {}
        #: What the states of resumed tasks were before: a cancel restores them. Answers that say more than that stand.
        self._before_resume: dict[str, State] = {}
        self._running = 0
        self._asleep: set[str] = set()
        #: Submitted tasks already marked as failed or paused: a person who sees that may retry or resume them before they settle.
        self._unsettled = self.progress.unsettled
        #: Those of them that go on once they have settled: answered (with the state after the answer), or retried (None).
        self.requested_early: dict[str, State | None] = {}
        #: Tasks that were submitted because the run was cancelled.
        self._cleaned_up: set[str] = set()
        for each in self.waiting(self._start):
            self._mark_answered(each)

    @property
    def has_work(self) -> bool:
        """Whether something runs or sleeps."""
        return bool(self._running or self._asleep)

    def mark(self, key: str, state: State) -> None:
        """Set an intermediate state of a submitted task; `handle` gets its last one, as Settled."""
        self.states[key] = state
        if not state._successful and not isinstance(state, Running):  # noqa: SLF001  # asked of every state
            self._unsettled.add(key)

    def begin(self) -> list[Instruction]:
        """Return the first instructions."""
        given = self.paused() if self._is_begun else ()
        deadlines = [each for key in given for each in _deadline(key, self.states[key])]
        if not self._start and self._within:
            return self._go_on(self.progress.wait_for_all_below(self._within, self._only), deadlines)
        if not self._start:
            self.progress.forget_stale()
            return self._go_on(self.progress.wait_for_all(), deadlines)
        return self._go_on(EpochStart(self.progress, self._start, self._only).take_up(), deadlines)

    def handle(self, event: MachineEvent) -> list[Instruction]:
        """Take an event, return the instructions that follow.

        Raises:
            TransitionError: if it can't follow what came before.
        """
        if type(event) is Settled:
            return self._settled(event.key, event.state)
        match event:
            case Expanded(key, width):
                out = self._expanded(key, width)
            case Due(key):
                out = self._wake((key,)) if key in self._asleep else []
            case TooEarly(key):
                out = self._came_too_early(key)
            case ResumeRequested(keys, answer):
                out = self._wake(keys, answer)
            case CancelRequested(queued):
                out = self._cancel(queued)
            case RetryRequested(keys):
                out = self._retry(keys)
            case _:
                msg = f"No such event: {event!r}. Please report this."
                raise TransitionError(msg, event=repr(event))
        return out

    def is_early(self, key: str) -> bool:
        """Return whether a task directly above `key` was reopened after `key` was submitted; from any thread."""
        return reopening.is_early(self.progress, key)

    def waiting(self, keys: Iterable[str]) -> list[str]:
        """Return the keys among these that wait for a person or sleep; for a mapped task, its children that do."""
        return [each for key in keys for each in self._waiting(key)]

    def paused(self) -> list[str]:
        """Return the keys that wait for a person."""
        return [key for key, state in self.states.items() if waits_for_person(state)]

    def failed(self) -> list[str]:
        """Return the keys that failed by themselves, in the order of the graph."""
        failed, unsettled = self.progress.failed, self._unsettled
        return [
            key
            for key, state in self.states.items()
            if type(state) is not TriggerFailed and (key in failed or (state.is_failed() and key in unsettled))
        ]

    def succeed(self, key: str, state: State) -> list[str] | None:
        """Do what `handle` does when a task that isn't mapped, or a child that isn't the last one, has succeeded.

        Return the keys to submit; None if the caller must call `handle`, because this run needs more than that.
        """
        progress = self.progress
        if self._is_partial or self._slots is not None or progress.has_reopened or progress.is_cancelled:
            return None
        if self.children and (child := self.children.get(key)) is not None:
            if (group := progress.groups[child[0]]).left == 1:
                return None
            self.states[key] = state
            if not group.linked:
                group.settle(child[1])
                self._running -= 1
                return []
            ready = self._groups.settle(*child, [])
            self._running += len(ready) - 1
            return ready
        self.states[key] = state
        left = progress.left
        ready = []
        for below in self._graph.children[key]:
            count = left[below] = left[below] - 1
            if not count:
                ready.append(below)
        self._running += len(ready) - 1
        return ready

    def finish(self) -> list[Instruction]:
        """Return the instruction that ends the run, once no task runs or sleeps."""
        return self._go_on([])

    def validate(self) -> None:
        """Check the rules that hold after every event; for tests, as it visits every task.

        Raises:
            TransitionError: if a rule is broken; says which.
        """
        broken = [*self.progress.broken_rules(), *self._broken_rules()]
        if self._slots is not None:
            broken += self._slots.broken_rules()
        if broken:
            msg = f"The machine broke its own rules: {'; '.join(broken)}. Please report this."
            raise TransitionError(msg, broken=broken)

    def _broken_rules(self) -> Iterator[str]:
        states = self.states
        if self._running < 0:
            yield f"{self._running} tasks run"
        for key in self._asleep:
            if not isinstance(states[key], Scheduled):
                yield f"{key} sleeps and is {states[key]!r}"
        for key in self._before_queue:
            if not isinstance(states[key], Queued):
                yield f"{key} is queued and is {states[key]!r}"
        for key in self.requested_early.keys() - self._unsettled:
            yield f"{key} is to go on once it has settled, and has settled"
        for key in self.gathering:
            if self.progress.groups[key].left:
                yield f"{key} is gathered while children run"

    # Events

    def _settled(self, key: str, state: State) -> list[Instruction]:
        progress = self.progress
        self._running -= 1
        if self._slots is not None:
            self._slots.release(key)
        self.states[key] = state
        if self._unsettled and (again := self._requested_again(key, state)) is not None:
            return again
        if self.gathering and key in self.gathering:
            self.gathering.discard(key)
            if state.is_finished():
                return self._go_on(self._groups.release_below(key))
        if progress.has_reopened and reopening.goes_by_what_is_above(state):
            early = reopening.ran_too_early(progress, key)
            if early is not None:
                return self._go_on(early, [] if type(state) is Pending else [Emit(key, self.states[key])])
        if state._finished:  # noqa: SLF001  # the machine's inner loop: a call costs as much as the rest of the line
            if state._failed:  # noqa: SLF001
                progress.failed.add(key)
            out: list[Instruction] = []
            child = self.children.get(key)
            ready = progress.release_below(key) if child is None else self._groups.settle(*child, out)
            return self._go_on(ready, out)
        if isinstance(state, Scheduled) and state.start_time is not None and not progress.is_cancelled:
            self._asleep.add(key)
            return self._go_on([], [WakeAt(key, state.start_time.timestamp())])
        return self._go_on([], _deadline(key, state))

    def _requested_again(self, key: str, state: State) -> list[Instruction] | None:
        """Go on with a task that was answered or retried before it settled; return None if it wasn't."""
        self._unsettled.discard(key)
        if key not in self.requested_early or key in self.gathering:
            return None
        answered, is_cancelled = self.requested_early.pop(key), self.progress.is_cancelled
        if answered is not None:
            self.states[key] = answered
            return self._go_on([], self._end_answered([key])) if is_cancelled else self._go_on([key])
        if is_cancelled or not state.is_failed():
            return None
        #: No task below was released yet, so nothing has to be undone.
        again = self.states[key] = to_try_again(state)
        return self._go_on([key], [Emit(key, again)])

    def _came_too_early(self, key: str) -> list[Instruction]:
        self._running -= 1
        if self._slots is not None:
            self._slots.release(key)
        return self._go_on(reopening.wait_for_reopened(self.progress, key))

    def _expanded(self, key: str, width: int) -> list[Instruction]:
        self._running -= 1
        out: list[Instruction] = []
        return self._go_on(self._groups.split(key, width, out), out)

    def _wake(self, keys: Iterable[str], answer: Answer | None = None) -> list[Instruction]:
        ready: list[str] = []
        out: list[Instruction] = []
        for key in [] if self.progress.is_cancelled else dict.fromkeys(self.waiting(keys)):
            answered = self._mark_answered(key, answer)
            if answered is not None and key not in self._before_resume:
                out.append(Emit(key, answered))
            if key in self._unsettled:
                self.requested_early[key] = answered
            else:
                self._asleep.discard(key)
                ready.append(key)
        return self._go_on(ready, out) if ready else out

    def _waiting(self, key: str) -> list[str]:
        state = self.states.get(key)
        if key in self._asleep or waits_for_person(state):
            return [key]
        if not isinstance(state, Mapped):
            return []
        return [child for child in child_keys(key, state.n_map_states) if waits_for_person(self.states.get(child))]

    def _mark_answered(self, key: str, answer: Answer | None = None) -> State | None:
        """Mark a paused task as answered, so that a second answer finds nothing that waits; return None if it only sleeps."""
        state = self.states[key]
        if not waits_for_person(state):
            return None
        answered = self.states[key] = answered_state(state, answer)
        if answer is not None and answer.is_lasting:
            self._before_resume.pop(key, None)
        else:
            self._before_resume[key] = state
        return answered

    def _cancel(self, queued: tuple[str, ...]) -> list[Instruction]:
        self.progress.is_cancelled = True
        self._running -= len(queued)
        self._asleep.clear()
        early = self.requested_early.items()
        self.requested_early = {key: state for key, state in early if state and key not in self._before_resume}
        untold: list[Instruction] = [Emit(key, self.states[key]) for key in queued if key in self.gathering]
        answered = [key for key in queued if ends(self.states[key])]
        untold += self._end_answered(answered)
        untold += self._withdraw([key for key in queued if key not in self.gathering and key not in answered])
        for key, state in self.states.items():
            if type(state) is Running:
                going = self.states[key] = Cancelling("Cancelled by a person; it goes on to its end.", since=state.at)
                untold.append(Emit(key, going))
        return self._go_on([], untold)

    def _end_answered(self, keys: Iterable[str]) -> list[Instruction]:
        """End those tasks that a person skipped or rejected: that stands, though nothing starts any more."""
        ended: list[Instruction] = []
        for key in keys:
            if ends(self.states[key]):
                state = self.states[key] = ending(key, self.states[key])
                ended.append(Emit(key, state))
        return ended

    def _withdraw(self, submitted: list[str]) -> list[Instruction]:
        """Restore the states that submitted and queued tasks had before they were resumed or queued."""
        self.states.update(self._before_queue)
        found = [*self._before_queue, *submitted]
        self._before_queue.clear()
        for key, state in self._before_resume.items():
            if type(self.states[key]) is Resume:
                self.states[key] = state
        if self._slots is None:
            return []
        self._slots.forget()
        return [Emit(key, self.states[key]) for key in found]

    def _retry(self, keys: tuple[str, ...]) -> list[Instruction]:
        self.requested_early.update(dict.fromkeys(self._unsettled.intersection(keys)))
        failed = [key for key in keys if key in self.progress.failed]
        if self.progress.is_cancelled or not failed:
            return []
        out: list[Instruction] = []
        return self._go_on(reopening.reopen(self.progress, failed, out), out)

    # Instructions

    def _go_on(self, ready: list[str], out: list[Instruction] | None = None) -> list[Instruction]:
        """Submit the tasks that are ready; if there are none and no task is under way, clean up or finish."""
        out = [] if out is None else out
        is_cancelled = self.progress.is_cancelled
        if self._slots is not None and not is_cancelled:
            ready = self._admitted(self._slots, ready, out)
        if ready and not is_cancelled:
            self._running += len(ready)
            out.append(Submit(tuple(ready)))
        elif not self._running and not self._asleep:
            cleanup = self._next_cleanup() if is_cancelled else None
            if cleanup is not None:
                self._running += 1
                out.append(Submit((cleanup,)))
            else:
                out.append(Finish(self._final()))
        return out

    def _admitted(self, slots: Slots, ready: list[str], out: list[Instruction]) -> list[str]:
        """Return the tasks that may run: of `ready`, then of those that wait. Splitting or ending a task takes none."""
        admitted = []
        for key in ready:
            child = self.children.get(key)
            spec = self._graph.specs[key if child is None else child[0]]
            is_free = (child is None and spec.is_mapped) or ends(self.states[key])
            under = () if is_free else slots.limits_of(spec)
            if is_free or slots.take(key, under):
                admitted.append(key)
            else:
                self._queue(key, f"Waits for a free slot: {slots.reason(under)} is reached.", out)
        for key in slots.admit():
            self.states[key] = self._before_queue.pop(key)
            admitted.append(key)
        return admitted

    def _queue(self, key: str, message: str, out: list[Instruction]) -> None:
        before = self._before_queue[key] = self.states[key]
        run_count = before.run_count if isinstance(before, (Queued, Retrying)) else 0
        state = self.states[key] = Queued(message, cached_inputs=before.cached_inputs, run_count=run_count)
        out.append(Emit(key, state))

    def _next_cleanup(self) -> str | None:
        """Return the next clean-up task, the innermost first; each runs once, even if it doesn't succeed."""
        for key, spec in self._graph.specs.items():
            if not spec.cleans_up or key in self._cleaned_up or self.states[key].is_finished():
                continue
            above = [self.states[binding.upstream] for binding in spec.bindings if binding.argument is not None]
            if all(state.is_successful() and not state.is_skipped() for state in above):
                self._cleaned_up.add(key)
                return key
        return None

    def _final(self) -> State:
        is_cancelled = self.progress.is_cancelled
        return Cancelled("Cancelled by a person.") if is_cancelled else final_state(self._deciding, self.states)


def _deadline(key: str, state: State) -> list[Instruction]:
    if not isinstance(state, Paused) or state.deadline is None or not waits_for_person(state):
        return []
    return [AnswerBy(key, state.deadline.timestamp())]
