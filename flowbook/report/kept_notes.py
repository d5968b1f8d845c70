"""What is said of a task that a run of a part of its flow didn't run, and whose result is an earlier one. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowbook.engine.state import State

__all__ = ["KEPT", "LEFT_OUT", "kept_briefly", "kept_note"]

#: How the messages of what a run was not to run begin, see `flow_run.run_part`.
KEPT, LEFT_OUT = "Kept from ", "Left out: "
#: What came with an earlier output of a task, see `core.time_travel`: "kept from 20 Nov 09:06 (clean of run 11)".
_WITH_OUTPUT = re.compile(r"kept from (?P<time>.*?) \((?:.* of (?P<run>run \d+)|.*)\)")


def kept_note(state: State) -> str:
    """Return "kept from run 4" for a task that a run of a part of its flow didn't run, else ""."""
    message = state.message or ""
    return f"kept from {message.removeprefix(KEPT).rstrip('.')}" if message.startswith(KEPT) else ""


def kept_briefly(state: State) -> str:
    """Return the same in a few words: "kept from run 11" also where an earlier output of a task came with that run's results.

    Where that output was in the cache only, no run is known; then its time stands there.
    """
    note = kept_note(state)
    found = _WITH_OUTPUT.fullmatch(note)
    return f"kept from {found['run'] or found['time']}" if found else note
