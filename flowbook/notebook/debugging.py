"""Makes the frame in which a task failed the one that `%debug` opens."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any

from flowbook.flow_run.failed_frame import error_of, failed_traceback

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.notebook.ports import RunLike

__all__ = ["prepare_debugger"]


def prepare_debugger(shell: InteractiveShell, run: RunLike, key: str, cell_name: Callable[[str], str | None]) -> str:
    """Let `%debug` open where a task failed; return where that is, "In [4], line 16, in check".

    Raises:
        RunError: if it did not fail, or its frames are gone.
    """
    error = error_of(run, key)
    trace = failed_traceback(error)
    place = traceback.extract_tb(trace)[-1]
    names: Any = sys
    names.last_type, names.last_value, names.last_traceback = type(error), error, trace
    names.last_exc = error.with_traceback(trace)
    # IPython looks here first.
    shell.InteractiveTB.tb = trace
    return f"{cell_name(place.filename) or place.filename}, line {place.lineno}, in {place.name}"
