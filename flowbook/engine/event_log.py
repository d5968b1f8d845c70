"""All events of a run, in the order in which they were appended.

A run of 100,000 tasks has 200,000 changes of state, and keeps them. As objects, Python's garbage collector would go through
them again and again. So the log keeps the number, key and state of a change, and makes the event when somebody reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.events import StateChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowbook.engine.events import Event

__all__ = ["EventLog"]


class EventLog:
    """Append and iterate, from any thread. An iteration sees the events that were there when it began."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        #: Three items for each event: number, key and state of a change; number, None and the event itself otherwise.
        self._parts: list[Any] = []

    @property
    def writer(self) -> Callable[[tuple[Any, ...]], object]:
        """A function that stores the number, key and state of a change, at half the cost of `append`."""
        return self._parts.extend

    def append(self, event: Event) -> None:
        """Add one event, with all its parts at once, so that threads don't interleave theirs."""
        if type(event) is StateChanged:
            self._parts.extend((event.seq, event.key, event.state))
        else:
            self._parts.extend((event.seq, None, event))

    def extend(self, events: Iterable[Event]) -> None:
        """Add several events."""
        for event in events:
            self.append(event)

    def __iter__(self) -> Iterator[Event]:
        parts = iter(self._parts.copy())
        for seq, key, what in zip(parts, parts, parts, strict=True):
            yield what if key is None else StateChanged(seq, key, what)

    def __reversed__(self) -> Iterator[Event]:
        parts = reversed(self._parts.copy())
        for what, key, seq in zip(parts, parts, parts, strict=True):
            yield what if key is None else StateChanged(seq, key, what)

    def __len__(self) -> int:
        return len(self._parts) // 3
