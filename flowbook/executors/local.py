"""Tasks one after another, in the thread that runs the flow."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from flowbook.executors.base import Executor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LocalExecutor"]


class LocalExecutor(Executor):
    """Runs every task in this thread, in order. The default; simplest to debug."""

    is_inline = True

    def start(self) -> contextlib.AbstractContextManager[Executor]:
        """Return a context manager that opens nothing."""
        return contextlib.nullcontext(self)

    def run_loops(self, loop: Callable[[], None]) -> None:
        """Call `loop` here."""
        loop()

    def submit(
        self,
        fn: Callable[..., Any],
        *args: object,
        extra_context: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Any:  # noqa: ANN401
        """Call `fn` now, return its value."""
        del extra_context
        return fn(*args, **kwargs)

    def wait(self, futures: Any) -> Any:  # noqa: ANN401
        """Return `futures`: they are values already."""
        return futures

    def describe(self) -> str:
        """Return what people call it."""
        return "local, one task at a time"

    def __repr__(self) -> str:
        return "LocalExecutor()"
