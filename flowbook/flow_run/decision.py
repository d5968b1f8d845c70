"""What a person decides about a run, and the events that record it."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

from flowbook.engine.events import Decided

__all__ = ["Action", "Decision", "decided"]

#: "cancel_now" also stops the tasks that are running.
Action = Literal["cancel", "cancel_now", "resume", "retry"]


class Decision(NamedTuple):
    """What a person decides about a run.

    Attributes:
        keys: keys of the tasks concerned; if empty, every task that the action applies to.
        by: who decided; recorded.
        note: the reason; recorded.
    """

    action: Action
    keys: tuple[str, ...] = ()
    by: str = ""
    note: str = ""


def decided(decision: Decision, keys: tuple[str, ...], first_seq: int) -> list[Decided]:
    """Return the events that record the decision, one for each key, numbered from `first_seq`."""
    action, at = decision.action.partition("_")[0], time.time()
    return [Decided(seq, key, at, action, decision.by, decision.note) for seq, key in enumerate(keys, first_seq)]
