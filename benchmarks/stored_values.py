"""What a large value costs to store, to read back, and a page of it to show: ms and bytes, in a process of its own.

Stored are `--values` arrays and frames of text of 24 MB, in turn with `np.save`, or pickling and writing, each with fsync.

python benchmarks/stored_values.py [--bytes 200000000] [--rows 1000000] [--rounds 5] [--values 60] [--json]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowbook.results.frame_pager import FramePager
from flowbook.results.reference import ResultRef
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_ROWS = 50
#: From the first rows on, and then at any place of a frame of a million.
PLACES = (0, 500_000, 999_950, 17, 123_456, 750_000, 0)


def resident_bytes() -> int:
    """Return how much memory of its own the process has; mapped pages of files are left out."""
    pages = Path("/proc/self/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how many ms it takes, and what it gives."""
    begin = time.perf_counter()
    found = work()
    return (time.perf_counter() - begin) * 1e3, found


def read_array(ref: ResultRef) -> dict[str, float]:
    """Read an array twice, the first time with its hash checked, then write into it."""
    before = resident_bytes()
    first_ms, array = timed(ref.load)
    held = resident_bytes() - before
    again_ms, other = timed(ref.load)
    array[0] = -1.0
    assert other[0] != -1.0
    return {"read first, hash checked": first_ms, "read again": again_ms, "MB of its own memory": held / 1e6}


def turn_pages(ref: ResultRef) -> dict[str, float]:
    """Turn pages of a frame as the cache browser does: at any place, in order and sorted by each column."""
    first_ms, pager = timed(lambda: FramePager(ref.load()))
    found = {"frame opened": first_ms}
    for name in (None, *(column["name"] for column in pager.page(0, 1)["columns"])):
        times = [timed(functools.partial(pager.page, at, PAGE_ROWS, name))[0] for at in PLACES]
        what = "page, in order" if name is None else f"page, sorted by {name}"
        found |= {f"{what}: first": times[0], f"{what}: slowest then": max(times[1:])}
    return found


def save_array(array: Any, path: Path) -> None:
    """Save an array as one would without flowbook."""
    with path.open("xb") as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())


def save_frame(frame: Any, path: Path) -> None:
    """Save a frame as one would without flowbook."""
    with path.open("xb") as file:
        file.write(pickle.dumps(frame, protocol=5))
        file.flush()
        os.fsync(file.fileno())


def store_many(kind: str, values: int, folder: Path) -> float:
    """Return the time of storing values of 24 MB, in that of saving them; which comes first takes turns."""
    store = open_store().values  # noqa: PD011  # no table
    numbers = np.random.default_rng(2).normal(size=3_000_000)
    words = [f"row {number} of the frame" for number in range(400_000)]
    ours_ms = theirs_ms = 0.0
    for number in range(values):
        is_array = kind == "arrays"
        value = numbers + number if is_array else pd.DataFrame({"text": [str(number), *words]})
        path = folder / f"{kind}-{number}"
        if number % 2:
            theirs_ms += timed(functools.partial(save_array if is_array else save_frame, value, path))[0]
            ours_ms += timed(functools.partial(store.put, value))[0]
        else:
            ours_ms += timed(functools.partial(store.put, value))[0]
            theirs_ms += timed(functools.partial(save_array if is_array else save_frame, value, path))[0]
    return ours_ms / theirs_ms


def fill(size_bytes: int, rows: int) -> dict[str, list[object]]:
    """Keep an array and a frame; return where they are."""
    chance = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "n": np.arange(rows),
            "x": chance.normal(size=rows),
            "word": chance.choice(["EWR", "JFK", "LGA", "TEB"], size=rows),
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(chance.integers(0, 10**7, size=rows), unit="s"),
        }
    )
    kept = open_store().values  # noqa: PD011  # no table
    refs = {
        "array": kept.put(chance.normal(size=size_bytes // 8)),
        "frame": kept.put(frame),
    }
    return {name: [ref.digest, ref.size_bytes] for name, ref in refs.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=200_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--values", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="one line of JSON after the table")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        values = open_store().values  # noqa: PD011  # no table
        refs = {
            name: ResultRef(str(found[0]), int(found[1]), values) for name, found in json.loads(given.measure).items()
        }
        print(json.dumps(read_array(refs["array"]) | turn_pages(refs["frame"])))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_HOME"], os.environ["FLOWBOOK_KEY_FILE"] = f"{folder}/home", f"{folder}/key"
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
        command = [sys.executable, __file__, "--measure", json.dumps(fill(given.bytes, given.rows))]
        rounds = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(given.rounds)
        ]
        stored = {
            f"{kind} stored, of saving them": store_many(kind, given.values, Path(folder))
            for kind in ("arrays", "frames")
        }
    table = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    for name, found in table.items():
        print(f"{name:40} {found:8.1f}{'' if 'MB' in name else ' ms'}")
    for name, share in stored.items():
        print(f"{name:40} {share:8.2f}")
    if given.json:
        print(
            json.dumps(
                {
                    "benchmark": "stored_values",
                    "unit": "ms",
                    "bytes": given.bytes,
                    "rows": given.rows,
                    **table,
                    **stored,
                }
            )
        )


if __name__ == "__main__":
    main()
