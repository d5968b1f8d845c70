"""The one home of background threads: each has a name, an owner that ends it, and is counted while it lives."""

from __future__ import annotations

import contextvars
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OwnedThread", "alive", "prepare", "spawn"]

_PREFIX = "flowbook-"
_started: weakref.WeakSet[OwnedThread] = weakref.WeakSet()


class OwnedThread(threading.Thread):
    """A daemon thread of flowbook's.

    Attributes:
        owner: who ends it, or knows when it ends: a module's or a class's name, such as "Recorder".
    """

    def __init__(self, target: Callable[..., object], args: tuple[object, ...], name: str, owner: str) -> None:
        run = contextvars.copy_context().run
        super().__init__(target=run, args=(target, *args), name=name, daemon=True)
        self.owner = owner

    def start(self) -> None:
        """Start it; from then on it is counted."""
        super().start()
        _started.add(self)


def spawn(target: Callable[..., object], *args: object, name: str, owner: object) -> OwnedThread:
    """Start `target(*args)` in a daemon thread, in a copy of the caller's context; return the thread.

    Args:
        target: what it runs.
        args: for the target.
        name: what it does; "recorder" becomes "flowbook-recorder".
        owner: who ends it; of an object its class is noted.

    Raises:
        RuntimeError: if the machine gives no more threads.
    """
    thread = prepare(target, *args, name=name, owner=owner)
    thread.start()
    return thread


def prepare(target: Callable[..., object], *args: object, name: str, owner: object) -> OwnedThread:
    """Return a thread as `spawn` makes it, not started: for owners that start it later, or ask it for its id first."""
    full_name = name if name.startswith(_PREFIX) else _PREFIX + name
    return OwnedThread(target, args, full_name, owner if isinstance(owner, str) else type(owner).__name__)


def alive() -> list[OwnedThread]:
    """Return the threads that were started here and have not ended, by name."""
    return sorted((thread for thread in _started.copy() if thread.is_alive()), key=lambda thread: thread.name)
