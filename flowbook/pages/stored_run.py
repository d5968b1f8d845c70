"""A run as its record has it, for showing it and deciding about it in a process that must not run its code.

It has what a panel asks of a run (`notebook.ports.RunLike`). No flow and no pickle is loaded. `look` reads what is new; it is
called by a thread that watches.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.events import FLOW, Decided, Logged, StateChanged
from flowbook.engine.mapped_states import add_missing_children, fill_children
from flowbook.engine.masks import Masks
from flowbook.engine.state import Crashed, Failed, Paused, Pending, Retrying, Running, Scheduled, Submitted
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import FlowbookError
from flowbook.flow_run.begun_states import with_begun
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.kind_by_preview import like_of
from flowbook.flow_run.recorded_decision import decide_recorded
from flowbook.flow_run.resume_plan import broken_off
from flowbook.flow_run.run_description import RunLabel
from flowbook.flow_run.run_log import RunLog
from flowbook.notebook.command_worker import RefusedError
from flowbook.report.parameter_text import has_no_literal
from flowbook.report.secret_names import shown_parameters
from flowbook.report.unkept import why_unkept
from flowbook.results.reference import is_reference
from flowbook.store.late_events import LateEvents, newest_states
from flowbook.store.stored_graph import read_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.events import Event, EventSink
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import TaskProgress
    from flowbook.flow_run.decision import Action
    from flowbook.store import Store
    from flowbook.store.run_snapshot import RunSnapshot

__all__ = ["StoredRun"]


class StoredRun:
    """One run of a store. From any thread.

    Args:
        store: has the run.
        run_id: of the run.

    Raises:
        UnknownRunError: if there is no such run.
    """

    #: Tasks never run in this process.
    is_live = False

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._history = store.plain_history()
        self.record = store.runs.get(run_id)
        self._specs: dict[str, Any] = {}
        self.graph = self._changeable(read_graph(self.record.graph))
        self._snapshot = self._history.snapshot(run_id)
        self._state, self._states = states_of(self.graph, with_begun(store, run_id, self._snapshot.states()))
        self._lock = RankedLock(Rank.FOLLOWED_RUN)
        self._log = RunLog(self._label)
        self._log.replace(self._snapshot.events)
        self._late = LateEvents(event.seq for event in self._snapshot.events)
        self._take_progress(self._snapshot)
        self._tell_errors(self._states)
        self._note_constants(self._states)
        self._shown = self._as_shown()

    def _as_shown(self) -> dict[str, State]:
        return broken_off(self._states) if isinstance(self.state, Crashed) else self._states

    def _changeable(self, graph: Graph) -> Graph:
        """Return the graph with specs that can be replaced: what a task waits with is known only then."""
        self._specs = dict(graph.specs)
        return replace(graph, specs=self._specs)

    @property
    def _label(self) -> RunLabel:
        return RunLabel(self.record.run_id, self.record.number, self.record.flow)

    # What it is

    @property
    def run_id(self) -> str:
        """Unique over all stores."""
        return self.record.run_id

    @property
    def number(self) -> int:
        """Run number, counted per flow."""
        return self.record.number

    @property
    def flow_name(self) -> str:
        """The flow's name."""
        return self.record.flow

    @property
    def parameters(self) -> Mapping[str, object]:
        """The parameters as they are shown."""
        return shown_parameters(self.record.parameters)

    def hide(self, text: str) -> str:
        """Return a text with the secrets masked that this process knows: lines of code are read from its files."""
        return Masks.around(None).text(text)

    def why_unkept(self, key: str) -> str:
        """Return why the output of a task isn't kept; "" if it is."""
        return why_unkept(self.states.get(key))

    @property
    def executor_text(self) -> str:
        """Description of the executor."""
        return self.record.executor

    @property
    def where(self) -> str:
        """Whether a process has it."""
        return "elsewhere" if self._snapshot.is_owned else "at rest"

    @property
    def state(self) -> State:
        """The flow's state; Crashed if its process ended in the middle."""
        return self._crashed if self._is_dead else self._state

    @property
    def _is_dead(self) -> bool:
        """Whether its process ended in the middle, and nobody has recorded that."""
        state = self._state
        has_begun = isinstance(state, Running | Pending | Submitted) and not isinstance(state, Scheduled)
        return has_begun and not self._snapshot.is_owned

    @property
    def _crashed(self) -> Crashed:
        found = Crashed("Its process ended in the middle. Resume goes on from what is stored.")
        found.at = self._state.at
        return found

    @property
    def states(self) -> Mapping[str, State]:
        """Newest state by key, children of mapped tasks included; what ran in a process that died is to run again."""
        return self._shown

    @property
    def started(self) -> float | None:
        """Seconds since the epoch."""
        started = self._snapshot.claim.started
        return None if started is None else started.timestamp()

    @property
    def ended(self) -> float | None:
        """Seconds since the epoch; None while it goes on."""
        ended = self._snapshot.claim.ended
        return None if ended is None else ended.timestamp()

    def progress(self) -> Mapping[str, TaskProgress]:
        """Return how far tasks are that reported it, by key."""
        return self._log.progress()

    def logs(self, key: str) -> Sequence[Logged]:
        """What task `key` logged and printed."""
        return self._log.logged(key)

    def events(self) -> Sequence[Event]:
        """All events so far, in order."""
        return self._log.in_order()

    def waiting_since(self, key: str) -> int | None:
        """Return the number of the event with which a task began to wait; None if it doesn't wait."""
        changed = [each for each in self.events() if isinstance(each, StateChanged) and each.key == key]
        return changed[-1].seq if changed and isinstance(changed[-1].state, Paused) else None

    def decisions_since(self, key: str, seq: int) -> list[Decided]:
        """Return what was decided about a task, or the whole run, after event `seq`."""
        about = {key, parent_key(key), FLOW}
        return [each for each in self.events() if isinstance(each, Decided) and each.seq > seq and each.key in about]

    # What is new of it

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Send every event from now on to `sink`, in the thread that looks; returns a function that ends this."""
        return self._log.subscribe(sink)

    def look(self) -> bool:
        """Read what was recorded since, and tell the subscribers; return whether anything was."""
        with self._lock:
            before = self._snapshot
            newest = max((each.at for each in self._log.progress().values()), default=0.0)
            now = self._history.snapshot(self.run_id, self._late.since(time.monotonic()), newest)
            if not now.is_owned and self._late.gap is not None:
                now = self._history.snapshot(self.run_id, self._late.gap, newest)  # all that comes late is there by now
            if events := self._late.unseen(now.events):
                self._apply(events, before.last_seq)
            if not now.is_owned:
                self._late.settle()
            self._snapshot = now
            self._take_progress(now)
            self._shown = self._as_shown()
        self._log.deliver()
        return bool(events) or now.claim != before.claim or now.is_owned != before.is_owned

    def _apply(self, events: list[Event], last: int) -> None:
        changed = newest_states(events, self._log, last)
        self._tell_errors(changed)
        self._state = changed.pop(FLOW, self._state)
        states = {**self._states, **changed}
        add_missing_children(states, changed)
        fill_children(states, {parent_key(key) for key in changed})
        self._note_constants(changed)
        self._states = states
        for event in events:
            self._log.append(event)

    def _take_progress(self, snapshot: RunSnapshot) -> None:
        for key, progress in snapshot.progress.items():
            self._log.append_progress(key, progress)

    def _tell_errors(self, states: Mapping[str, State]) -> None:
        """Put what tasks raised into their states in words: exceptions are stored as pickles."""
        failed = {key for key, each in states.items() if isinstance(each, Failed | Retrying) and each.reference}
        if not failed:
            return
        told = self._history.errors(self.run_id)
        for key in failed & told.keys():
            states[key].raw_result = told[key]

    def _note_constants(self, states: Mapping[str, State]) -> None:
        """Take what waiting tasks get besides other tasks' outputs into their specs, where a panel looks for it."""
        for key, state in states.items():
            spec = self._specs.get(key)
            if spec is None or not isinstance(state, Paused):
                continue
            bound = {binding.argument for binding in spec.bindings}
            given = {name: _shown(each) for name, each in state.cached_inputs.items() if name not in bound}
            self._specs[key] = spec._replace(constants=given or None)

    # What people decide

    def cancel(self, *, by: str = "", note: str = "", now: bool = False) -> None:
        """Start no more tasks; with `now` also stop what runs."""
        self._decide("cancel_now" if now else "cancel", (), by, note)

    def resume(self, *keys: str, by: str = "", note: str = "", inputs: Mapping[str, object] | None = None) -> None:
        """Resume these waiting tasks, or all, the one named with other inputs."""
        decision = Decision("resume", keys, by, note, dict(inputs or {}))
        decide_recorded(self._store, self.run_id, decision)

    def skip(self, *keys: str, by: str = "", note: str = "") -> None:
        """Skip these waiting tasks, or all."""
        self._decide("skip", keys, by, note)

    def reject(self, *keys: str, by: str = "", note: str = "") -> None:
        """Reject these waiting tasks, or all."""
        self._decide("reject", keys, by, note)

    def retry(self, *, by: str = "", note: str = "", tasks: Sequence[object] = ()) -> None:
        """Run what failed again."""
        self._decide("retry", tuple(map(str, tasks)), by, note)

    def hand_over(self, flow_runner: Any, by: str = "", note: str = "") -> None:  # noqa: ANN401  # a FlowRunner
        """Refuse: a page moves no run from one process to another."""
        del flow_runner, by, note
        msg = "A page doesn't hand runs over. Use flowbook run hand-over."
        raise RefusedError(msg)

    def take_back(self, by: str = "", note: str = "") -> None:
        """Refuse: a page has no kernel that could take it."""
        self.hand_over(None, by, note)

    def _decide(self, action: Action, keys: tuple[str, ...], by: str, note: str) -> None:
        decide_recorded(self._store, self.run_id, Decision(action, keys, by, note))


def states_of(graph: Graph, recorded: Mapping[str, State]) -> tuple[State, dict[str, State]]:
    """Return the flow's state and those of its tasks and children, from what a run recorded; values are references."""
    states: dict[str, State] = {**dict.fromkeys(graph.specs, Pending()), **recorded}
    state = states.pop(FLOW, Pending())
    add_missing_children(states)
    fill_children(states)
    return state, states


class _Stored:
    """Stands for a constant that only its preview is shown of."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _shown(value: object) -> object:
    """Return a stored value that is plain, or what stands for it."""
    if not is_reference(value):
        return value
    try:
        return value.load()
    except FlowbookError as error:
        preview = value.store.preview(value) if value.store is not None else None
        like = like_of(preview)
        if preview is not None and has_no_literal(like) and repr(like) == preview["repr"]:
            return like
        text, kind = (str(error), "value") if preview is None else (str(preview["text"]), str(preview["type"]))
        return cast("type[_Stored]", type(kind.rpartition(".")[2], (_Stored,), {}))(text)
