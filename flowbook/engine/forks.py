"""Ends processes that a task forks where the task ends: such a copy must not go on with the run.

`os.fork()` copies the engine too. A copy that leaves the task, by returning or by `sys.exit`, would run the tasks that
follow a second time, and speak to the driver through the worker's own pipe.
"""

from __future__ import annotations

import os

from flowbook._context import ContextLayer, current_layer

__all__ = ["end_copy", "is_copy"]

#: In a forked copy: the innermost layer that it was forked in. Callers look here first, to save the call of `is_copy`.
forked_in: ContextLayer | None = None


def is_copy(layer: ContextLayer) -> bool:
    """Return whether this process was forked within the task of `layer`."""
    found = forked_in
    while found is not None and found is not layer:
        found = found.parent
    return found is not None


def end_copy(error: BaseException | None) -> None:
    """End this process as Python would have, without what belongs to the original: its buffers, threads and exit hooks."""
    code = error.code if isinstance(error, SystemExit) else error
    os._exit(code if isinstance(code, int) else int(code is not None))


def _remember_fork() -> None:
    global forked_in  # noqa: PLW0603  # a fact about the process
    forked_in = current_layer()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember_fork)
