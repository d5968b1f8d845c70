"""Turns a run's events into the state that its panel shows, in constant time per event.

It counts the children of mapped tasks as they change and never iterates over all of them. Not thread-safe: the patch
feed holds a lock.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from flowbook.engine.answer import was_rejected
from flowbook.engine.events import FLOW, Decided, Logged, StateChanged
from flowbook.engine.state import Cached, Crashed, Mapped, Paused, Running, Scheduled, State
from flowbook.engine.state_kinds import OPEN, after_death, mapped_state
from flowbook.engine.task_keys import child_key, split_key
from flowbook.flow_run.changed_inputs import ChangedInputs
from flowbook.flow_run.earlier_code import EarlierCode
from flowbook.notebook.child_counts import BEFORE, NEVER, Children, KnownTask
from flowbook.notebook.row_flow import NO_ROWS
from flowbook.notebook.view_model import ProgressView, TaskView
from flowbook.report import phrases
from flowbook.report.failed_above import failed_above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.notebook.child_counts import ChildFacts
    from flowbook.notebook.row_flow import RowFacts

__all__ = ["RunProjection"]


class RunProjection:
    """The state of one run, as its panel shows it.

    Args:
        graph: the run's graph.
        labels: returns what a child is called, from its input; "" if nothing short is known at once.
    """

    def __init__(self, graph: Graph, labels: Callable[[str], str] = lambda _: "") -> None:
        self.graph = graph
        self._labels = labels
        self.flow_state: State | None = None
        #: False once the run's process has died.
        self._goes_on = True
        #: The last warning about the run as a whole, e.g. that it waits for workers; a later message clears it.
        self.warning = ""
        #: For how many seconds it was at rest before it went on, all its pauses together.
        self.rested_s = 0.0
        self._rests_since: float | None = None
        self._facts = {key: KnownTask() for key in graph.specs}
        self._children: dict[str, Children] = {key: Children() for key, spec in graph.specs.items() if spec.is_mapped}
        self._flow_seq = self._said_seq = NEVER
        self._decisions: dict[str, dict[int, Decided]] = {}
        #: The order to cancel the run, until it is at rest.
        self.cancelling: Decided | None = None
        #: What tasks got instead of what lay above them.
        self.changed_inputs = ChangedInputs()
        #: What ran before an edit with which the run went on.
        self.earlier_code = EarlierCode()
        self._progress: dict[str, TaskProgress] = {}
        #: What is said about the rows of outputs, by key, with the state that has the output; the row watch puts it here.
        self.row_facts: dict[str, tuple[State, RowFacts]] = {}

    def load(self, events: Iterable[Event], states: Mapping[str, State]) -> None:
        """Take the past: events if they are known, else the newest states."""
        for event in events:
            self.apply(event)
        for key, state in list(states.items()):
            if self.state(key) is None:
                self.apply(StateChanged(BEFORE, key, state))

    def apply(self, event: Event) -> tuple[str, ...]:
        """Apply one event. Return the keys whose views change (`FLOW` for the run itself); an outdated event changes none."""
        self.changed_inputs.take(event)
        if isinstance(event, Decided):
            return self._apply_decision(event)
        if isinstance(event, Logged):
            return self._apply_log(event) if event.key == FLOW else ()
        self.earlier_code.state_changed(event)
        key = event.key
        if key == FLOW:
            return self._apply_flow(event)
        facts = self._facts.get(key)
        if facts is not None:
            if event.seq <= facts.seq:
                return ()
            facts.take(event.seq, event.state)
            if key in self._children and isinstance(event.state, Mapped):
                self._widen(key, event.state)
            return (key,)
        parent = self.parent(key)
        return (parent, *self._children[parent].take(key, event.seq, event.state)) if parent is not None else ()

    def progressed(self, key: str, progress: TaskProgress) -> tuple[str, ...]:
        """Take a task's progress. Return the keys whose views change."""
        self._progress[key] = progress
        return (key,) if self._find(key) is not None else ()

    def parent(self, key: str) -> str | None:
        """Return the mapped task of child `key`; None if `key` isn't a child's."""
        parent, index = split_key(key)
        return parent if index is not None and parent in self._children else None

    def state(self, key: str) -> State | None:
        """Return the newest state of a task, or of a child in the list; None if unknown."""
        if key == FLOW:
            return self.flow_state
        facts = self._find(key)
        return facts.state if facts is not None else None

    def task(self, key: str, now: float) -> TaskView:
        """Return the view of a task or child."""
        parent = self.parent(key) if key not in self._facts else None
        spec = self.graph.specs[parent or key]
        facts = self._find(key) or KnownTask()
        if parent is not None:
            self._date(facts, parent, key)
        children = self._children.get(key)
        if children is not None and (children.width is not None or children.states):
            return self._mapped(spec, facts, children, now)
        view = _view(spec, facts, self.state, now)
        if parent is None and not view.note and (note := self.earlier_code.note(key)):
            view = dataclasses.replace(view, note=note)
        if isinstance(facts.state, Paused) and (above := failed_above(self.graph, key, self.state)):
            view = dataclasses.replace(view, above=above, note=f"{above}; {view.note}")
        progress = self._progress.get(key)
        if progress is not None and isinstance(facts.state, Running):
            shown = ProgressView(progress.done, progress.total, progress.text, progress.unit, progress.rate)
            view = dataclasses.replace(view, progress=shown)
        state, told = self.row_facts.get(key, (None, NO_ROWS))
        if state is not None and state is facts.state:
            note = view.note if view.stale else told.note or view.note
            return dataclasses.replace(view, note=note, rows=told.rows, lost=told.lost, maker=told.maker)
        return view if parent is None else dataclasses.replace(view, label=self._label(parent, key))

    def _date(self, facts: KnownTask, parent: str | None, key: str) -> None:
        """Note when a child began: its own facts may be newer than that."""
        child = self._children[parent].states.get(key) if parent is not None else None
        if child is not None and facts.running_at is None:
            facts.running_at = child.running_at

    def _label(self, parent: str, key: str) -> str:
        facts = self._children[parent].states.get(key)
        return (facts.run_name if facts is not None else "") or self._labels(key)

    def tasks(self, now: float) -> dict[str, TaskView]:
        """Return the views of all tasks and of the children that are listed individually."""
        views = {key: self.task(key, now) for key in self.graph.specs}
        for children in self._children.values():
            children.settle()
            views.update((key, self.task(key, now)) for key in children.shown)
        return views

    def child(self, key: str, state: State, now: float) -> TaskView:
        """Return the view of a child that isn't listed, made from its state alone."""
        facts = KnownTask()
        facts.take(BEFORE, state)
        self._date(facts, self.parent(key), key)
        return _view(self.graph.specs[self.parent(key) or key], facts, self.state, now)

    def children(self, key: str) -> tuple[int, dict[str, ChildFacts]]:
        """Return the number of a mapped task's children, and by key what is known of them; a copy."""
        found = self._children.get(key)
        if found is None:
            return 0, {}
        return found.width if found.width is not None else len(found.states), found.states.copy()

    def decisions(self, key: str) -> list[Decided]:
        """Return the decisions of people about a task, or about the whole run, in order."""
        return sorted([*self._decisions.get(key, {}).values()], key=lambda event: event.seq)

    def attempt(self, key: str) -> int:
        """Return the number of a task's current or next attempt, from 1."""
        facts = self._find(key)
        return facts.failed_attempts + 1 if facts is not None else 1

    def _apply_decision(self, event: Decided) -> tuple[str, ...]:
        self._decisions.setdefault(event.key, {})[event.seq] = event
        edited = tuple(key for key in self.earlier_code.decided(event, self._ran) if key in self._facts)
        if event.key != FLOW:
            return (event.key, *edited) if event.key in self._facts else edited
        if event.action != "cancel" or event.seq < self._flow_seq:
            return edited
        self.cancelling = event
        return (FLOW, *edited)

    def _ran(self, key: str) -> list[tuple[str, State]]:
        """Return the newest states of a task, or of its children if it is mapped, by key."""
        if (children := self._children.get(key)) is not None:
            return [(child, facts.state) for child, facts in children.states.items()]
        state = self.state(key)
        return [] if state is None else [(key, state)]

    def _apply_flow(self, event: StateChanged) -> tuple[str, ...]:
        if event.seq <= self._flow_seq:
            return ()
        self._flow_seq = event.seq
        self.flow_state = event.state
        self.warning = ""
        self.cancelling = None
        self._note_rest(event.state)
        if isinstance(event.state, Crashed):
            return (FLOW, *self.break_off())
        self._goes_on = True
        return (FLOW,)

    def break_off(self) -> tuple[str, ...]:
        """Note that the run's process has died: what ran is to run again. Return the keys whose views change."""
        self._goes_on = False
        changed = []
        for key, known in self._facts.items():
            if isinstance(known.state, Running):
                known.take(known.seq, after_death(known.state))
                changed.append(key)
        for key, children in self._children.items():
            changed += [key, *children.break_off()]
        return tuple(dict.fromkeys(changed))

    def _note_rest(self, state: State) -> None:
        if isinstance(state, Running) and self._rests_since is not None:
            self.rested_s += max(0.0, state.at - self._rests_since)
            self._rests_since = None
        elif self._rests_since is None and (isinstance(state, Paused) or state.is_finished()):
            self._rests_since = state.at

    def _apply_log(self, event: Logged) -> tuple[str, ...]:
        if event.seq <= max(self._said_seq, self._flow_seq):
            return ()
        self._said_seq = event.seq
        before, self.warning = self.warning, event.text if event.level >= logging.WARNING else ""
        return (FLOW,) if self.warning != before else ()

    def _widen(self, key: str, state: Mapped) -> None:
        children = self._children[key]
        children.width = state.n_map_states
        if state.map_states and not children.states:
            # A stored run may hold the children's states without their events.
            for index, child in enumerate(state.map_states):
                children.take(child_key(key, index), BEFORE, child)

    def _find(self, key: str) -> KnownTask | None:
        facts = self._facts.get(key)
        if facts is not None:
            return facts
        parent = self.parent(key)
        if parent is None:
            return None
        children = self._children[parent]
        return children.shown.get(key) or children.waiting.get(key)

    def _mapped(self, spec: TaskSpec, facts: KnownTask, children: Children, now: float) -> TaskView:
        counts = children.spread()
        name = mapped_state(counts, goes_on=self._goes_on)
        own = facts.state
        is_over = not OPEN.intersection(counts)
        since = children.since if children.since is not None else (own.at if own is not None else None)
        if since is not None and children.is_busy:
            # So a view that counts from then on counts the time before, too.
            since -= children.busy_s or 0.0
        view = _view(spec, facts, self.state, now)
        return TaskView(
            state=name,
            message=view.message,
            since=since,
            duration_s=children.busy_s if is_over else None,
            attempt=view.attempt,
            max_attempts=view.max_attempts,
            width=children.width if children.width is not None else len(children.states),
            counts=counts,
            note=self.earlier_code.note(spec.key),
        )


def _view(spec: TaskSpec, facts: KnownTask, states: Callable[[str], State | None], now: float) -> TaskView:
    state = facts.state
    most = spec.retry.max_retries + 1 if spec.retry is not None else 1
    if state is None:
        return TaskView(state="Pending", max_attempts=most)
    attempt = facts.failed_attempts + 1
    start = state.start_time if isinstance(state, Scheduled) and not state.is_queued() else None
    if isinstance(state, Paused) and start is None:
        start = state.deadline
    has_run = facts.has_run
    created = state.created if isinstance(state, Cached) and not has_run else None
    return TaskView(
        state=type(state).__name__,
        word=facts.word,
        message=phrases.asked(spec, state),
        since=facts.running_at if isinstance(state, Running) and facts.running_at is not None else state.at,
        duration_s=facts.duration_s,
        attempt=min(attempt, most),
        max_attempts=most,
        due=start.timestamp() if start is not None else None,
        note=phrases.note(spec, state, attempt, states, now, has_run=has_run),
        stale=isinstance(state, Cached) and bool(state.stale_code or state.stale_inputs),
        created=created.timestamp() if created is not None else None,
        rejected=was_rejected(state),
    )
