"""What a panel's projection knows of each task, and of a mapped task's children, whom it counts by state. Not thread-safe."""

from __future__ import annotations

from typing import NamedTuple

from flowbook.engine.state import Cached, Cancelling, Retrying, Running, State
from flowbook.engine.state_kinds import NEEDS_ATTENTION, RUNNING, after_death, name_in_words

__all__ = ["BEFORE", "MOST_CHILDREN", "NEVER", "ChildFacts", "Children", "KnownTask"]

#: At most this many children of a mapped task are listed individually.
MOST_CHILDREN = 50

#: Sequence numbers below those of all events: nothing is known; known from a state, without its event.
NEVER, BEFORE = -2, -1


class KnownTask:
    """What the projection knows about one task or child."""

    __slots__ = ("failed_attempts", "running_at", "seq", "state")

    def __init__(self) -> None:
        self.state: State | None = None
        self.seq = NEVER
        self.running_at: float | None = None
        #: Failed attempts so far.
        self.failed_attempts = 0

    def take(self, seq: int, state: State) -> None:
        """Note the newest state, that of event `seq`."""
        self.seq = seq
        self.state = state
        if isinstance(state, Retrying):
            self.failed_attempts = state.run_count
        if type(state) is Running:
            self.running_at = state.at
        elif isinstance(state, Cancelling):
            self.running_at = self.running_at or state.since
        elif state.is_pending():
            self.running_at = None

    @property
    def has_run(self) -> bool:
        """Whether the function ran in this run. If not, a Cached output comes from an earlier run."""
        return self.state.made_here if isinstance(self.state, Cached) else self.running_at is not None

    @property
    def word(self) -> str:
        """The word for the state if it isn't the state's name: an output that this run made and stored is a Success."""
        return name_in_words(self.state) if isinstance(self.state, Cached) and self.state.made_here else ""

    @property
    def duration_s(self) -> float | None:
        """For how long it ran; None as long as it has not finished."""
        if self.state is None or self.running_at is None or not self.state.is_finished():
            return None
        return max(0.0, self.state.at - self.running_at)


class ChildFacts(NamedTuple):
    """What is known of one child of a mapped task.

    Attributes:
        name: of its state, in words.
        seq: number of the event that set the state.
        state: newest one.
        running_at: when its last attempt began; seconds since the epoch.
        run_name: what its task run is called, "" if it has no name of its own.
    """

    name: str
    seq: int
    state: State
    running_at: float | None
    run_name: str

    @property
    def duration_s(self) -> float | None:
        """For how long it ran; None as long as it has not finished."""
        if self.running_at is None or not self.state.is_finished():
            return None
        return max(0.0, self.state.at - self.running_at)


class Children:
    """The children of one mapped task, counted by state."""

    def __init__(self) -> None:
        self.states: dict[str, ChildFacts] = {}
        self.counts: dict[str, int] = {}
        self.width: int | None = None
        #: When one of them began to run while none did, or the last one ended; for how long any ran before that.
        self.since: float | None = None
        self.busy_s: float | None = None
        self._running = 0
        #: Children listed individually, and those waiting for room in that list; both in order of appearance.
        self.shown: dict[str, KnownTask] = {}
        self.waiting: dict[str, KnownTask] = {}

    def take(self, key: str, seq: int, state: State) -> list[str]:
        """Record a child's state. Return its key if its own view changes."""
        before = self.states.get(key)
        name = name_in_words(state)
        if before is not None and seq <= before.seq:
            return []
        if before is not None:
            self.counts[before.name] -= 1
        self.counts[name] = self.counts.get(name, 0) + 1
        self.states[key] = _child_facts(name, seq, state, before)
        self._note_time(before.name if before is not None else "", name, state.at)
        return self._show(key, seq, state, is_notable=name in NEEDS_ATTENTION)

    def _note_time(self, before: str, name: str, at: float) -> None:
        """Count the time in which any child runs: the rest of a run between two attempts doesn't count."""
        was_idle = not self._running
        self._running += (name in RUNNING) - (before in RUNNING)
        if was_idle and self._running:
            self.since, self.busy_s = at, self.busy_s or 0.0
        elif self._running == 0 and not was_idle and self.since is not None:
            self.busy_s = (self.busy_s or 0.0) + max(0.0, at - self.since)
            self.since = at
        elif was_idle:
            self.since = max(at, self.since or at)

    @property
    def is_busy(self) -> bool:
        """Whether any of them runs."""
        return self._running > 0

    def _show(self, key: str, seq: int, state: State, *, is_notable: bool) -> list[str]:
        facts = self.shown.get(key) or self.waiting.get(key)
        if facts is None:
            if not is_notable:
                return []
            facts = KnownTask()
            (self.shown if len(self.shown) < MOST_CHILDREN else self.waiting)[key] = facts
        facts.take(seq, state)
        if key in self.waiting:
            if not is_notable:
                del self.waiting[key]
            return []
        return [key]

    def break_off(self) -> list[str]:
        """Note that the process that ran them has died: what ran is to run again. Return the keys whose own views change."""
        changed = []
        for key, facts in list(self.states.items()):
            if isinstance(facts.state, Running):
                self.states[key] = facts._replace(seq=facts.seq - 1)  # the death is no event of its own
                changed += self.take(key, facts.seq, after_death(facts.state))
        return changed

    def spread(self) -> dict[str, int]:
        """Return the number of children by state; those without an event yet are Pending."""
        counts = {name: count for name, count in self.counts.items() if count}
        missing = (self.width or 0) - len(self.states)
        if missing > 0:
            counts["Pending"] = counts.get("Pending", 0) + missing
        return counts

    def settle(self) -> None:
        """Drop children that need no attention any more, and move waiting ones up."""
        for key in [key for key in self.shown if self.states[key].name not in NEEDS_ATTENTION]:
            del self.shown[key]
        while self.waiting and len(self.shown) < MOST_CHILDREN:
            key = next(iter(self.waiting))
            self.shown[key] = self.waiting.pop(key)


def _child_facts(name: str, seq: int, state: State, before: ChildFacts | None) -> ChildFacts:
    running_at = before.running_at if before is not None else None
    run_name = before.run_name if before is not None else ""
    if type(state) is Running:
        running_at = state.at
        run_name = str(state.context.get("task_run_name") or "") if state.context else run_name
    elif state.is_pending():
        running_at = None
    return ChildFacts(name, seq, state, running_at, run_name)
