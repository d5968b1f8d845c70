"""Events of a run: state changes, log lines and people's decisions.

Events are numbered within a run, and ordered by number, not by time. They have no values of their own: a state has its
value, or a reference to it. Implement `EventSink` to receive them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.state import State

__all__ = [
    "FLOW",
    "Decided",
    "DurableSink",
    "Event",
    "EventSink",
    "InputChange",
    "Logged",
    "SelectiveSink",
    "SharedLog",
    "StateChanged",
]

#: The key of events about the flow itself.
FLOW = ""


class StateChanged:
    """Task `key` (or the flow itself, `FLOW`) went to `state`. Slots by hand: a run makes two for every task."""

    __slots__ = ("key", "seq", "state")

    def __init__(self, seq: int, key: str, state: State) -> None:
        self.seq = seq
        self.key = key
        self.state = state

    @property
    def at(self) -> float:
        """Seconds since the epoch."""
        return self.state.at

    def __eq__(self, other: object) -> bool:
        if type(other) is not StateChanged:
            return NotImplemented
        return (self.seq, self.key, self.state) == (other.seq, other.key, other.state)

    def __hash__(self) -> int:
        return hash((self.seq, self.key))

    def __repr__(self) -> str:
        return f"StateChanged({self.seq}, {self.key!r}, {self.state!r})"


class Logged:
    """Task `key` logged or printed `text`; `level` as in `logging`, prints at INFO.

    `shown` is the preview of what the task displayed, plain data or a reference to it; `text` then says what it is.
    """

    __slots__ = ("at", "key", "level", "seq", "shown", "text")

    def __init__(  # noqa: PLR0913
        self, seq: int, key: str, at: float, level: int, text: str, shown: object = None
    ) -> None:
        self.seq = seq
        self.key = key
        self.at = at
        self.level = level
        self.text = text
        self.shown = shown

    def __repr__(self) -> str:
        return f"Logged({self.seq}, {self.key!r}, {self.level}, {self.text!r})"


class InputChange(NamedTuple):
    """An input that a person changed before a task ran.

    Attributes:
        before: content hash of what it was, "" where there is none.
        after: content hash of what it is.
        text: what it was and is, "15 → 20", where both are short and plain; else "".
    """

    name: str
    before: str
    after: str
    text: str = ""


class Decided:
    """A person decided about task `key`, or about the run (`FLOW`).

    `action` is "resume", "skip", "reject", "retry" or "cancel"; `by` says who ("deadline": nobody answered in time), `note`
    why. `changes` are the inputs that were changed, and `looked_at` has the content hash of each input that the task waited
    with, by argument. `definitions` says with what a run at rest goes on: by key, a hash of each task's definition that isn't
    the recorded one; None where it doesn't go on by this decision, or another one of the same moment says so.
    """

    __slots__ = ("action", "at", "by", "changes", "definitions", "key", "looked_at", "note", "seq")

    def __init__(  # noqa: PLR0913
        self,
        seq: int,
        key: str,
        at: float,
        action: str,
        by: str,
        note: str,
        changes: Sequence[InputChange] = (),
        looked_at: Mapping[str, str] = MappingProxyType({}),
        definitions: Mapping[str, str] | None = None,
    ) -> None:
        self.seq = seq
        self.key = key
        self.at = at
        self.action = action
        self.by = by
        self.note = note
        self.changes = tuple(changes)
        self.looked_at = looked_at
        self.definitions = definitions

    def __repr__(self) -> str:
        return f"Decided({self.seq}, {self.key!r}, {self.action!r}, by={self.by!r})"


Event = StateChanged | Logged | Decided


class EventSink(Protocol):
    """Receives a run's events."""

    def emit(self, event: Event) -> None:
        """Receive one event. Must not raise."""
        ...


@runtime_checkable
class DurableSink(EventSink, Protocol):
    """Records events. Called from several threads at once, before any other sink gets the event.

    `secure` is called before a task starts that depends on an event, so events may be gathered until then.
    """

    def secure(self, keys: Sequence[str]) -> bool | None:
        """Return once the events of tasks `keys` and their children are stored; False: nothing more may start here."""
        ...


@runtime_checkable
class SelectiveSink(EventSink, Protocol):
    """A sink that needs no changes to some states, and may not get them: so it costs nothing while all goes well."""

    #: Types of state that it doesn't need.
    quiet: frozenset[type[State]]


@runtime_checkable
class SharedLog(Protocol):
    """Stores a run's events and passes each to its subscribers later: once, in order, under no lock."""

    @property
    def subscribers(self) -> tuple[EventSink, ...]:
        """Who gets the events. While there is nobody, changes may be written with `writer`."""
        ...

    @property
    def writer(self) -> Callable[[tuple[Any, ...]], object]:
        """Stores the number, key and state of a change without making an event."""
        ...

    def append(self, event: Event) -> None:
        """Store an event; calls no subscriber, so the caller may have a lock."""
        ...

    def deliver(self) -> None:
        """Pass what was appended to subscribers, unless another thread does so already. Call it under no lock."""
        ...
