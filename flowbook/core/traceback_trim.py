"""Leave flowbook's own frames out of the traceback of an error that the writer of a flow made."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["end_at_caller", "without_library_frames"]

E = TypeVar("E", bound=BaseException)

_PACKAGE = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120  # importing pathlib takes 4 ms


def end_at_caller(error: BaseException) -> None:
    """Cut the frames of flowbook below the last line that isn't flowbook's; a traceback of flowbook's frames only stays."""
    frames = _frames(error)
    while frames and _is_ours(frames[-1]):
        frames.pop()
    if frames:
        frames[-1].tb_next = None


def without_library_frames(error: E) -> E:
    """Return `error`, to be raised again by a function that users call: no other frame of flowbook's is in its traceback."""
    below: TracebackType | None = None
    for frame in reversed(_frames(error)):
        if not _is_ours(frame):
            frame.tb_next = below
            below = frame
    return error.with_traceback(below)


def _frames(error: BaseException) -> list[TracebackType]:
    found = []
    trace = error.__traceback__
    while trace is not None:
        found.append(trace)
        trace = trace.tb_next
    return found


def _is_ours(frame: TracebackType) -> bool:
    return frame.tb_frame.f_code.co_filename.startswith(_PACKAGE)
