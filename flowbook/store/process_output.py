"""Where the output of a run's own process is kept: a log file beside the store, capped, with its predecessor beside it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from flowbook import config

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OLDER", "output_file", "remove_old_output"]

#: What the name of the file's predecessor ends with.
OLDER = ".1"
_FOLDER = "output"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def output_file(run_id: str) -> Path:
    """Return the path of the log file of a run's processes; it exists once one was started."""
    if not _RUN_ID.fullmatch(run_id):
        msg = f"{run_id!r} is no run's id."
        raise ValueError(msg)
    return config.home() / _FOLDER / f"{run_id}.log"


def remove_old_output(now: float | None = None) -> None:
    """Remove log files that nobody has written to for as long as values are kept (`FLOWBOOK_KEEP_DAYS`)."""
    before = (time.time() if now is None else now) - config.limits().keep_s
    for file in (config.home() / _FOLDER).glob("*.log*"):
        try:
            if file.stat().st_mtime < before:
                file.unlink()
        except OSError:
            continue  # another process removed it
