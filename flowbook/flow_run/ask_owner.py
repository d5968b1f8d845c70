"""Asks the process that has a run to carry out a decision, and waits for its answer."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from flowbook.exceptions import RunClaimedError, StartTaskError

if TYPE_CHECKING:
    from flowbook.flow_run.decision import Decision
    from flowbook.flow_run.recording import Recording

__all__ = ["ask_owner"]

_LOOK_S = 0.05
_ANSWER_S = 15.0


def ask_owner(recording: Recording, decision: Decision, within_s: float | None = None) -> bool:
    """Send a decision to a run's owner; return False if the owner released the run instead of carrying it out.

    Args:
        recording: of a run that a process has.
        decision: what is asked.
        within_s: how long the owner may take to answer; default: 15 s.

    Raises:
        RunClaimedError: if somebody else has decided this before, or the owner doesn't answer.
        StartTaskError: if the owner can't carry it out.
        UnpicklableError: if an input can't be sent to it.
    """
    number = recording.send_request(decision)
    deadline = time.monotonic() + (_ANSWER_S if within_s is None else within_s)
    pause = threading.Event()
    while (answer := recording.answer_to(number)) is None:
        if recording.is_taken(now=True) and recording.withdraw(number):
            number = recording.send_request(decision)  # to the process that has taken the run over meanwhile
        is_late = time.monotonic() > deadline
        if (is_late or not recording.is_owned()) and recording.withdraw(number):
            if is_late:
                raise _no_answer(recording, decision.action)
            return False
        pause.wait(_LOOK_S)
    if "error" in answer:
        kind = RunClaimedError if answer["error"] == RunClaimedError.__name__ else StartTaskError
        raise kind(str(answer["message"]), run=recording.run_id)
    return bool(answer["done"])


def _no_answer(recording: Recording, action: str) -> RunClaimedError:
    owner = recording.owner_name()
    msg = (
        f"{owner} has {recording.label} and did not answer within {_ANSWER_S:.0f} s "
        f"(asked to {action.replace('_', ' ')}). It may be busy: try again, or end that process; "
        "the run can then be resumed from here."
    )
    return RunClaimedError(msg, owner=owner, run=recording.run_id)
