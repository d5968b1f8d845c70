"""Stored tables are read without running what is in them."""

import contextlib
import datetime as dt
import io

import numpy as np
import pandas as pd
import pytest

from flowbook.exceptions import DamagedValueError
from flowbook.results import serializer
from flowbook.results.frame_pager import page
from flowbook.results.inert_pickle import Noted
from flowbook.results.inert_table import _cell, read_table

N = 60_000
TABLES = {
    "mixed": pd.DataFrame(
        {
            "carrier": ["EV", None, "B6"] * 100,
            "flights": range(300),
            "late": [0.1, None, 0.3] * 100,
            "when": pd.date_range("2026-01-01", periods=300),
            "took": pd.to_timedelta(range(300), unit="s"),
            "is_on": [True, False, True] * 100,
        }
    ),
    "zones": pd.DataFrame({"at": pd.date_range("2026-03-29", periods=5, freq="h", tz="Europe/Berlin")}),
    "nullable": pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "x": pd.array([1.5, None, 3], dtype="Float64"),
            "b": pd.array([True, None, False], dtype="boolean"),
        }
    ),
    "categories": pd.DataFrame({"c": pd.Categorical(["a", "b", None, "a"], categories=["b", "a"], ordered=True)}),
    "objects": pd.DataFrame({"o": pd.Series([1, "a", None, dt.date(2026, 1, 2), 2.5], dtype=object)}),
    "many texts": pd.DataFrame({"t": pd.Series([f"name {n}" for n in range(N)], dtype=object), "n": np.arange(N)}),
    "turned": pd.DataFrame(np.arange(400_000.0).reshape(200_000, 2).T.copy().T, columns=["a", "b"]),
    "labels": pd.DataFrame({"v": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
    "levels": pd.DataFrame({"v": [1, 2, 3]}, index=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])),
    "columns of two levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="float64")}),
    "twice the same name": pd.DataFrame([[1, "a"], [2, "b"]], columns=["a", "a"]),
    "series": pd.Series([1, 2, 3], name="late"),
    "texts": pd.Series(["a", "b", None]),
    "array": np.arange(12.0).reshape(3, 4),
    "small numbers": np.array([1, 2, 3], dtype=">i2"),
}


def stored(value):
    out = io.BytesIO()
    serializer.dump(value, out)
    return memoryview(out.getvalue())


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_shown_as_it_is_shown_where_it_is_loaded(name):
    value = TABLES[name]
    shown, expected = page(read_table(stored(value))), page(value)

    for each in (shown, expected):
        del each["took_ms"]
    assert shown == expected


class Hurts:
    def __reduce__(self):
        return exec, ("raise AssertionError('it was run')",)


class Frame(pd.DataFrame):
    def __setstate__(self, state):
        raise AssertionError("it was run")


@pytest.mark.parametrize(
    "value",
    [
        Hurts(),
        [Hurts()],
        {"a": 1},
        "text",
        5,
        Frame({"a": [1]}),
        np.array([Hurts()], dtype=object)[0],
        pd.array([1, 2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_table_is_refused_and_never_run(value):
    if isinstance(value, Frame):
        assert "Frame" in repr(type(value))
    with pytest.raises(DamagedValueError):
        read_table(stored(value))


def test_objects_in_cells_are_told_by_their_class_and_never_run():
    frame = pd.DataFrame({"o": pd.Series([Hurts(), 1], dtype=object)})

    shown = page(read_table(stored(frame)))

    assert shown["rows"] == [["<exec>"], ["1"]]


@pytest.mark.parametrize("at", range(0, 1200, 37))
def test_a_damaged_table_is_refused_or_shown_and_never_run(at):
    bytes_ = bytearray(stored(TABLES["labels"]))
    bytes_[at % len(bytes_)] ^= 0xFF

    with contextlib.suppress(DamagedValueError, ValueError):
        page(read_table(memoryview(bytes_)))


def _noted(module, name, *given, state=None):
    found = type("Noted", (Noted,), {"module": module, "name": name})(*given)
    found.state = state
    return found


def _index(stop):
    return _noted("pandas", "_new_Index", _noted("pandas", "RangeIndex"), {"start": 0, "stop": stop, "step": 1})


def _frame(columns, rows, *blocks):
    made = [
        _noted("pandas", "_unpickle_block", values, _noted("builtins", "slice", *place), 1) for values, place in blocks
    ]
    return _noted("pandas", "DataFrame", state={"_mgr": _noted("pandas", "M", made, (_index(columns), _index(rows)))})


DOUBLED = ["x"]
for _ in range(60):
    DOUBLED = [DOUBLED, DOUBLED]


@pytest.mark.parametrize(
    "lie",
    [
        _frame(1, 10**9, (5, (0, 1, 1))),
        _frame(1, 10**9, ("text", (0, 1, 1))),
        _frame(10**12, 0),
        _frame(1, 1, ([1], (0, 10**9, 1))),
        _frame(1, -5, (5, (0, 1, 1))),
    ],
)
def test_a_table_whose_parts_do_not_fit_together_takes_no_memory(lie, monkeypatch):
    monkeypatch.setattr("flowbook.results.inert_table.read_inert", lambda _: lie)

    with pytest.raises(DamagedValueError):
        read_table(memoryview(b""))


@pytest.mark.parametrize("cell", [DOUBLED, {"a": DOUBLED}, ["x" * 10**6] * 1000])
def test_a_cell_whose_text_would_be_endless_is_told_by_its_class(cell):
    assert _cell(cell) == f"<{type(cell).__name__}>"
    assert _cell([1, {"a": ("b",)}]) == "[1, {'a': ('b',)}]"
