"""Events as rows of the database, and the events that such rows hold. Pure: no I/O."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.engine.events import FLOW, Decided, Event, InputChange, Logged, StateChanged
from flowbook.results.reference import ResultRef
from flowbook.store.state_codec import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.store.values import Values

__all__ = ["DECISION", "LOG", "STATE", "EventRow", "Urgency", "decode_event", "value_ref"]

#: What the column `kind` holds.
STATE, LOG, DECISION = 0, 1, 2


class Urgency(enum.IntEnum):
    """How soon a row has to be committed: some time, before anybody builds on it, or before `emit` returns."""

    LATER = 0
    SOON = 1
    NOW = 2


class EventRow(NamedTuple):
    """What one event adds to the database.

    Attributes:
        event: run, seq, kind, key, at, name, body, digest, size_bytes.
        urgency: how soon it has to be committed.
        task: key of the task; of a child that of its mapped task.
        values: rows of the values that it holds.
        needed: digests of values that the run needs besides the event's own.
        needs_sync: whether it has to outlast a loss of power.
    """

    event: tuple[int, int, int, str, float, str, str | None, bytes | None, int | None]
    urgency: Urgency
    task: str
    values: Sequence[tuple[object, ...]] = ()
    needed: Sequence[str] = ()
    needs_sync: bool = False

    @property
    def is_of_flow(self) -> bool:
        """Whether it is a state of the flow itself."""
        return self.event[3] == FLOW and self.event[2] == STATE

    @property
    def cancels_run(self) -> bool:
        """Whether it is a person's order to cancel the run."""
        return self.event[2] == DECISION and self.event[3] == FLOW and self.event[5] == "cancel"

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes while it waits."""
        return 500 + len(self.event[6] or "") + sum(len(each[2]) for each in self.values if isinstance(each[2], bytes))


def decode_event(row: tuple[Any, ...], values: Values) -> Event:
    """Return the event in a row of the queries `events` and `events_of_kind`; its values are references."""
    seq, kind, key, at, name, body, digest, size_bytes = row
    if kind == STATE:
        return StateChanged(seq, key, decode(name, at, body, value_ref(digest, size_bytes, values), values))
    if kind == LOG:
        return Logged(seq, key, at, int(name), body or "", value_ref(digest, size_bytes, values))
    decided = json.loads(body or "{}")
    changes = [InputChange(*each) for each in decided.get("changes", ())]
    told = decided.get("looked_at", {}), decided.get("definitions")
    return Decided(seq, key, at, name, decided["by"], decided["note"], changes, *told)


def value_ref(digest: bytes | None, size_bytes: int | None, values: Values) -> ResultRef | None:
    """Return the reference to a value of this store; None where there is no digest."""
    return None if digest is None else ResultRef(digest.hex(), size_bytes or 0, values)
