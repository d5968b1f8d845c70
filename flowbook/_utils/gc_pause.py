"""Pause Python's garbage collector while many objects are made that all live on, so that it doesn't walk them (decision 0024)."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from flowbook._utils.locks import Rank, RankedRLock, renew_in_child

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["gc_paused"]


class gc_paused:  # noqa: N801  # used as `with gc_paused():`
    """Context manager: this process collects no garbage until it ends; then the collector is as it was.

    Use it only around work that is bounded, makes no cyclic garbage and calls no user code, apart from what pickles an object.
    Several threads may do so at once.
    """

    def __enter__(self) -> None:
        _PAUSES.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _PAUSES.end()


class _Pauses:
    """The pauses of this process: the first one stops the collector, and the last one lets it go on if it was on before.

    A thread that looked by itself whether the collector is on could see it off because of another one's pause, stop it when
    that had just ended, and leave it off for good.
    """

    def __init__(self) -> None:
        #: Its holder may take it again: the collector may run a user's finalizer in the middle.
        self._lock = RankedRLock(Rank.COLLECTOR)
        self._count = 0
        self._was_on = False
        renew_in_child(self, _Pauses._forget)

    def begin(self) -> None:
        with self._lock:
            if not self._count:
                self._was_on = gc.isenabled()
                gc.disable()
            self._count += 1

    def end(self) -> None:
        with self._lock:
            if not self._count:
                return  # it began before a fork
            self._count -= 1
            if not self._count and self._was_on:
                gc.enable()

    def _forget(self) -> None:
        """End all pauses in a forked child: the threads that would do so don't exist there."""
        self._lock = RankedRLock(Rank.COLLECTOR)
        if self._count and self._was_on:
            gc.enable()
        self._count = 0


_PAUSES = _Pauses()
