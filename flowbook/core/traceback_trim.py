"""Leave flowbook's own frames out of the traceback of an error that the writer of a flow made."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["end_at_caller"]

_PACKAGE = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120  # importing pathlib takes 4 ms


def end_at_caller(error: BaseException) -> None:
    """Cut the frames of flowbook below the last line that isn't flowbook's; a traceback of flowbook's frames only stays."""
    last: TracebackType | None = None
    trace = error.__traceback__
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None
