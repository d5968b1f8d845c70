"""The values of the names on the lines where an error passed, as far as its frames are still there. Runs no user code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.report.secret_names import MASK
from flowbook.report.value_text import names_in, value_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from flowbook.report.secret_locals import SecretLocals

__all__ = ["frame_at", "frame_values"]


def frame_values(
    frame: FrameType | None, line: int, lines: Sequence[tuple[int, str, bool]], most: int, secrets: SecretLocals
) -> tuple[tuple[str, str], ...]:
    """Return names and their values as text, in the order of the lines; none if the error came from another process.

    Args:
        frame: from `frame_at`.
        line: where the error passed it.
        lines: around that line: number, text, whether it is the failing one.
        most: how many names, those nearest to the failing line.
        secrets: those that the task got; they are masked.
    """
    if frame is None:
        return ()
    shown = [text for number, text, _ in lines if number <= line]
    values = frame.f_locals
    nearest = names_in(reversed(shown), values, most)
    names = [name for name in names_in(shown, values, len(values)) if name in nearest]
    texts = ((name, values[name], value_text(name, values[name])) for name in names)
    return tuple((name, MASK if secrets.holds(frame, name, value, text) else text) for name, value, text in texts)


def frame_at(error: BaseException, file: str, line: int) -> FrameType | None:
    """Return the innermost frame of an error that is at this line."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file and trace.tb_lineno == line:
            found = trace.tb_frame
        trace = trace.tb_next
    return found
