"""Which events of a record its reader hasn't seen: one whose value takes long to store comes after newer ones. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from flowbook.engine.events import StateChanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flowbook.engine.events import Event
    from flowbook.engine.state import State


__all__ = ["LateEvents", "newest_states"]

#: How long it takes until a gap is looked at again, at first; then twice as long each time, as all events after it are read then.
_FIRST_LOOK_S = 0.1


class _Numbered(Protocol):
    """An event, or its row."""

    @property
    def seq(self) -> int: ...  # its number in the record


_EventT = TypeVar("_EventT", bound=_Numbered)


class LateEvents:
    """Knows the numbers that were read of a record, and after which number to read next.

    Some numbers never come: of a task's very many log lines the last aren't recorded.

    Args:
        seen: numbers of the events that were read at first.
    """

    def __init__(self, seen: Iterable[int]) -> None:
        numbers = sorted(seen)
        self._newest = numbers[-1] if numbers else 0
        #: All numbers up to this one were read, or will never come.
        self._whole = numbers[0] - 1 if numbers else 0
        self._beyond = set(numbers)
        self._pause_s = _FIRST_LOOK_S
        self._next_look: float | None = None
        self._close_up()

    @property
    def gap(self) -> int | None:
        """The number after which an event may still come that precedes one that was read; None if there is no such gap."""
        return self._whole if self._beyond else None

    def since(self, now: float) -> int:
        """Return the number after which to read at a moment, by a clock in seconds."""
        if not self._beyond:
            return self._newest
        if self._next_look is None:
            self._next_look = now + self._pause_s
        if now < self._next_look:
            return self._newest
        self._pause_s *= 2
        self._next_look = now + self._pause_s
        return self._whole

    def is_due(self, now: float) -> bool:
        """Return whether `since` would look at a gap at that moment."""
        return bool(self._beyond) and (self._next_look is None or now >= self._next_look)

    def unseen(self, events: Iterable[_EventT]) -> list[_EventT]:
        """Return those of the events that were read which weren't before."""
        found = [event for event in events if event.seq > self._whole and event.seq not in self._beyond]
        self._beyond.update(event.seq for event in found)
        self._newest = max(self._newest, max((event.seq for event in found), default=0))
        self._close_up()
        return found

    def settle(self) -> None:
        """Take all that was read for whole: nobody has the run, so that nothing more of what happened is written."""
        self._whole = self._newest
        self._beyond.clear()

    def _close_up(self) -> None:
        before = self._whole
        while self._whole + 1 in self._beyond:
            self._whole += 1
            self._beyond.discard(self._whole)
        if self._whole != before:
            self._pause_s, self._next_look = _FIRST_LOOK_S, None


def newest_states(events: Sequence[Event], known: Iterable[Event], last: int) -> dict[str, State]:
    """Return the states that events tell, by key, without those than which a newer one is known.

    Args:
        events: not empty, in the order of their numbers.
        known: all that were read before.
        last: the largest number of those.
    """
    newest = {event.key: event for event in events if isinstance(event, StateChanged)}
    for event in known if events[0].seq < last else ():
        if isinstance(event, StateChanged) and event.key in newest and event.seq > newest[event.key].seq:
            del newest[event.key]
    return {key: event.state for key, event in newest.items()}
