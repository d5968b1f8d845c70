"""Python's garbage collector, kept from looking at a graph while that is made (docs/decisions/0024)."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["collector_paused"]


class collector_paused:  # noqa: N801  # used as `with collector_paused():`
    """Context manager: no collections in this process until it ends, then as before.

    Only around work that is bounded, makes no garbage in circles and calls nothing of the user's.
    """

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._was_on:
            gc.enable()
