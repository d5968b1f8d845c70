"""Whether a run is recorded where its caller does not say."""

from __future__ import annotations

import os
import sys

from flowbook._context import context

__all__ = ["is_recorded"]

_EXTENSION = "flowbook"


def is_recorded(record: bool | None) -> bool:  # noqa: FBT001  # the caller's word, or none
    """Return whether a run is recorded.

    Args:
        record: as the caller says; None: as FLOWBOOK_RECORD does, 1 or 0; else in a notebook with the extension loaded,
            unless a task starts the run.
    """
    if record is not None:
        return record
    setting = os.environ.get("FLOWBOOK_RECORD")
    if setting:
        return setting == "1"
    return _has_extension() and "task_name" not in context


def _has_extension() -> bool:
    """Return whether `%load_ext flowbook` was called in this process's notebook. Imports nothing."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and _EXTENSION in shell.extension_manager.loaded
