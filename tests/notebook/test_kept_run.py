"""What a notebook keeps of a run: small, and what is left out is said."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from flowbook.notebook.kept_run import brief, keep

GRAPH = {"flow": "delays", "svg": "<svg>" + "x" * 50 + "</svg>"}
SNAPSHOT = {"seq": 3, "tasks": {}}
BASE = {"graph": GRAPH, "snapshot": SNAPSHOT, "answers": {"logs": {"lines": ["one"]}}}


def _unpacked(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return found


def _noise(seed: int, length: int) -> str:
    """Return a text that can't be packed well."""
    return "".join(chr(33 + (seed * 7919 + n * n * 31 + n * 17) % 90) for n in range(length))


def _details(key: str, rows: int = 0) -> dict[str, Any]:
    page = {
        "columns": [],
        "rows": [[_noise(len(key) + 7 * n, 40)] for n in range(rows)],
        "index": [str(n) for n in range(rows)],
    }
    output = {"kind": "frame", "text": f"DataFrame, {rows} × 1", "page": page if rows else None, "repr": ""}
    return {
        "key": key,
        "inputs": [{"name": "x", "from": "load", "preview": output}, {"name": "k", "from": None, "preview": None}],
        "output": output,
        "logs": [{"text": str(n)} for n in range(30)],
        "history": [{"run": "1"}],
        "actions": ["resume"],
    }


def test_details_are_kept_with_heads_and_the_end_of_the_log_and_without_what_needs_a_kernel() -> None:
    kept = brief(_details("clean", 10))

    assert len(kept["output"]["page"]["rows"]) == len(kept["output"]["page"]["index"]) == 6
    assert [each["preview"] for each in kept["inputs"]] == [None, None]
    assert [kept["logs"][0]["text"], kept["logs"][-1]["text"], len(kept["logs"])] == ["10", "29", 20]
    assert (kept["history"], kept["actions"]) == ([], [])


def test_what_there_is_room_for_is_kept_whole() -> None:
    kept = _unpacked(keep(BASE, [brief(_details("clean", 3)), brief(_details("load"))], 60_000))

    assert (
        kept["note"] == "The notebook keeps 1 kB of this run: all states, the end of the logs, the head of one output."
    )
    assert len(kept["details"]["clean"]["output"]["page"]["rows"]) == 3
    assert (kept["graph"], kept["snapshot"], kept["answers"]) == (GRAPH, SNAPSHOT, BASE["answers"])


def test_heads_are_left_out_first_the_least_important_before_the_others() -> None:
    details = [brief(_details(key, 6)) for key in ("last", "middle", "first")]
    least = len(keep(BASE, [{**each, "output": None} for each in details], 60_000))

    text = keep(BASE, details, least + 1200)
    kept = _unpacked(text)

    assert len(text) <= least + 1200
    assert kept["note"].endswith("the heads of 2 outputs. Left out: the heads of first.")
    assert [key for key, each in kept["details"].items() if each["output"]["page"]] == ["last", "middle"]
    assert kept["details"]["first"]["output"]["text"] == "DataFrame, 6 × 1"


def test_then_logs_and_details_and_then_the_picture() -> None:
    many = [brief(_details(f"task{n}")) for n in range(40)]
    large = {**BASE, "graph": {**GRAPH, "svg": _noise(1, 4000)}}
    bare = len(keep(large, [], 60_000))

    without_details = _unpacked(keep(large, many, bare + 50))
    without_picture = _unpacked(keep(large, many, bare - 1000))

    assert without_details["note"] == (
        "The notebook keeps the states of this run. Left out: its logs, and the details of its tasks."
    )
    assert (without_details["details"], without_details["graph"]) == ({}, large["graph"])
    assert without_picture["note"] == (
        "The notebook keeps the states of this run as a table. Left out: the picture of its graph, logs, and details."
    )
    assert without_picture["graph"]["svg"] == ""
