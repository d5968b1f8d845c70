"""A run that another process has: followed through the store, and reached by requests to its owner."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.events import FLOW
from flowbook.engine.mapped_states import add_missing_children, fill_children
from flowbook.engine.run_inputs import RunInputs
from flowbook.engine.state import Mapped, Pending
from flowbook.engine.task_keys import parent_key
from flowbook.flow_run.ask_owner import ask_owner
from flowbook.store.late_events import LateEvents, newest_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.run_log import RunLog
    from flowbook.flow_run.stored_inputs import StoredInputs
    from flowbook.store.run_snapshot import RunSnapshot

__all__ = ["RemoteRun", "recorded_states"]

_LOOK_S = 0.05
_FOLLOW_S = 0.1
_log = logging.getLogger("flowbook")


def recorded_states(graph: Graph, inputs: RunInputs | StoredInputs, snapshot: RunSnapshot) -> dict[str, State]:
    """Return the states of a recorded run by key, the flow's under FLOW; values are references.

    A task without a recorded state has the one from `task_states`; a task at which the run was to start has none.
    """
    begun = inputs.states if isinstance(inputs, RunInputs) else inputs.states()
    states: dict[str, State] = {**dict.fromkeys(graph.specs, Pending()), **begun}
    for key in inputs.start:
        if key in begun and not isinstance(begun[key], Mapped):
            states[key] = Pending(cached_inputs=begun[key].cached_inputs)
    states.update(snapshot.states())
    add_missing_children(states)
    if begun:
        fill_children(states)
    return states


class RemoteRun:
    """What this process knows of a run that another one has. From any thread.

    Args:
        recording: the run in the store.
        snapshot: the run as last read.
        states: states of tasks and children at that moment.
        log: receives every event.
        on_end: called, maybe several times and never under a lock, once the other process has released the run or died.
        awaits_end: returns whether this process is about to record how the other one died.

    Attributes:
        state: the flow's state, as known here.
        states: states of tasks and children, as known here.
        snapshot: the run as last read.
    """

    def __init__(  # noqa: PLR0913  # made by `RunControl` only
        self,
        recording: Recording,
        snapshot: RunSnapshot,
        states: dict[str, State],
        log: RunLog,
        on_end: Callable[[], None],
        awaits_end: Callable[[], bool] = lambda: False,
    ) -> None:
        self.recording = recording
        self.snapshot = snapshot
        self.state = states.pop(FLOW, Pending())
        self.states = states
        self._label = recording.label
        self._events = log
        self._on_end = on_end
        self._awaits_end = awaits_end
        self._lock = RankedLock(Rank.FOLLOWED_RUN)
        self._next_read = 0.0
        #: When the newest progress that was read was reported.
        self._progress_at = 0.0
        self._take_progress(snapshot)
        self._late = LateEvents(event.seq for event in snapshot.events)
        self._newest_seq = snapshot.last_seq
        self._is_over = False
        self._thread: threading.Thread | None = None

    def refresh(self, *, now: bool = False) -> None:
        """Read new events from the store, every 50 ms at most unless `now`. Calls no subscriber."""
        if not self._is_over and (now or time.monotonic() >= self._next_read):
            with self._lock:
                self._read()
        if self._is_over:
            self._on_end()

    def _read(self) -> None:
        if self._is_over:
            return
        snapshot = self.recording.snapshot(self._late.since(time.monotonic()), self._progress_at)
        if not snapshot.is_owned and self._late.gap is not None:
            snapshot = self.recording.snapshot(self._late.gap, self._progress_at)  # all that comes late is there by now
        if events := self._late.unseen(snapshot.events):
            self._apply_events(events)
        if not snapshot.is_owned:
            self._late.settle()
        self._take_progress(snapshot)
        self._next_read = time.monotonic() + _LOOK_S
        self.snapshot = snapshot
        is_dead = snapshot.claim.process is not None and not snapshot.is_owned
        self._is_over = not snapshot.is_owned and not (is_dead and self._awaits_end())

    def _apply_events(self, events: list[Event]) -> None:
        changed = newest_states(events, self._events, self._newest_seq)
        self._newest_seq = max(self._newest_seq, events[-1].seq)
        self.state = changed.pop(FLOW, self.state)
        self.states.update(changed)
        add_missing_children(self.states, changed)
        fill_children(self.states, {parent_key(key) for key in changed})
        for event in events:
            self._events.append(event)

    def _take_progress(self, snapshot: RunSnapshot) -> None:
        for key, progress in snapshot.progress.items():
            self._events.append_progress(key, progress)
            self._progress_at = max(self._progress_at, progress.at)

    def stop(self) -> None:
        """Follow the run no longer, because this process takes it over."""
        with self._lock:
            self._is_over = True

    def follow(self) -> None:
        """Start a thread that reads new events and passes them to the subscribers until the owner releases the run."""
        with self._lock:
            if self._thread is None:
                self._thread = threads.spawn(self._follow, name=f"follow-{self._label.number}", owner=self)

    def _follow(self) -> None:
        pause = threading.Event()
        has_warned = False
        while not self._is_over:
            try:
                self.refresh(now=True)
            except Exception:  # noqa: BLE001  # a store that can't be read now may be readable later, and somebody may wait for the end
                if not has_warned:
                    _log.warning("%s can't be followed at the moment; trying again.", self._label.title, exc_info=True)
                has_warned = True
            self._events.deliver()
            pause.wait(_FOLLOW_S)
        self._on_end()
        self._events.deliver()

    def request(self, decision: Decision, within_s: float | None = None) -> bool:
        """Send a decision to the owner; return False if the owner released the run instead of carrying it out.

        Raises:
            RunClaimedError: if somebody else has decided this before, or the owner doesn't answer.
            StartTaskError: if the owner can't carry it out.
            UnpicklableError: if an input can't be sent to it.
        """
        is_done = ask_owner(self.recording, decision, within_s)
        self._next_read = 0.0  # whoever asks now is told what the decision changed
        return is_done
