"""What to do next: an event goes in, instructions come out.

Pure: no clock, no thread, no file, no context. It knows keys, edges and states, and never looks at a value. A mapped task
becomes children `key[0]`, `key[1]`, … when its width is known; a mapped task below it is fed child by child, so a branch
never waits for its neighbours.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.graph import child_key
from flowbook.engine.limits import Limits, Places
from flowbook.engine.state import (
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Queued,
    Resume,
    Retrying,
    Scheduled,
    Success,
    TriggerFailed,
)
from flowbook.exceptions import TransitionError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State

__all__ = [
    "CancelAsked",
    "Due",
    "Expanded",
    "Finish",
    "Instruction",
    "Machine",
    "MachineEvent",
    "ResumeAsked",
    "RetryAsked",
    "Settled",
    "Submit",
    "Tell",
    "TooEarly",
    "WakeAt",
]

_NAMED_AT_MOST = 5


class Settled:
    """A submitted task came to rest in `state`: finished, paused, or to run again later. Slots by hand: one a task."""

    __slots__ = ("key", "state")

    def __init__(self, key: str, state: State) -> None:
        self.key = key
        self.state = state


class Expanded(NamedTuple):
    """A submitted mapped task has `width` children to run."""

    key: str
    width: int


class Due(NamedTuple):
    """The time has come for a task that was to run again."""

    key: str


class TooEarly(NamedTuple):
    """A submitted task did not run: something above it was opened again meanwhile, see `Machine.is_early`."""

    key: str


class ResumeAsked(NamedTuple):
    """A person asked for these paused tasks to go on."""

    keys: tuple[str, ...]


class CancelAsked(NamedTuple):
    """A person asked for the run to stop; `queued` were submitted and never started."""

    queued: tuple[str, ...] = ()


class RetryAsked(NamedTuple):
    """A person asked for these failed tasks to be tried again, and what could not run because of them."""

    keys: tuple[str, ...]


MachineEvent = Settled | Expanded | Due | TooEarly | ResumeAsked | CancelAsked | RetryAsked


class Submit(NamedTuple):
    """Run these tasks, in this order where order is to be had."""

    keys: tuple[str, ...]


class WakeAt(NamedTuple):
    """Say Due for this task at `at` (seconds since the epoch)."""

    key: str
    at: float


class Tell(NamedTuple):
    """This task's state changed by itself; tell the world."""

    key: str
    state: State


class Finish(NamedTuple):
    """Nothing is left to do now; the flow's state is `state`."""

    state: State


Instruction = Submit | WakeAt | Tell | Finish


class _Group:
    """The children of one mapped task. `linked` are mapped tasks whose child i is fed by child i of this one."""

    __slots__ = ("left", "linked", "settled", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.left = width
        self.linked: list[str] = []
        #: 1 for each child that has settled. Its state may say so earlier: the runner marks it before it says Settled.
        self.settled = bytearray(width)

    def settle(self, index: int) -> None:
        self.left -= 1
        self.settled[index] = 1


class Machine:
    """The run of one graph, or with `start` of one epoch of it.

    Args:
        graph: what to run.
        states: states given from before, by key; children included.
        start: keys to treat as roots; only they and what lies below is visited. Empty: everything is.
        limits: how many tasks run at once; None: any number.
        has_handlers: whether somebody wants to be asked about every change of state, besides the tasks' own handlers.
    """

    def __init__(
        self,
        graph: Graph,
        states: Mapping[str, State] | None = None,
        start: Iterable[str] = (),
        limits: Limits | None = None,
        *,
        has_handlers: bool = False,
    ) -> None:
        self.graph = graph
        self._has_handlers = has_handlers
        #: Mapped tasks that are submitted once more, as their children have ended: handlers are asked what to make of it.
        self.gathering: set[str] = set()
        self._places = None if limits is None else Places(limits)
        #: What the states of queued tasks were before.
        self._before_queue: dict[str, State] = {}
        #: The state of every task and child, by key. Written here alone, but for `mark`.
        self.states: dict[str, State] = dict.fromkeys(graph.specs, _PENDING)
        self.states.update(states or {})
        self.start = tuple(start)
        #: For each child of a mapped task: its task's key and its index.
        self.children: dict[str, tuple[str, int]] = {}
        self._left: dict[str, int] = {}
        self._groups: dict[str, _Group] = {}
        self._running = 0
        self._asleep: set[str] = set()
        self._cancelled = False
        #: Those that were submitted because the run was cancelled.
        self._cleaned_up: set[str] = set()
        #: What failed and has settled: its state may say so earlier, and then be Retrying.
        self._failed: set[str] = set()
        #: Whether anything was tried again on request, so that a task may settle that looked up too early.
        self.has_reopened = False
        #: Children that wait for something that all of their task's children get whole, by its key: only after a retry, and
        #: where an epoch starts in the middle.
        self._wait_for_whole: dict[str, list[str]] = {}
        for key in self.start:
            for each in self._waiting(key):
                self._let_go(each)

    @property
    def has_work(self) -> bool:
        """Whether something runs or sleeps."""
        return bool(self._running or self._asleep)

    def mark(self, key: str, state: State) -> None:
        """Note that a submitted task now runs."""
        self.states[key] = state

    def begin(self) -> list[Instruction]:
        """Return what to do first."""
        if not self.start:
            self._left = {key: len(spec.upstream) for key, spec in self.graph.specs.items()}
            return self._go_on([key for key, count in self._left.items() if not count])
        return self._go_on(self._enter_start())

    def handle(self, event: MachineEvent) -> list[Instruction]:
        """Take an event, return what follows.

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
                self._running -= 1
                if self._places is not None:
                    self._places.give_back(key)
                out = self._go_on(self._look_again(key))
            case ResumeAsked(keys):
                out = self._wake(keys)
            case CancelAsked(queued):
                out = self._cancel(queued)
            case RetryAsked(keys):
                out = self._retry(keys)
            case _:
                msg = f"No such event: {event!r}. Please report this."
                raise TransitionError(msg, event=repr(event))
        return out

    def paused(self) -> list[str]:
        """Return the keys that wait for a person."""
        return [key for key, state in self.states.items() if _waits(state)]

    def failed(self) -> list[str]:
        """Return the keys that failed by themselves and have settled, in the order of the graph."""
        return [key for key, state in self.states.items() if key in self._failed and type(state) is not TriggerFailed]

    # One task

    def _settled(self, key: str, state: State) -> list[Instruction]:
        self._running -= 1
        if self._places is not None:
            self._places.give_back(key)
        self.states[key] = state
        if self.gathering and key in self.gathering:
            self.gathering.discard(key)
            if state.is_finished():
                return self._go_on(self._group_let_go(key))
        if self.has_reopened and (type(state) is Pending or type(state) is TriggerFailed):
            again = self._looked_too_early(key)
            if again is not None:
                return self._go_on(again)
        if state._finished:  # noqa: SLF001  # the machine's inner loop: a call costs as much as the rest of the line
            if state._failed:  # noqa: SLF001
                self._failed.add(key)
            out: list[Instruction] = []
            return self._go_on(self._finished(key, out), out)
        if isinstance(state, Scheduled) and state.start_time is not None and not self._cancelled:
            self._asleep.add(key)
            return self._go_on([], [WakeAt(key, state.start_time.timestamp())])
        return self._go_on([])

    def _finished(self, key: str, out: list[Instruction]) -> list[str]:
        child = self.children.get(key)
        if child is not None:
            return self._child_finished(*child, out)
        ready: list[str] = []
        left = self._left
        for below in self.graph.children[key]:
            if below in left:
                left[below] -= 1
                if not left[below]:
                    ready.append(below)
        if self.has_reopened or self._wait_for_whole:
            ready += self._let_children_go(key)
        return ready

    def _go_on(self, ready: list[str], out: list[Instruction] | None = None) -> list[Instruction]:
        out = [] if out is None else out
        if self._places is not None and not self._cancelled:
            ready = self._admitted(self._places, ready, out)
        if ready and not self._cancelled:
            self._running += len(ready)
            out.append(Submit(tuple(ready)))
        elif not self._running and not self._asleep:
            cleanup = self._next_cleanup() if self._cancelled else None
            if cleanup is not None:
                self._running += 1
                out.append(Submit((cleanup,)))
            else:
                out.append(Finish(self._final()))
        return out

    def _next_cleanup(self) -> str | None:
        """Return a task that cleans up what was set up, the innermost first; each once, also where it did not succeed."""
        for key, spec in self.graph.specs.items():
            if not spec.cleans_up or key in self._cleaned_up or self.states[key].is_finished():
                continue
            above = [self.states[binding.upstream] for binding in spec.bindings if binding.argument is not None]
            if all(state.is_successful() and not state.is_skipped() for state in above):
                self._cleaned_up.add(key)
                return key
        return None

    def _admitted(self, places: Places, ready: list[str], out: list[Instruction]) -> list[str]:
        """Return which tasks may run: of `ready`, then of those that wait. Splitting a mapped task is no work."""
        admitted = []
        for key in ready:
            child = self.children.get(key)
            spec = self.graph.specs[key if child is None else child[0]]
            if child is None and spec.is_mapped:
                admitted.append(key)
                continue
            under = places.limits_of(spec)
            if places.take(key, under):
                admitted.append(key)
            else:
                before = self._before_queue[key] = self.states[key]
                state = self.states[key] = Queued(
                    f"Waits for a place: {places.reason(under)} is reached.",
                    cached_inputs=before.cached_inputs,
                    run_count=before.run_count if isinstance(before, (Queued, Retrying)) else 0,
                )
                out.append(Tell(key, state))
        for key in places.admit():
            self.states[key] = self._before_queue.pop(key)
            admitted.append(key)
        return admitted

    def _wake(self, keys: Iterable[str]) -> list[Instruction]:
        ready: list[str] = []
        for key in () if self._cancelled else keys:
            for each in self._waiting(key):
                self._asleep.discard(each)
                self._let_go(each)
                ready.append(each)
        return self._go_on(ready) if ready else []

    def waiting(self, keys: Iterable[str]) -> list[str]:
        """Return which of these wait for a person, or sleep; for a mapped task its children that do."""
        return [each for key in keys for each in self._waiting(key)]

    def _waiting(self, key: str) -> list[str]:
        state = self.states.get(key)
        if key in self._asleep or _waits(state):
            return [key]
        if not isinstance(state, Mapped):
            return []
        children = (child_key(key, index) for index in range(state.n_map_states))
        return [child for child in children if _waits(self.states.get(child))]

    def _let_go(self, key: str) -> None:
        """Note that a paused task is to go on, so that asking twice before it runs does not run it twice."""
        state = self.states[key]
        if _waits(state):
            self.states[key] = Resume("Goes on.", None, None, state.context, state.cached_inputs)

    def _cancel(self, queued: tuple[str, ...]) -> list[Instruction]:
        self._cancelled = True
        self._running -= len(queued)
        self._asleep.clear()
        untold: list[Instruction] = [Tell(key, self.states[key]) for key in queued if key in self.gathering]
        if self._places is not None:
            self._places.forget()
            self.states.update(self._before_queue)
            self._before_queue.clear()
        return self._go_on([], untold)

    # Trying again

    def _retry(self, keys: tuple[str, ...]) -> list[Instruction]:
        """Open failed tasks again, and below them what failed by its trigger; what waits there waits for them once more."""
        roots = dict.fromkeys(key for key in keys if key in self._failed)
        if self._cancelled or not roots:
            return []
        self.has_reopened = True
        tasks = [self.children.get(key, (key, 0))[0] for key in roots]
        for key in self.graph.to_set_up_again(tasks, lambda key: self.states[key].is_finished()):
            self._failed.add(key)
            roots[key] = None
        out: list[Instruction] = []
        for key in roots:
            kept = self.states[key].cached_inputs
            self._open(key, Pending("To be tried again.", cached_inputs=kept), roots, out)
        ready = [key for key in roots if not self._left.get(key)]
        return self._go_on(ready, out)

    def _open(self, key: str, state: State, roots: Container[str], out: list[Instruction]) -> None:
        """Undo that `key` has settled, for itself and for what was let go by it; without recursion, as chains are long.

        Others of `roots` wait for it as well where they are below, and are opened in their own turn.
        """
        opened = [(key, state)]
        while opened:
            each, now = opened.pop()
            if each not in self._failed:
                continue
            self._failed.discard(each)
            self.states[each] = now
            out.append(Tell(each, now))
            child = self.children.get(each)
            waits = self._undone(each) if child is None else self._undone_child(*child, out)
            below = [one for one, whole in waits if self._wait_again(one, whole, roots)]
            opened += [(one, Pending("Waits for what is tried again.")) for one in below]

    def _undone(self, key: str) -> list[tuple[str, str | None]]:
        """Return what is below and was let go when `key` had settled; children that get it whole stand beside its key."""
        group = self._groups.get(key)
        linked = () if group is None else group.linked
        undone: list[tuple[str, str | None]] = []
        for below in self.graph.children[key]:
            if below in self._groups and below not in linked:
                width = self._groups[below].width
                undone += [(child_key(below, index), key) for index in range(width)]
            elif below not in linked:
                undone.append((below, None))
        return undone

    def _undone_child(self, key: str, index: int, out: list[Instruction]) -> list[tuple[str, str | None]]:
        group = self._groups[key]
        was_done = not group.left
        group.left += 1
        group.settled[index] = 0
        undone: list[tuple[str, str | None]] = [(child_key(below, index), None) for below in group.linked]
        if was_done:
            state = self.states[key] = _open_again(group.width)
            out.append(Tell(key, state))
            undone += self._undone(key)
        return undone

    def _wait_again(self, key: str, whole: str | None, roots: Container[str]) -> bool:
        """Let `key` wait for one more, unless it is done or under way; return whether it failed by its trigger: open it too."""
        failed_by_trigger = key in self._failed and type(self.states[key]) is TriggerFailed
        left = max(self._left.get(key, 0), 0)
        if left or failed_by_trigger or key in roots:
            self._left[key] = left + 1
            if whole is not None:
                self._wait_for_whole.setdefault(whole, []).append(key)
        return failed_by_trigger

    def _let_children_go(self, key: str) -> list[str]:
        """Return the children that have waited for `key` alone; mark those under way, which may have looked too early."""
        ready = []
        for child in self._wait_for_whole.pop(key, ()):
            self._left[child] -= 1
            if not self._left[child]:
                del self._left[child]
                ready.append(child)
        let_go = set(ready)
        for below in self.graph.children[key] if self.has_reopened else ():
            group = self._groups.get(below)
            if group is None:
                continue
            for index in range(group.width):
                child = child_key(below, index)
                if not group.settled[index] and child not in let_go:
                    self._left.setdefault(child, _UNDER_WAY)
        return ready

    def is_early(self, key: str) -> bool:
        """Return whether something right above `key` was opened again after `key` was submitted; from any thread."""
        if not self.has_reopened:
            return False
        parent, index = self.children.get(key, (key, None))
        for up in self.graph.specs[parent].upstream:
            group = self._groups.get(up)
            if group is None or parent not in group.linked:
                if self._is_open(up):
                    return True
            elif index is not None and not group.settled[index]:
                return True
        return False

    def _looked_too_early(self, key: str) -> list[str] | None:
        """Return None if what `key` came to holds: nothing above it was opened again while it was under way.

        Otherwise it waits for that, or is to run once more at once (it is then in the list), as that has settled already.
        """
        if not self.is_early(key) and self._left.get(key, 0) >= 0:
            return None
        return self._look_again(key)

    def _look_again(self, key: str) -> list[str]:
        """Let `key` wait for what is right above it and has not settled; return it in a list if nothing is."""
        child = self.children.get(key)
        count = self._wait_for_above(*child) if child is not None else self._count_above(key)
        self.states[key] = _PENDING
        self._left[key] = count
        return [] if count else [key]

    def _count_above(self, key: str) -> int:
        ups = self.graph.specs[key].upstream
        return sum(self._is_open(up) for up in ups if up not in self._groups or key not in self._groups[up].linked)

    def _is_open(self, key: str) -> bool:
        """Return whether a task has not settled, or has children that have not."""
        group = self._groups.get(key)
        return group.left > 0 if group is not None else not self.states[key].is_finished()

    def _wait_for_above(self, key: str, index: int, scope: Container[str] = ()) -> int:
        """Let a child wait for what is right above it and has not settled, or is in `scope`; return for how many."""
        child = child_key(key, index)
        count = 0
        fed_by = {b.upstream: self._groups.get(b.upstream) for b in self.graph.specs[key].bindings if b.mapped}
        for up in self.graph.specs[key].upstream:
            group = fed_by.get(up)
            if group is not None and key in group.linked:
                count += not group.settled[index]
            elif self._is_open(up) or up in scope:
                self._wait_for_whole.setdefault(up, []).append(child)
                count += 1
        return count

    # Mapped tasks

    def _expanded(self, key: str, width: int) -> list[Instruction]:
        self._running -= 1
        group = self._groups[key] = _Group(width)
        state = self.states[key] = Mapped(f"Mapped over {width}.", n_map_states=width)
        out: list[Instruction] = [Tell(key, state)]
        for index in range(width):
            child = child_key(key, index)
            self.children[child] = (key, index)
            self.states.setdefault(child, _PENDING)
        # Maps below are split before the first child runs: or its branch would wait for all its neighbours.
        ready = self._link_below(key, group)
        ready += self._children_ready(key, range(width))
        if not width:
            ready += self._group_finished(key, out)
        return self._go_on(ready, out)

    def _children_ready(self, key: str, indices: Iterable[int]) -> list[str]:
        """Return those children of `key` that nothing holds back, and note for the others what does."""
        if self.has_reopened:
            waiting = {child_key(key, index): self._wait_for_above(key, index) for index in indices}
            self._left.update((child, count) for child, count in waiting.items() if count)
            return [child for child, count in waiting.items() if not count]
        feeders = [group for group in self._feeders(key) if group.left]
        if not feeders:
            return [child_key(key, index) for index in indices]
        ready = []
        for index in indices:
            child = child_key(key, index)
            count = sum(not group.settled[index] for group in feeders)
            if count:
                self._left[child] = count
            else:
                ready.append(child)
        return ready

    def _feeders(self, key: str) -> list[_Group]:
        ups = dict.fromkeys(b.upstream for b in self.graph.specs[key].bindings if b.mapped)
        return [self._groups[up] for up in ups if up in self._groups]

    def _link_below(self, key: str, group: _Group) -> list[str]:
        """Let mapped tasks below know that the width is there, though the children still run."""
        if not group.width:
            return []
        ready = []
        for below in self.graph.children[key]:
            if below in self._left and self._is_fed_only(below, key):
                group.linked.append(below)
                self._left[below] -= 1
                if not self._left[below]:
                    ready.append(below)
        return ready

    def _is_fed_only(self, below: str, key: str) -> bool:
        spec = self.graph.specs[below]
        return spec.is_mapped and all(b.mapped and not b.flattened for b in spec.bindings if b.upstream == key)

    def _child_finished(self, key: str, index: int, out: list[Instruction]) -> list[str]:
        group = self._groups[key]
        group.settle(index)
        ready = []
        for below in group.linked:
            child = child_key(below, index)
            if child in self._left:
                self._left[child] -= 1
                if not self._left[child]:
                    del self._left[child]
                    ready.append(child)
            elif self.has_reopened and below in self._groups and not self._groups[below].settled[index]:
                self._left[child] = _UNDER_WAY
        if not group.left:
            ready += self._group_finished(key, out)
        return ready

    def _group_finished(self, key: str, out: list[Instruction]) -> list[str]:
        group = self._groups[key]
        states = [self.states[child_key(key, index)] for index in range(group.width)]
        failed = sum(state.is_failed() for state in states)
        message = f"{failed} of {group.width} failed." if failed else f"All {group.width} succeeded."
        state = self.states[key] = Mapped(message, map_states=states)
        if (self._has_handlers or self.graph.specs[key].handlers) and not self._cancelled:
            self.gathering.add(key)
            return [key]
        out.append(Tell(key, state))
        return self._group_let_go(key)

    def _group_let_go(self, key: str) -> list[str]:
        """Return what has waited for a mapped task as a whole."""
        group = self._groups[key]
        if self.states[key].is_failed():
            self._failed.add(key)
        ready = []
        for below in self.graph.children[key]:
            if below in self._left and below not in group.linked:
                self._left[below] -= 1
                if not self._left[below]:
                    ready.append(below)
        if self.has_reopened or self._wait_for_whole:
            ready += self._let_children_go(key)
        return ready

    # Starting in the middle

    def _enter_start(self) -> list[str]:
        """Take up what an earlier epoch left, and return what runs at once; only what lies below the start is visited."""
        start, opened = self._split_start()
        scope = self.graph.downstream([*start, *opened])
        ready = [key for key in self.graph.specs if key in start]
        #: Mapped tasks with children that run, or may run when a person lets them: the indices of those that surely do.
        again: dict[str, set[int]] = {}
        for key, spec in self.graph.specs.items():
            if key in start:
                continue
            state, roots, fed = self.states[key], opened.get(key, set()), set[int]()
            is_in_scope = key in scope
            if is_in_scope:
                fed = self._fed_again(key, scope, again)
            if roots or fed or (not is_in_scope and isinstance(state, Mapped)):
                ready += self._take_up(key, roots, fed, scope if roots else ())
                if self._groups[key].left:
                    again[key] = roots | fed
            elif is_in_scope or not state.is_finished():
                self._left[key] = sum(up in scope or self._is_open(up) for up in spec.upstream)
                if isinstance(state, Mapped):
                    self.states[key] = _open_again(state.n_map_states)
                if is_in_scope:
                    ready += self._link_to_open(key, again)
            elif state.is_failed():
                self._failed.add(key)
        return ready

    def _split_start(self) -> tuple[set[str], dict[str, set[int]]]:
        """Return the whole tasks to start, and for mapped ones that were split already the indices of their children."""
        start: set[str] = set()
        opened: dict[str, set[int]] = {}
        for key in self.start:
            if key not in self.graph.specs:
                parent, index = parse_child(key)
                opened.setdefault(parent, set()).add(index)
            elif isinstance(state := self.states[key], Mapped) and state.n_map_states:
                open_ones = {
                    i
                    for i in range(state.n_map_states)
                    if not self.states.get(child_key(key, i), _PENDING).is_successful()
                }
                if open_ones:
                    opened.setdefault(key, set()).update(open_ones)
                else:
                    start.add(key)
            else:
                start.add(key)
        return start, opened

    def _fed_again(self, key: str, scope: set[str], again: Mapping[str, set[int]]) -> set[int]:
        """Return which children of a task that was split before wait for children above that run again.

        Only what has not succeeded goes along. A task that also waits for anything else is visited as a whole, later.
        """
        state = self.states[key]
        above = [up for up in self.graph.specs[key].upstream if up in scope]
        if not isinstance(state, Mapped) or not all(up in again and self._is_fed_only(key, up) for up in above):
            return set()
        return {
            index
            for up in above
            for index in again[up]
            if index < state.n_map_states and not self.states.get(child_key(key, index), _PENDING).is_successful()
        }

    def _take_up(self, key: str, roots: set[int], fed: set[int], scope: Container[str]) -> list[str]:
        """Take up a task that was split before; return its children that nothing holds back."""
        state = self.states[key]
        width = state.n_map_states if isinstance(state, Mapped) else max(roots) + 1
        group = self._groups[key] = _Group(width)
        for up in self.graph.specs[key].upstream:
            if up in self._groups and self._is_fed_only(key, up) and self._groups[up].width == width:
                self._groups[up].linked.append(key)
        for index in range(width):
            child = child_key(key, index)
            self.children[child] = (key, index)
            known = self.states.setdefault(child, _PENDING)
            if index in roots:
                continue
            if index in fed:
                self.states[child] = _PENDING
            elif known.is_finished():
                group.settle(index)
                if known.is_failed():
                    self._failed.add(child)
                continue
            if count := self._wait_for_above(key, index, scope):
                self._left[child] = count
        if group.left:
            self.states[key] = _open_again(width)
        return [child_key(key, index) for index in sorted(roots)]

    def _link_to_open(self, key: str, again: Container[str]) -> list[str]:
        """Let a mapped task that was not split yet know that widths above are there."""
        for up in self.graph.specs[key].upstream:
            if up in again and self._is_fed_only(key, up):
                self._groups[up].linked.append(key)
                self._left[key] -= 1
                if not self._left[key]:
                    return [key]
        return []

    # The end

    def _final(self) -> State:
        if self._cancelled:
            return Cancelled("Cancelled by a person.")
        return final_state(self.graph, self.states)


def _open_again(width: int) -> Mapped:
    """Return Mapped without the states that the children had: they are about to change."""
    return Mapped(f"Mapped over {width}.", n_map_states=width)


def final_state(graph: Graph, states: Mapping[str, State]) -> State:
    """Return the flow's state once nothing is left to do now: the first that fits of engine.md, section 5."""
    if any(not _ended(states, key) for key in graph.terminal):
        waiting = [key for key, state in states.items() if _waits(state)]
        if waiting:
            return Paused(f"{_list(waiting)} {'waits' if len(waiting) == 1 else 'wait'} for a person.")
        return Scheduled("Tasks are left that are to run later.")
    failed = [key for each in graph.reference for key in _failed(states, each)]
    if failed:
        return Failed(f"{_list(failed)} failed.")
    return Success("All reference tasks succeeded.")


def parse_child(key: str) -> tuple[str, int]:
    """Return the task's key and the index of a child's key such as `clean[3]`."""
    parent, _, index = key[:-1].rpartition("[")
    return parent, int(index)


def _ended(states: Mapping[str, State], key: str) -> bool:
    state = states[key]
    if isinstance(state, Mapped):
        return all(child.is_finished() for child in _children(states, key, state))
    return state.is_finished()


def _failed(states: Mapping[str, State], key: str) -> list[str]:
    state = states[key]
    if isinstance(state, Mapped):
        return [child_key(key, i) for i, child in enumerate(_children(states, key, state)) if child.is_failed()]
    return [key] if state.is_failed() else []


def _children(states: Mapping[str, State], key: str, state: Mapped) -> list[State]:
    if len(state.map_states) == state.n_map_states:
        return state.map_states
    return [states.get(child_key(key, index), _PENDING) for index in range(state.n_map_states)]


def _waits(state: State | None) -> bool:
    return isinstance(state, Paused) and state.start_time is None


def _list(keys: list[str]) -> str:
    shown = ", ".join(islice(keys, _NAMED_AT_MOST))
    more = len(keys) - _NAMED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown


#: Stands for what a child waits for that is under way while something above it settles anew.
_UNDER_WAY = -1
#: One shared value: 100,000 children that wait must not cost 100,000 states.
_PENDING = Pending()
