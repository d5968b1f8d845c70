"""Events of runs as JSON, from the rows of the store: no state is made and no value is touched. Pure.

What is written here is a `wire.RunEvent`; a test reads it as one.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import TYPE_CHECKING, Any

from flowbook.report.secret_literals import without_secrets
from flowbook.report.secret_names import shown_change
from flowbook.store.event_rows import LOG, STATE

if TYPE_CHECKING:
    from flowbook.store.event_feed import FeedRow

__all__ = ["event_json", "event_text", "iso", "late_event_text", "level_name", "message"]

_to_json = json.JSONEncoder(separators=(",", ":")).encode
_KINDS = {STATE: "state", LOG: "log"}


def event_json(row: FeedRow) -> dict[str, Any]:
    """Return an event as plain JSON; fields that say nothing are left out."""
    found: dict[str, Any] = {
        "run": row.run_id,
        "seq": row.seq,
        "kind": _KINDS.get(row.kind, "decision"),
        "task": row.key,
    }
    found["at"] = iso(row.at)
    if row.kind == LOG:
        return {**found, "level": level_name(row), "text": row.body or ""}
    body = json.loads(row.body) if row.body else {}
    return {**found, **(_state(row.name, body) if row.kind == STATE else _decision(row.name, body))}


def level_name(row: FeedRow) -> str:
    """Return the level of a log line, as `logging` calls it."""
    found: str = logging.getLevelName(int(row.name))
    return found


def _state(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a state; `word` is what people call it: an output that the run made and stored is a Success."""
    is_made_here = name == "Cached" and body.get("made_here")
    found: dict[str, Any] = {"state": name, "word": "Success" if is_made_here else name}
    if message := body.get("message"):
        found["message"] = message
    if "n_map_states" in body:
        found["children"] = body["n_map_states"]
    if error := body.get("error"):
        told = {"type": error["type"], "message": error["message"]}
        found["error"] = {**told, "traceback": without_secrets(error["traceback"])}
    return found


def _decision(action: str, body: dict[str, Any]) -> dict[str, Any]:
    changes = [
        {"name": name, "before": before, "after": after, "text": shown_change(name, text)}
        for name, before, after, text in body.get("changes", ())
    ]
    return {"action": action, "by": body["by"], "note": body["note"], **({"changes": changes} if changes else {})}


def event_text(row: FeedRow, number: str | int | None = None) -> bytes:
    """Return an event as a message of a stream of server-sent events.

    Args:
        row: the event.
        number: where the stream resumes after it; default: its number in its run.

    Source: HTML Living Standard, 9.2 Server-sent events.
    """
    event = event_json(row)
    return message(event["kind"], _to_json(event), row.seq if number is None else number)


def late_event_text(row: FeedRow) -> bytes:
    """Return an event that came after newer ones: without a number, since the stream must not resume where it would be."""
    event = event_json(row)
    return message(event["kind"], _to_json(event))


def message(kind: str, text: str, number: str | int | None = None) -> bytes:
    """Return a message of a stream; `text` is JSON, which has no line breaks."""
    beginning = "" if number is None else f"id: {number}\n"
    return f"{beginning}event: {kind}\ndata: {text}\n\n".encode()


def iso(stamp: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC."""
    return dt.datetime.fromtimestamp(stamp, dt.UTC).isoformat().replace("+00:00", "Z")
