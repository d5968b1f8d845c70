"""What a frame of a million rows costs whoever looks at it: pages, sorted and filtered, and two versions compared, in ms.

python -m benchmarks.large_frames [--rows 1000000] [--rounds 5] [--json]

Ten columns: times, categories, texts, whole numbers and measures. "Next" is a page after the first of its kind. Takes half a
minute.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowbook.core.value_diff import table_diff
from flowbook.results.frame_pager import FramePager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["main"]

_DIFFER = ("changed", "added", "removed")


def main() -> None:
    """Measure, and print a line for each act."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        for act, took_ms in _round(given.rows):
            found.setdefault(act, []).append(took_ms)
    medians = {act: round(statistics.median(times), 1) for act, times in found.items()}
    if given.json:
        print(json.dumps({"benchmark": "large_frames", "rows": given.rows, "ms": medians}))
        return
    for act, took_ms in medians.items():
        print(f"{act:<34} {took_ms:>9,.1f} ms")


def _round(rows: int) -> Iterator[tuple[str, float]]:
    before, after = _versions(rows)
    pager = FramePager(before)
    yield "first page", _ms(pager.page)
    yield "next page", _ms(lambda: pager.page(500))
    yield "sorted, first", _ms(lambda: pager.page(sort="m0"))
    yield "sorted, next", _ms(lambda: pager.page(500, sort="m0"))
    yield "filtered, first", _ms(lambda: pager.page(query="m0 > 1"))
    yield "filtered, next", _ms(lambda: pager.page(500, query="m0 > 1"))
    yield "a text in any cell, first", _ms(lambda: pager.page(query="2013-01-05 1"))
    yield "a text in any cell, next", _ms(lambda: pager.page(500, query="2013-01-05 1"))
    yield "filtered and sorted, next", _ms(lambda: pager.page(500, sort="m0", query="m0 > 1"))
    yield "compared, nothing differs", _ms(lambda: table_diff(before, before.copy()))
    yield "compared by one column", _ms(lambda: table_diff(before, after, "time_hour"))
    yield "compared by three columns", _ms(lambda: table_diff(before, after, ["time_hour", "carrier", "flight"]))
    yield "compared, the key found", _ms(lambda: table_diff(before, after))
    found = table_diff(before, after, "time_hour")
    yield "difference, first page", _ms(lambda: found.page(kinds=_DIFFER))
    yield "difference, next page", _ms(lambda: found.page(500, kinds=_DIFFER))


def _versions(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a frame, and a later version of it: some cells changed, a few rows went and came."""
    random = np.random.default_rng(0)
    before = pd.DataFrame(
        {
            "time_hour": pd.date_range("2013", periods=rows, freq="s", tz="UTC"),
            "carrier": pd.Categorical(random.choice(list("ABCDEFGH"), rows)),
            "flight": random.integers(1, 5000, rows),
            "dest": random.choice(["HNL", "CMH", "SFO", "JFK"], rows).astype(object),
            "tail": [f"N{number % 4000}" for number in range(rows)],
            **{f"m{number}": random.normal(size=rows) for number in range(5)},
        }
    )
    after = before.copy()
    after.loc[::1000, "m0"] += 1
    after.loc[5::3000, "tail"] = "X"
    new = before.iloc[:50].assign(time_hour=before["time_hour"].iloc[:50] + pd.Timedelta(days=4000))
    return before, pd.concat([after.drop(index=range(100, 110)), new], ignore_index=True)


def _ms(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return (time.perf_counter() - begin) * 1000


if __name__ == "__main__":
    main()
