"""Threads of flowbook in the process of a test: those that are there, and those that don't end."""

from __future__ import annotations

import threading

__all__ = ["left_since", "own_threads"]

_LONG_S = 30


def own_threads() -> set[str]:
    """Return the names of the threads of flowbook that are alive."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("flowbook-")}


def left_since(before: set[str]) -> set[str]:
    """Give threads with other names than `before` the time to end that a busy machine takes; return the names of the rest."""
    for thread in threading.enumerate():
        if thread.name in own_threads() - before:
            thread.join(_LONG_S)
    return own_threads() - before
