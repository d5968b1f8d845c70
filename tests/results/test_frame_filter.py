"""Which rows of a frame fit what a person typed."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, strategies

from flowbook.exceptions import DefinitionError
from flowbook.results.frame_filter import fitting_rows
from flowbook.results.frame_pager import FramePager

FRAME = pd.DataFrame(
    {
        "carrier": ["AA", "B6", None, "Aa"],
        "delay": [15.5, float("nan"), -3.0, 1300.0],
        "flights": pd.array([1, None, 3, 15], dtype="Int64"),
        "late": [True, False, True, False],
        "day": pd.to_datetime(["2026-11-20", "2026-11-21", None, "2026-11-23"], utc=True),
        "kind": pd.Categorical(["x", "y", "x", None]),
        "odd": [[1], {"a": 2}, None, "a = b"],
    }
)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("aa", [0, 3]),
        ("delay > 15", [0, 3]),
        ("delay>=1,300", [3]),
        ("delay != 15.5", [2, 3]),
        ("flights <= 3", [0, 2]),
        ("carrier = Aa", [3]),
        ("carrier != AA", [1, 3]),
        ("carrier == Aa", [3]),
        ('carrier == "Aa"', [3]),
        ("carrier != 'AA'", [1, 3]),
        ("delay == '15.5'", [0]),
        ('day >= "2026-11-21"', [1, 3]),
        ("kind = x", [0, 2]),
        ("late = True", [0, 2]),
        ("day > 2026-11-20", [1, 3]),
        ("2026-11-2", [0, 1, 3]),
        ("15", [3]),
        ("15.5", [0]),
        ("'a'", [1]),
        ("a = b", [3]),
        ("nothing", []),
    ],
)
def test_rows_fit_a_comparison_with_a_column_or_a_text_in_any_cell(query: str, rows: list[int]) -> None:
    found = fitting_rows(FRAME, list(FRAME.columns), query)

    assert list(found.nonzero()[0]) == rows


MOMENTS = [
    "2013-01-05 06:30:00",
    "2013-01-05 06:30:00.5",
    "2013-01-05 06:30:00.000000007",
    "2013-07-05 06:30:00",
    None,
    "1969-12-31 23:59:59.999999",
]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "America/St_Johns"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@given(text=strategies.text("0123456789-+:. tnam", max_size=8))
def test_a_moment_fits_what_its_text_contains(zone: str | None, unit: str, text: str) -> None:
    column = pd.Series(pd.to_datetime(MOMENTS, format="ISO8601")).astype(f"datetime64[{unit}]")
    column = column if zone is None else column.dt.tz_localize(zone)
    query = text.strip().lower()

    found = fitting_rows(pd.DataFrame({"at": column}), ["at"], text)

    assert found.tolist() == [not pd.isna(moment) and query in str(moment).lower() for moment in column]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("delays > 15", "There is no column 'delays', and no cell has the text 'delays > 15'. Did you mean 'delay'?"),
        (
            "airport = 7",
            "There is no column 'airport', and no cell has the text 'airport = 7'. Columns: carrier, delay, flights and 4 more.",
        ),
        ("delay > ", "Write a value after 'delay >'."),
        (
            "delay > soon",
            "'soon' can't be compared with column 'delay', which holds float64. Write a value of that type.",
        ),
        (
            "day < 31 November",
            "'31 November' can't be compared with column 'day', which holds datetime64[us, UTC]. Write a value of that type.",
        ),
    ],
)
def test_what_can_not_be_compared_is_refused(query: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        fitting_rows(FRAME, list(FRAME.columns), query)

    assert str(caught.value) == message


def test_pages_of_the_rows_that_fit_are_sorted_and_counted() -> None:
    pager = FramePager(pd.DataFrame({"name": ["a", "b", "c", "d"] * 60, "n": range(240)}))

    page = pager.page(100, 2, "n", descending=True, query="name != b")

    assert page["rows"] == [["c", "106"], ["a", "104"]]
    assert {key: page[key] for key in ("total", "fitting", "offset", "query")} == {
        "total": 240,
        "fitting": 180,
        "offset": 100,
        "query": "name != b",
    }
