"""What a notebook keeps of a run: small, and what is left out is said."""

from __future__ import annotations

import base64
import json
import random
import zlib
from string import ascii_letters
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
        kept["note"]
        == "The notebook keeps 1 kB of this run: all states, the end of the logs and a preview of one value."
    )
    assert len(kept["details"]["clean"]["output"]["page"]["rows"]) == 3
    assert (kept["graph"], kept["snapshot"], kept["answers"]) == (GRAPH, SNAPSHOT, BASE["answers"])


def _drawn(key: str, *lengths: int) -> dict[str, Any]:
    """Return the details of a task that gave and showed pictures, which can't be packed well."""
    pictures = [
        {
            "kind": "picture",
            "text": f"Figure {n}",
            "body": "".join(random.Random(f"{key}{n}").choices(ascii_letters, k=length)),
        }
        for n, length in enumerate(lengths)
    ]
    return {**brief(_details(key)), "output": pictures[0], "shown": pictures[1:]}


def _seen(details: dict[str, Any]) -> list[bool]:
    return [bool(each["body"]) for each in (details["output"], *details["shown"])]


def test_the_largest_previews_are_left_out_first_and_of_the_same_size_the_least_important_before_the_others() -> None:
    details = [_drawn("last", 1000), _drawn("large", 1500), _drawn("first", 1000)]

    text = keep(BASE, details, 3400)
    kept = _unpacked(text)
    fewer = _unpacked(keep(BASE, details, 2600))

    assert len(text) <= 3400
    assert kept["note"].endswith(
        "all states, the end of the logs and previews of 2 values. "
        "No room for the largest previews, those of large: a panel keeps at most 56 kB."
    )
    assert [key for key, each in kept["details"].items() if each["output"]["body"]] == ["last", "first"]
    assert kept["details"]["large"]["output"]["text"] == "Figure 0"
    assert [key for key, each in fewer["details"].items() if each["output"]["body"]] == ["last"]
    assert "No room for the largest previews, those of large and first: a panel" in fewer["note"]


def test_one_large_figure_does_not_take_the_room_of_the_others_of_its_task_and_of_other_tasks() -> None:
    details = [_drawn("draw", 300, 9000, 300), _drawn("a", 300), _drawn("b", 300)]

    kept = _unpacked(keep(BASE, details, 6000))

    assert [_seen(kept["details"][key]) for key in ("draw", "a", "b")] == [[True, False, True], [True], [True]]
    assert [each["text"] for each in kept["details"]["draw"]["shown"]] == ["Figure 1", "Figure 2"]
    assert "No room for the largest previews, those of draw: a panel keeps at most 56 kB." in kept["note"]


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
