"""Shows a cell's error once, and without flowbook's own lines if the user's line is wrong.

IPython shows what a cell raises. It can't know that the body of a `%%flow` cell has already shown its error, nor that
flowbook's lines below the user's own don't help.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import IPython

from flowbook.core.task import Task
from flowbook.exceptions import DefinitionError, RunFailedError
from flowbook.report.error_view import is_mine

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["end_at_writers_line", "show_writers_line", "skip_showing", "unshow_writers_line"]

#: Errors whose traceback ends at the writer's own line; of the last kind only those about an attribute of a task.
_ENDED_EARLY = (DefinitionError, RunFailedError, AttributeError)
#: For these errors, flowbook's own lines below the writer's don't help.
_LIBRARIES = (str(Path(__file__).resolve().parent.parent), str(Path(IPython.__file__).resolve().parent))


def skip_showing(shell: InteractiveShell, error: BaseException) -> None:
    """Make the shell skip `error` the next time it shows an exception: it is on screen already."""
    original = shell.showtraceback

    def show(exc_tuple: object = None, *args: object, **options: object) -> None:
        shell.__dict__.pop("showtraceback", None)
        raised = exc_tuple[1] if isinstance(exc_tuple, tuple) else sys.exc_info()[1]
        if raised is not error:
            original(exc_tuple, *args, **options)  # type: ignore[arg-type]  # as it was called

    shell.__dict__["showtraceback"] = show


def show_writers_line(shell: InteractiveShell) -> None:
    """From now on end the traceback of a wrong definition, or of a run that failed, at the writer's own line.

    Does nothing if another handler is set.
    """
    if not shell.custom_exceptions:
        shell.set_custom_exc(_ENDED_EARLY, _show)


def unshow_writers_line(shell: InteractiveShell) -> None:
    """Undo `show_writers_line`."""
    if shell.custom_exceptions == _ENDED_EARLY:
        shell.set_custom_exc((), None)


def end_at_writers_line(trace: TracebackType | None) -> TracebackType | None:
    """Return a copy of `trace` without the library's lines at its end; `trace` itself if it has no others."""
    entries = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    outside = [index for index, entry in enumerate(entries) if not _is_ours(entry)]
    shown = entries[: outside[-1] + 1] if outside else entries
    found: TracebackType | None = None
    for entry in reversed(shown):
        found = TracebackType(found, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return found


def _show(  # what `set_custom_exc` calls
    shell: InteractiveShell,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    if isinstance(error, AttributeError) and not isinstance(error.obj, Task):
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return
    cause, is_context_hidden = error.__cause__, error.__suppress_context__
    if not _has_writers_line(cause if cause is not None else error.__context__):
        error.__cause__ = None
    try:
        shell.showtraceback((kind, error, end_at_writers_line(trace)), tb_offset=tb_offset)
    finally:
        error.__cause__, error.__suppress_context__ = cause, is_context_hidden


def _has_writers_line(cause: BaseException | None) -> bool:
    """Return whether a line of the writer's is among those that `cause` passed."""
    frames = traceback.walk_tb(None if cause is None else cause.__traceback__)
    return any(map(is_mine, {frame.f_code.co_filename for frame, _ in frames}))


def _is_ours(entry: TracebackType) -> bool:
    return entry.tb_frame.f_code.co_filename.startswith(_LIBRARIES)
