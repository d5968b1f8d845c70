"""What a notebook keeps of a run, so that its panel can be walked through without a kernel.

Small by being packed, and by leaving out: first previews, the largest before the others, so that one large figure doesn't take
the room of many; then logs and the tasks' details; then the graph's picture. What is left out is said, and why.
"""

from __future__ import annotations

import base64
import bisect
import json
import zlib
from typing import TYPE_CHECKING, Any

from flowbook.engine.task_keys import parent_key
from flowbook.report.masked_values import masked_preview, named_preview
from flowbook.report.phrases import listed
from flowbook.report.secret_names import MASK, shown_texts, shown_urls, sounds_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

__all__ = ["MOST_BYTES", "MOST_DETAILS", "brief", "keep", "leaving", "packed"]

#: Of a panel's whole output, its picture included.
MOST_BYTES = 56_000
#: The details of at most this many tasks are kept.
MOST_DETAILS = 150
#: For the sentence that says what is kept.
_NOTE_BYTES = 400
_HEAD_ROWS = 6
_LOG_LINES = 20
_SHOWN = 4
#: Where a preview stands: the key of its task, and its number among what the task displayed, or _OUTPUT.
_Place = tuple[str, int]
_OUTPUT = -1


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


def leaving(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return DETAILS with what is likely a secret masked: they are saved with a notebook, and sent on as a report."""
    shown = {name: shown_texts(each) for name, each in details.items() if name not in {"output", "shown", "inputs"}}
    return {
        **shown,
        "inputs": [_leaving_input(each) for each in details["inputs"]],
        "output": _masked(details["output"], parent_key(details["key"])),
        "shown": [_masked(each) for each in details["shown"]],
    }


def _leaving_input(given: Mapping[str, Any]) -> dict[str, Any]:
    name = next(filter(sounds_secret, (given["name"], parent_key(given["from"] or ""))), "")
    found = shown_texts({each: value for each, value in given.items() if each != "preview"})
    secret = {"text": MASK, "literal": ""} if name else {}
    return {**found, **secret, "preview": _masked(given["preview"], name)}


def _masked(preview: dict[str, Any] | None, name: str = "") -> dict[str, Any] | None:
    preview = named_preview(name, preview)
    if preview is None:
        return None
    # HTML may have scripts, which a mask would break.
    body = {"body": shown_urls(preview["body"])} if preview.get("kind") == "html" and preview.get("body") else {}
    return {**masked_preview(preview), **body}


def keep(base: Mapping[str, Any], details: Iterable[dict[str, Any]], room_bytes: int) -> str:
    """Return what is kept as a text, packed.

    Args:
        base: GRAPH and SNAPSHOT, and the answers to what views ask of the run as a whole.
        details: brief DETAILS, the most important first.
        room_bytes: how much there is room for.
    """
    found = {each["key"]: each for each in details}
    previews = {place: preview for key, each in found.items() for place, preview in _previews(key, each)}
    sizes = {place: len(packed(preview)) for place, preview in previews.items()}
    smallest_first = sorted(previews, key=sizes.__getitem__)  # of the same size, the most important first

    def with_previews(count: int) -> dict[str, Any]:
        places = set(smallest_first[:count])
        return {**base, "details": {key: _with_some(key, each, places) for key, each in found.items()}}

    def fits(count: int) -> bool:
        return len(packed(with_previews(count))) <= room_bytes - _NOTE_BYTES

    if not fits(0):
        return _least(base, room_bytes)
    count = _most(len(smallest_first), fits)
    left_out = {key for key, _ in smallest_first[count:]}
    return _said(with_previews(count), count, [key for key in found if key in left_out])


def packed(value: object) -> str:
    """Return a value as JSON, deflated, in base64."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 6)).decode("ascii")


def _most(count: int, fits: Callable[[int], bool]) -> int:
    """Return how many of `count` fit. What is packed together is a fraction of what each takes alone, so it is tried."""
    if fits(count):
        return count
    return bisect.bisect_left(range(1, count), True, key=lambda tried: not fits(tried))  # noqa: FBT003  # what is searched for


def _said(whole: dict[str, Any], count: int, left_out: list[str]) -> str:
    kept = ["all states", *(["the end of the logs"] if whole["answers"] else [])]
    kept += [f"previews of {count} values" if count > 1 else "a preview of one value"] if count else []
    note = f"The notebook keeps {max(1, round(len(packed(whole)) / 1000))} kB of this run: {listed(kept)}."
    if left_out:
        most = f"a panel keeps at most {MOST_BYTES // 1000} kB"
        note += f" No room for the largest previews, those of {listed(left_out, 4)}: {most}."
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


def _previews(key: str, details: Mapping[str, Any]) -> list[tuple[_Place, dict[str, Any]]]:
    """Return what there is to see of a task, each by its place."""
    found = [(_OUTPUT, details["output"]), *enumerate(details.get("shown", []))]
    return [((key, place), preview) for place, preview in found if _can_be_seen(preview)]


def _can_be_seen(preview: dict[str, Any] | None) -> bool:
    return bool(preview and (preview.get("page") or preview.get("repr") or preview.get("body")))


def _with_some(key: str, details: dict[str, Any], places: Collection[_Place]) -> dict[str, Any]:
    """Return a task's details with these previews; of the others only their words."""

    def kept(place: int, preview: dict[str, Any] | None) -> dict[str, Any] | None:
        return (
            preview
            if (key, place) in places or preview is None
            else {**preview, "page": None, "repr": "", "body": None}
        )

    shown = [kept(place, preview) for place, preview in enumerate(details.get("shown", []))]
    return {**details, "output": kept(_OUTPUT, details["output"]), "shown": shown}
