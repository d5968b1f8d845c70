"""A latch: set once, waited for by any thread. Costs next to nothing where nobody waits, as for most runs."""

from __future__ import annotations

import threading

__all__ = ["Latch"]


class Latch:
    """As `threading.Event`, which can't be cleared. The event is made by the first thread that waits."""

    def __init__(self) -> None:
        self._is_set = False

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._is_set

    def set(self) -> None:
        """Set it for good; threads that wait go on."""
        self._is_set = True
        # After the mark: a thread that makes the event later looks at the mark again before it waits.
        event: threading.Event | None = self.__dict__.get("_event")
        if event is not None:
            event.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, at most `timeout` seconds; return whether it is."""
        if self._is_set:
            return True
        # One event for all threads: `setdefault` is one step.
        event: threading.Event = self.__dict__.setdefault("_event", threading.Event())
        return self._is_set or event.wait(timeout)
