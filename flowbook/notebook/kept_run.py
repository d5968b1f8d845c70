"""What a notebook keeps of a run, so that its panel can be walked through without a kernel.

Small by being packed, and by leaving out: first the heads of outputs, those that others were made from before those at the
end; then logs and the tasks' details; then the graph's picture. What is left out is said.
"""

from __future__ import annotations

import base64
import bisect
import json
import zlib
from typing import TYPE_CHECKING, Any

from flowbook.report.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["MOST_BYTES", "MOST_DETAILS", "brief", "keep", "packed"]

#: Of a panel's whole output, its picture included.
MOST_BYTES = 56_000
#: The details of at most this many tasks are kept.
MOST_DETAILS = 150
#: For the sentence that says what is kept.
_NOTE_BYTES = 400
_HEAD_ROWS = 6
_LOG_LINES = 20
_SHOWN = 4


def brief(details: dict[str, Any]) -> dict[str, Any]:
    """Return DETAILS as they are kept: the head of each preview, the end of the log, nothing that needs a kernel.

    An input that is another task's output names that task only (`from`), as the output is kept there.
    """
    inputs = [{**each, "preview": None} if each["from"] else each for each in details["inputs"]]
    output = details["output"]
    return {
        **details,
        "inputs": inputs,
        "output": _head(output) if output is not None else None,
        "logs": details["logs"][-_LOG_LINES:],
        "shown": details.get("shown", [])[-_SHOWN:],
        "history": [],
        "actions": [],
    }


def keep(base: Mapping[str, Any], details: Iterable[dict[str, Any]], room_bytes: int) -> str:
    """Return what is kept as a text, packed.

    Args:
        base: GRAPH and SNAPSHOT, and the answers to what views ask of the run as a whole.
        details: brief DETAILS, the most important first.
        room_bytes: how much there is room for.
    """
    found = {each["key"]: each for each in details}
    heads = {
        key: {"output": each["output"], "shown": each.get("shown", [])}
        for key, each in found.items()
        if _has_head(each["output"]) or each.get("shown")
    }
    bare = {key: {**each, "output": _without_head(each["output"]), "shown": []} for key, each in found.items()}

    def with_heads(keys: list[str]) -> dict[str, Any]:
        return {**base, "details": bare | {key: {**bare[key], **heads[key]} for key in keys}}

    room = room_bytes - _NOTE_BYTES - len(packed(with_heads([])))
    if room < 0:
        return _least(base, room_bytes)
    small = [key for key, head in heads.items() if len(packed(head)) <= room]
    kept = small[: _most(len(small), lambda count: len(packed(with_heads(small[:count]))) <= room_bytes - _NOTE_BYTES)]
    return _said(with_heads(kept), kept, [key for key in heads if key not in kept])


def packed(value: object) -> str:
    """Return a value as JSON, deflated, in base64."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 6)).decode("ascii")


def _most(count: int, fits: Callable[[int], bool]) -> int:
    """Return how many of `count` fit. What is packed together is a fraction of what each takes alone, so it is tried."""
    if fits(count):
        return count
    return bisect.bisect_left(range(1, count), True, key=lambda tried: not fits(tried))  # noqa: FBT003  # what is searched for


def _said(whole: dict[str, Any], kept: list[str], dropped: list[str]) -> str:
    size_kb = max(1, round(len(packed(whole)) / 1000))
    logs = ", the end of the logs" if whole["answers"] else ""
    heads = f", the heads of {len(kept)} outputs" if len(kept) != 1 else ", the head of one output"
    heads = heads if kept else ""
    note = f"The notebook keeps {size_kb} kB of this run: all states{logs}{heads}."
    if dropped:
        note += f" Left out: the heads of {listed(dropped, 4)}."
    return packed({**whole, "note": note})


def _least(base: Mapping[str, Any], room_bytes: int) -> str:
    """Return what there is room for where details are too much, and perhaps the picture."""
    note = "The notebook keeps the states of this run. Left out: its logs, and the details of its tasks."
    found = packed({**base, "answers": {}, "details": {}, "note": note})
    if len(found) <= room_bytes:
        return found
    note = (
        "The notebook keeps the states of this run as a table. Left out: the picture of its graph, logs, and details."
    )
    return packed({**base, "graph": {**base["graph"], "svg": ""}, "answers": {}, "details": {}, "note": note})


def _head(preview: dict[str, Any]) -> dict[str, Any]:
    page = preview.get("page")
    if not page:
        return preview
    head = {**page, "rows": page["rows"][:_HEAD_ROWS], "index": page["index"][:_HEAD_ROWS]}
    return {**preview, "page": head}


def _has_head(preview: dict[str, Any] | None) -> bool:
    return bool(preview and (preview.get("page") or preview.get("repr") or preview.get("body")))


def _without_head(preview: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**preview, "page": None, "repr": "", "body": None} if preview is not None else None
