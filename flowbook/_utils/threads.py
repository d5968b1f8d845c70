"""Starts all background threads: each has a name and an owner that ends it, and is counted while it is alive."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING

from flowbook._utils.live_objects import LiveObjects

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OwnedThread", "alive", "prepare", "spawn"]

_PREFIX = "flowbook-"
_started: LiveObjects[OwnedThread] = LiveObjects()


class OwnedThread(threading.Thread):
    """A daemon thread of flowbook's.

    Attributes:
        owner: the module or class that ends it, such as "Recorder".
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
        target: the function to run.
        args: its arguments.
        name: the thread's purpose; "recorder" becomes "flowbook-recorder".
        owner: who ends it: a name, or an object, of which the class's name is taken.

    Raises:
        RuntimeError: if the system can't start another thread.
    """
    thread = prepare(target, *args, name=name, owner=owner)
    thread.start()
    return thread


def prepare(target: Callable[..., object], *args: object, name: str, owner: object) -> OwnedThread:
    """Return a thread as `spawn` makes it, but not started, for owners that start it later or need the object first."""
    full_name = name if name.startswith(_PREFIX) else _PREFIX + name
    return OwnedThread(target, args, full_name, owner if isinstance(owner, str) else type(owner).__name__)


def alive() -> list[OwnedThread]:
    """Return the live threads that were started here, sorted by name."""
    return sorted((thread for thread in _started.listed() if thread.is_alive()), key=lambda thread: thread.name)
