"""Pause Python's garbage collector while many objects are made that all live on, so that it doesn't walk them (decision 0024)."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["gc_paused"]


class gc_paused:  # noqa: N801  # used as `with gc_paused():`
    """Context manager: this process collects no garbage until it ends; then the collector is as it was.

    Use it only around work that is bounded, makes no cyclic garbage and calls no user code, apart from what pickles an object.
    """

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._was_on:
            gc.enable()
