"""Events as the rows that the database holds, read back. Pure: no I/O."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flowbook.engine.events import Decided, Event, Logged, StateChanged
from flowbook.results.reference import ResultRef
from flowbook.store.state_codec import decode

if TYPE_CHECKING:
    from flowbook.store.values import Values

__all__ = ["DECISION", "LOG", "STATE", "decode_event", "value_ref"]

#: What the column `kind` holds.
STATE, LOG, DECISION = 0, 1, 2


def decode_event(row: tuple[Any, ...], values: Values) -> Event:
    """Return the event in a row of the queries `events` and `events_of_kind`; its values are references."""
    seq, kind, key, at, name, body, digest, size_bytes = row
    if kind == STATE:
        return StateChanged(seq, key, decode(name, at, body, value_ref(digest, size_bytes, values), values))
    if kind == LOG:
        return Logged(seq, key, at, int(name), body or "")
    decided = json.loads(body or "{}")
    return Decided(seq, key, at, name, decided["by"], decided["note"])


def value_ref(digest: bytes | None, size_bytes: int | None, values: Values) -> ResultRef | None:
    """Return the reference to a value of this store; None where there is no digest."""
    return None if digest is None else ResultRef(digest.hex(), size_bytes or 0, values)
