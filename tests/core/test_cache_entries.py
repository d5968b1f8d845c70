"""`flowbook.cache`: entries, and what differs between two of them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import flowbook
from flowbook.exceptions import (
    CacheEntryError,
    DefinitionError,
)
from tests.core.versions import HOUR, cached_entries


def test_entries_are_a_table_with_what_they_are():
    first, second = cached_entries(1, pd.DataFrame({"a": [1, 2]}))

    table = flowbook.cache.entries(flow="c", task="load")

    assert list(table["id"]) == [first, second]
    assert list(table["state"]) == ["valid", "valid"]
    assert table["value"].iloc[1] == "DataFrame, 2 × 1"
    assert flowbook.cache.entries(flow="other").empty
    assert flowbook.cache.entries(at=dt.datetime.now(dt.UTC) - HOUR).empty
    assert len(flowbook.cache.entries(at=dt.datetime.now(dt.UTC))) == 2


def test_an_entry_is_loaded_expired_and_pinned():
    first, second = cached_entries([1], [2])

    flowbook.cache.expire(first)
    flowbook.cache.pin(second)

    table = flowbook.cache.entries().set_index("id")
    assert list(table["state"]) == ["expired", "valid"]
    assert list(table["pinned"]) == [False, True]
    assert [flowbook.cache.load(first), flowbook.cache.load(second)] == [[1], [2]]
    flowbook.cache.pin(second, pinned=False)
    assert not flowbook.cache.entries()["pinned"].any()


@pytest.mark.parametrize("entry", ["nothing", "../../etc/passwd", "' OR 1=1 --", "", "\0", "é" * 500, 5, None])
def test_an_entry_that_is_not_there_is_said_by_its_id(entry):
    cached_entries(1)

    for act in (flowbook.cache.load, flowbook.cache.expire, flowbook.cache.pin):
        with pytest.raises(CacheEntryError, match="entries"):
            act(entry)
    with pytest.raises(CacheEntryError, match="entries"):
        flowbook.cache.diff(entry if isinstance(entry, str) else "x", "y")


def test_two_versions_are_compared_by_rows_cells_and_columns():
    before = pd.DataFrame({"id": [1, 2, 3], "delay": [5, 6, 7], "gate": ["a", "b", None], "old": 0})
    after = pd.DataFrame({"id": [2, 3, 4], "delay": [6, 9, 1], "gate": ["b", None, "z"], "new": 0.5})
    first, second = cached_entries(before, after)

    found = flowbook.cache.diff(first, second, key="id")

    assert list(found.added["id"]) == [4]
    assert list(found.removed["id"]) == [1]
    assert found.changed.reset_index().to_dict("records") == [{"id": 3, "column": "delay", "before": 7, "after": 9}]
    assert found.schema.to_dict("list") == {
        "column": ["old", "new"],
        "change": ["removed", "added"],
        "before": ["int64", None],
        "after": [None, "float64"],
    }
    assert (
        repr(found)
        == "<Difference: 1 rows added, 1 removed, 1 cells changed in 1 rows, 2 columns differ; matched by id>"
    )


def test_nothing_differs_between_a_frame_and_itself():
    frame = pd.DataFrame(
        {
            "n": [1.0, None],
            "t": pd.to_datetime(["2026-01-01", None], utc=True),
            "c": pd.Categorical(["x", None]),
            "o": [[1, 2], {"a": np.arange(2)}],
            "i": pd.array([1, None], dtype="Int64"),
        }
    )

    found = flowbook.cache.diff(frame, frame.copy())

    assert not found
    assert repr(found) == "<Difference: none>"
    assert not flowbook.cache.diff(3, 3)
    assert list(flowbook.cache.diff(3, 4).changed["after"]) == [4]
    assert list(flowbook.cache.diff(np.arange(3), np.array([0, 1, 5])).changed["after"]) == [5]
    assert len(flowbook.cache.diff(pd.Series([1, 2]), pd.Series([1, 2, 3])).added) == 1


def test_a_column_of_another_type_is_told_and_its_cells_are_compared_by_value():
    found = flowbook.cache.diff(pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": ["1", 2]}))

    assert list(found.schema["change"]) == ["type"]
    assert list(found.changed["after"]) == ["1"]
    pd_types = flowbook.cache.diff(
        pd.DataFrame({"c": pd.Categorical(["x", "y"])}), pd.DataFrame({"c": pd.Categorical(["x", "z"])})
    )
    assert list(pd_types.changed["after"]) == ["z"]


def test_rows_that_were_doubled_are_told_as_added():
    once = pd.DataFrame({"v": [1, 2]})

    found = flowbook.cache.diff(once, pd.concat([once, once]))

    assert list(found.added["v"]) == [1, 2]
    assert list(found.added.index) == [0, 1]
    assert (len(found.removed), len(found.changed)) == (0, 0)


def test_tables_whose_indexes_have_different_levels_share_no_row():
    flat = pd.DataFrame({"a": [1], "b": [2], "v": [3]})

    found = flowbook.cache.diff(flat, flat.set_index(["a", "b"]))

    assert (len(found.added), len(found.removed), len(found.changed)) == (1, 1, 0)
    assert list(found.schema["column"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("key", "message"), [("nope", "There is no column 'nope'"), ("a", "identify each row"), (["a", "z"], "'z'")]
)
def test_a_key_that_is_no_key_is_refused(key, message):
    frame = pd.DataFrame({"a": [1, 1], "b": [1, 2]})

    with pytest.raises(DefinitionError, match=message):
        flowbook.cache.diff(frame, frame, key=key)
    with pytest.raises(DefinitionError, match="several columns 'x'"):
        flowbook.cache.diff(pd.DataFrame([[1, 2]], columns=["x", "x"]), frame)
