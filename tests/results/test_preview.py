from __future__ import annotations

import json
import math
import statistics
import time
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flowbook.exceptions import DefinitionError
from flowbook.results.frame_pager import FramePager, page
from flowbook.results.preview import describe, format_size
from tests.pace import slowness


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


def cells(values: Any) -> list[str | None]:
    return [row[0] for row in page(pd.DataFrame({"x": values}))["rows"]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1326, -4, 0], ["1,326", "\u22124", "0"]),
        ([1.5, None, -1234.25], ["1.50", None, "\u22121,234.25"]),
        ([2.0, 1326.0], ["2", "1,326"]),
        ([1 / 3, 2 / 3], ["0.3333", "0.6667"]),
        ([1234.56789, 0.1], ["1,234.6", "0.1"]),
        ([math.inf, -math.inf, 1.0], ["∞", "\u2212∞", "1"]),
        ([1e-12, -3.0], ["1.000e\u221212", "\u22123.000e+00"]),
        ([-0.0, 0.001], ["0.000", "0.001"]),
        ([True, False], ["True", "False"]),
        (["a", None], ["a", None]),
        (["x" * 300], ["x" * 199 + "…"]),
        (pd.to_datetime(["2013-01-01", None]), ["2013-01-01", None]),
        (pd.to_datetime(["2013-01-01 05:00"]), ["2013-01-01 05:00:00"]),
        (pd.array([1, None], dtype="Int64"), ["1", None]),
        (pd.Categorical(["b", None]), ["b", None]),
        ([[1], {"a": 2}], ["[1]", "{'a': 2}"]),
        ([Rude()], ["<Rude: its str raised RuntimeError>"]),
    ],
)
def test_cells_are_written_for_people(values: Any, expected: list[str | None]) -> None:
    assert cells(values) == expected


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([6, 7, 7, 9], [0.5, 1.0, 0.0, 0.5]),
        ([6.0, None, 8.0], [1.0, 0.0, 1.0]),
        ([2013, 2013], [1.0]),
        ([1, 12], [1.0, *[0.0] * 10, 1.0]),
        ([0, 6.5], [1.0, *[0.0] * 10, 1.0]),
        ([10**18, 10**18], None),
        (pd.to_datetime(["2026-11-20"] * 2), None),
    ],
)
def test_few_whole_numbers_have_a_bar_each(values: Any, bars: list[float] | None) -> None:
    assert page(pd.DataFrame({"a": values}))["columns"][0]["spark"] == bars


def test_a_page_is_what_the_wire_says() -> None:
    frame = pd.DataFrame({"flights": [94, 4983], "to": ["JFK", None]}, index=["a", "b"])

    shown = page(frame)

    assert shown.pop("took_ms") >= 0
    assert shown == {
        "columns": [
            {
                "name": "flights",
                "dtype": "int64",
                "numeric": True,
                "summary": "94 … 4,983",
                "spark": [1.0, *[0.0] * 10, 1.0],
            },
            {"name": "to", "dtype": str(frame["to"].dtype), "numeric": False, "summary": "1 missing", "spark": [1.0]},
        ],
        "index": ["a", "b"],
        "rows": [["94", "JFK"], ["4,983", None]],
        "offset": 0,
        "total": 2,
        "columns_total": 2,
        "sort": None,
        "descending": False,
        "query": "",
        "fitting": 2,
    }


def test_a_page_has_at_most_100_rows_and_24_columns() -> None:
    shown = page(pd.DataFrame(np.zeros((500, 40))), offset=450, limit=1000)

    assert (len(shown["rows"]), len(shown["rows"][0]), shown["total"], shown["columns_total"]) == (50, 24, 500, 40)
    assert page(pd.DataFrame({"a": range(5)}), offset=99)["rows"] == []
    assert page(pd.DataFrame({"a": range(5)}), offset=-3, limit=2)["rows"] == [["0"], ["1"]]


@pytest.mark.parametrize(
    ("values", "descending", "expected"),
    [
        ([3.0, None, 1.0], False, ["1", "3", None]),
        ([3.0, None, 1.0], True, ["3", "1", None]),
        (["b", "a", None], True, ["b", "a", None]),
        ([2, "a", 1], False, ["1", "2", "a"]),
    ],
)
def test_sorting_puts_missing_values_last(values: Any, descending: bool, expected: list[str | None]) -> None:
    shown = page(pd.DataFrame({"x": values}), sort="x", descending=descending)

    assert [row[0] for row in shown["rows"]] == expected
    assert (shown["sort"], shown["descending"]) == ("x", descending)


def test_an_unknown_column_to_sort_by_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"There is no column 'y' to sort by\. Shown are: x"):
        page(pd.DataFrame({"x": [1]}), sort="y")


def test_what_has_no_rows_has_no_pages() -> None:
    with pytest.raises(DefinitionError, match="A dict has no rows to show"):
        page({"a": 1})


@pytest.mark.parametrize(
    "value", [pd.Series([1, 2], name="s"), np.array([1, 2]), np.array([[1], [2]])], ids=["series", "1d", "2d"]
)
def test_series_and_arrays_have_pages_too(value: Any) -> None:
    assert page(value)["rows"] == [["1"], ["2"]]


def test_pages_of_a_million_rows_turn_within_50_ms_after_the_first() -> None:
    rows = 1_000_000
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"i": np.arange(rows), "f": generator.random(rows), "s": generator.choice(["a", "b", None], rows)}
    )
    pager = FramePager(frame)
    pager.page()
    pager.page(sort="f")

    times = []
    for offset in (0, 500_000, 999_900):
        begin = time.process_time()
        pager.page(offset, sort="f")
        pager.page(offset)
        times.append((time.process_time() - begin) / 2)

    assert statistics.median(times) < 0.05 * slowness()


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "x" * 10_000,
        b"x",
        [1] * 100_000,
        {"a": Rude()},
        Rude(),
        Rude,
        object(),
        np.array(3),
        np.zeros((2, 3, 4)),
        np.zeros((0, 3)),
        pd.DataFrame(),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": [Rude()]}),
        pd.DataFrame({("a", "b"): [1]}),
        pd.Series([1 + 2j]),
        pd.Series([pd.Timedelta(1)]),
        pd.Series(pd.period_range("2026", periods=2)),
        pd.Series(pd.interval_range(0, 2)),
        np.array([("a", 1)], dtype=[("n", "U1"), ("x", "i4")]),
        pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([("x", 1)])),
        pd.DataFrame({"x": pd.array([1.5, None], dtype="Float64")}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_preview_is_small_plain_json_whatever_the_value(value: Any) -> None:
    preview = describe(value)

    assert json.loads(json.dumps(preview, allow_nan=False)) == preview
    assert set(preview) == {"kind", "type", "text", "shape", "size_bytes", "page", "repr", "body"}
    assert len(preview["repr"]) <= 2000
    assert len(preview["text"]) <= 200
    if preview["kind"] not in {"text", "tree"}:
        assert preview["page"] is not None, preview["repr"]


def test_a_frames_preview_says_kind_type_shape_and_size() -> None:
    preview = describe(pd.DataFrame({"a": [1.0] * 10}))

    assert {name: preview[name] for name in ("kind", "type", "text", "shape")} == {
        "kind": "frame",
        "type": "pandas.DataFrame",
        "text": "DataFrame, 10 \u00d7 1",
        "shape": [10, 1],
    }
    assert preview["size_bytes"] >= 80


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (41_200_000, "41.2 MB"),
        (999_960, "1.0 MB"),
        (3_200_000_000_000, "3.2 TB"),
    ],
)
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    "value", [np.zeros(5_000_000), np.zeros((1_000_000, 5)), pd.DataFrame({"a": np.zeros(5_000_000)})]
)
def test_a_preview_of_a_large_value_takes_little_memory(value: Any) -> None:
    describe(value[:10])
    tracemalloc.start()

    describe(value)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"n": np.arange(300_000), "w": ["a", "b", "c"] * 100_000}),
        pd.DataFrame({"n": np.arange(300_000), "w": np.array(["a", "b", "c"] * 100_000, object)}),
    ],
    ids=["text", "object"],
)
def test_more_than_100_000_rows_are_sampled_and_the_summary_says_so(value: pd.DataFrame) -> None:
    found = describe(value)["page"]

    assert [column["summary"] for column in found["columns"]] == ["0 … 299,999, sampled", "3 values, sampled"]
    assert found["rows"] == page(value)["rows"]
    assert found["columns"] == page(value, 100)["columns"]
    assert (found["total"], found["offset"], found["sort"]) == (300_000, 0, None)


def test_a_long_array_is_shown_without_a_copy_of_it() -> None:
    found = describe(np.array([f"row {number}" for number in range(200_000)]))["page"]

    assert (found["rows"][:2], found["total"], len(found["rows"])) == ([["row 0"], ["row 1"]], 200_000, 100)


@pytest.mark.parametrize(
    "value",
    [
        bytearray(10**8),
        {i: i for i in range(20_000)}.keys(),
        type("Own", (dict,), {})(zip(range(20_000), range(20_000), strict=True)),
    ],
)
def test_the_repr_of_a_long_collection_is_not_asked_for(value: Any) -> None:
    assert len(describe(value)["repr"]) < 10_100
