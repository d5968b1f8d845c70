"""Decides whether a run is recorded when its caller doesn't say."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from flowbook._context import context
from flowbook.engine.state import Failed, Paused, Scheduled

if TYPE_CHECKING:
    from flowbook.engine.state import State

__all__ = ["is_recorded", "is_worth_recording"]

_EXTENSION = "flowbook"


def is_recorded(record: bool | None) -> bool:  # noqa: FBT001  # the caller's word, or none
    """Return whether a run is recorded.

    Args:
        record: what the caller asked for. None: FLOWBOOK_RECORD decides (1 or 0); if that isn't set, a run is recorded
            in a notebook with the extension loaded, unless a task starts the run.
    """
    if record is not None:
        return record
    setting = os.environ.get("FLOWBOOK_RECORD")
    if setting:
        return setting == "1"
    return _has_extension() and "task_name" not in context


def is_worth_recording(record: bool | None, state: State) -> bool:  # noqa: FBT001  # as above
    """Return whether a person may want to resume an unrecorded run that came to rest in this state."""
    return record is not False and isinstance(state, Paused | Failed | Scheduled)


def _has_extension() -> bool:
    """Return whether `%load_ext flowbook` was called in this process's notebook. Imports nothing."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)  # not there yet while another thread imports it
    shell = None if ask is None else ask()
    return shell is not None and _EXTENSION in shell.extension_manager.loaded
