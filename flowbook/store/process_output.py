"""Where the output of a run's own process is kept: a log file beside the store, capped, with its predecessor beside it."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from flowbook import config

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OLDER", "last_output", "output_file", "remove_old_output", "remove_output"]

#: What the name of the file's predecessor ends with.
OLDER = ".1"
_FOLDER = "output"
_TAIL_BYTES, _TAIL_LINES = 16_384, 20
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def output_file(run_id: str) -> Path:
    """Return the path of the log file of a run's processes; it exists once one was started."""
    if not _RUN_ID.fullmatch(run_id):
        msg = f"{run_id!r} is no run's id."
        raise ValueError(msg)
    return config.home() / _FOLDER / f"{run_id}.log"


def last_output(run_id: str) -> tuple[str, ...]:
    """Return the last lines that a run's processes wrote, oldest first; none if there is no log file."""
    try:
        with output_file(run_id).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(text.rstrip().splitlines()[-_TAIL_LINES:])


def remove_output(run_id: str) -> None:
    """Remove the log files of a run's processes, and the marks of those who watch them elsewhere."""
    file = output_file(run_id)
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink(missing_ok=True)


def remove_old_output(now: float | None = None) -> None:
    """Remove log files that nobody has written to for as long as values are kept (`FLOWBOOK_KEEP_DAYS`)."""
    before = (time.time() if now is None else now) - config.limits().keep_s
    for file in (config.home() / _FOLDER).glob("*.log*"):
        try:
            if file.stat().st_mtime < before:
                file.unlink()
        except OSError:
            continue  # another process removed it
