"""What a person decides about a run."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Action", "Decision"]

#: "cancel_now" also stops what runs at the moment.
Action = Literal["cancel", "cancel_now", "resume", "retry"]


class Decision(NamedTuple):
    """What a person decides about a run.

    Attributes:
        keys: of the tasks that it is about; empty: all that it fits.
        by: who decides; recorded.
        note: why; recorded.
    """

    action: Action
    keys: tuple[str, ...] = ()
    by: str = ""
    note: str = ""
