"""What differs between two tables: rows, cells, columns; which rows belong together; and pages of it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.core.value_diff import compare, table_diff
from flowbook.exceptions import DefinitionError
from flowbook.results.table_diff import TableDiff, match

BEFORE = pd.DataFrame(
    {
        "carrier": ["B6", "MQ", "9E", "OO", "UA"],
        "flights": np.array([41_666, 6_811, 13_704, 29, 4_478], dtype="int32"),
        "delay": [8.89, 12.31, 8.79, 11.93, None],
        "worst": 1.0,
    }
)
AFTER = pd.DataFrame(
    {
        "carrier": ["B6", "MQ", "9E", "EV", "UA"],
        "flights": [41_666, 6_838, 13_742, 1_326, 4_478],
        "delay": [8.89, 12.47, 8.79, 17.79, 2.5],
        "late": [0.26, 0.27, 0.26, 0.27, 0.22],
    }
)


def shown(found: TableDiff, **request: object) -> list[tuple[str, list[object]]]:
    return [(row["sign"], row["cells"]) for row in found.page(**request)["rows"]]


def test_a_page_shows_the_rows_of_both_with_what_was_what_is_and_by_how_much():
    found = table_diff(BEFORE, AFTER, "carrier")

    page = found.page()
    assert shown(found) == [
        ("=", ["B6", "41,666", "8.89", "0.26", "1"]),
        ("~", ["MQ", ["6,811", "6,838", "+27, +0.4 %"], ["12.31", "12.47", "+0.16, +1.3 %"], "0.27", "1"]),
        ("~", ["9E", ["13,704", "13,742", "+38, +0.3 %"], "8.79", "0.26", "1"]),
        ("-", ["OO", "29", "11.93", None, "1"]),
        ("+", ["EV", "1,326", "17.79", "0.27", None]),
        ("~", ["UA", "4,478", [None, "2.50", None], "0.22", "1"]),
    ]
    assert page["counts"] == {"same": 1, "changed": 3, "added": 1, "removed": 1}
    assert page["cells"] == {"changed": 4, "total": 8, "most": pytest.approx(0.013, abs=1e-4)}
    assert [(each["name"], each["change"], each["was"], each["cells"]) for each in page["columns"]] == [
        ("carrier", "key", None, 0),
        ("flights", "changed", "int32", 2),
        ("delay", "changed", None, 2),
        ("late", "added", None, 0),
        ("worst", "removed", None, 0),
    ]
    assert page["schema"] == [
        {"name": "flights", "before": "int32", "after": "int64"},
        {"name": "late", "before": None, "after": "float64"},
        {"name": "worst", "before": "float64", "after": None},
    ]


def test_a_page_holds_the_kinds_that_are_asked_for_and_says_where_the_next_change_is():
    found = table_diff(BEFORE, AFTER, "carrier")

    only = found.page(kinds=("changed",))
    assert [row["sign"] for row in only["rows"]] == ["~", "~", "~"]
    assert (only["total"], only["next"]) == (3, None)
    assert (found.page(limit=1)["next"], found.page(2, limit=1)["next"]) == (1, 3)
    assert found.page(offset=99)["rows"] == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda table: table.iloc[::-1].reset_index(drop=True), ("id",)),
        (lambda table: table.iloc[3:].reset_index(drop=True), ("id",)),
        (lambda table: table.assign(value=table["value"] + (table.index == 5)), ()),
        (lambda table: table.assign(id=range(100, 120)), ()),
        (lambda table: table.iloc[::-1], ()),
    ],
)
def test_rows_are_matched_by_a_key_where_less_differs_by_it_than_by_the_index(change, key):
    table = pd.DataFrame({"id": range(20), "value": np.arange(20.0) % 7, "text": [f"t{n % 5}" for n in range(20)]})

    assert match(table, change(table)).key == key


def test_several_columns_are_found_to_be_the_key_together():
    table = pd.DataFrame({"x": 0.5, "day": np.repeat(["mon", "tue", "wed"], 4), "hour": np.tile(range(4), 3)})
    later = table.iloc[2:].sample(frac=1, random_state=0).reset_index(drop=True)

    assert match(table, later).key == ("day", "hour")
    assert table_diff(table, later).counts == (10, 0, 0, 2)


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        (pd.Series([1, 2, 3]), pd.Series([1.0, 2.5, 3.0]), [False, True, False]),
        (pd.Series([1.0, None, None]), pd.Series([None, None, 1.0]), [True, False, True]),
        (pd.Series(["a", None, "c"]), pd.Series(["a", None, "d"]), [False, False, True]),
        (pd.Series(["a", None], dtype=object), pd.Series(["b", "c"], dtype=object), [True, True]),
        (pd.Series([1, None], dtype="Int64"), pd.Series([2, None], dtype="Int64"), [True, False]),
        (pd.Series(["a", "b"], dtype="category"), pd.Series(["a", "c"], dtype="category"), [False, True]),
        (pd.Series(["a", None], dtype="category"), pd.Series(["a", None], dtype="category"), [False, False]),
        (
            pd.Series(pd.to_datetime(["2026-01-01", None], utc=True)),
            pd.Series(pd.to_datetime(["2026-01-02", None], utc=True)),
            [True, False],
        ),
        (pd.Series([[1], {"a": np.arange(2)}]), pd.Series([[1], {"a": np.arange(3)}]), [False, True]),
        (pd.Series([True, False]), pd.Series([True, True]), [False, True]),
        (pd.Series(["1", "2"]), pd.Series([1, 2]), [True, True]),
    ],
)
def test_cells_of_every_type_are_compared_by_value_and_missing_ones_are_alike(old, new, differs):
    found = table_diff(old.to_frame("x"), new.to_frame("x"), None)

    mask = found.changed_in.get("x", np.zeros(len(old), dtype=bool))
    assert mask.tolist() == differs


def test_times_differ_by_a_length_of_time():
    first, second = (pd.DataFrame({"at": [dt.datetime(2026, 1, day, tzinfo=dt.UTC)]}) for day in (1, 3))

    assert shown(table_diff(first, second)) == [("~", [["2026-01-01", "2026-01-03", "+2 days"]])]


def test_dicts_objects_and_nested_lists_are_compared_leaf_by_leaf():
    before = {"model": {"depth": 3, "names": ["a", "b"]}, "seed": 1, "at": np.arange(3)}
    after = {"model": {"depth": 4, "names": ["a", "b", "c"]}, "at": np.arange(3), "new key": None}

    found = compare(before, after)

    assert found.changed["before"].to_dict() == {"model.depth": 3}
    assert found.added["path"].tolist() == ["model.names[2]", "['new key']"]
    assert found.removed["path"].tolist() == ["seed"]


def test_texts_are_compared_line_by_line_and_lists_item_by_item():
    assert shown(table_diff("one\ntwo\nthree\n", "one\n2\nthree\nfour\n")) == [
        ("=", ["one"]),
        ("~", [["two", "2", None]]),
        ("=", ["three"]),
        ("+", ["four"]),
    ]
    assert shown(table_diff([1, 2, 3], [2, 3])) == [("-", ["1"]), ("=", ["2"]), ("=", ["3"])]


def test_a_value_that_refers_to_itself_is_compared_all_the_same():
    before: dict[str, object] = {"a": 1}
    before["me"] = before
    after: dict[str, object] = {"a": 2}
    after["me"] = after

    assert "a" in compare(before, after).changed.index


def test_what_is_no_table_is_compared_as_a_whole():
    found = compare(3, "3")

    assert (len(found.changed), repr(found.key)) == (1, "()")
    assert not compare(None, None)
    assert not compare(len, len)


def test_a_column_of_the_key_that_is_missing_or_no_key_is_refused():
    with pytest.raises(DefinitionError, match="There is no column 'nope'"):
        table_diff(BEFORE, AFTER, "nope")
    with pytest.raises(DefinitionError, match=r"Key \['worst'\] doesn't identify each row: 1.0 occurs several times"):
        table_diff(BEFORE, BEFORE, "worst")


def test_a_difference_shows_itself_in_a_notebook_without_a_script():
    hostile = "<script>alert(1)</script>"
    found = compare(BEFORE.assign(carrier=hostile), AFTER.assign(carrier="x", **{hostile: 1}))

    html = found._repr_html_()
    assert hostile not in html
    assert "<b>6,838</b>" in html
    assert repr(found).startswith("<Difference: 0 rows added, 0 removed")
    assert compare(BEFORE, BEFORE)._repr_html_() == (
        "<div data-flowbook='difference'><p style='margin:4px 0'><b>Nothing differs in 5 rows.</b></p></div>"
    )


ROWS = st.dictionaries(st.integers(0, 30), st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None])), max_size=12)


def _table(rows: dict[int, tuple[int, str | None]]) -> pd.DataFrame:
    columns = {
        "id": list(rows),
        "n": [n for n, _ in rows.values()],
        "s": pd.Series([s for _, s in rows.values()], dtype=object),
    }
    return pd.DataFrame(columns)


@given(before=ROWS, after=ROWS)
def test_the_first_table_with_all_that_differs_applied_is_the_second(before, after):
    found = compare(_table(before), _table(after), key="id")

    made = {key: list(row) for key, row in before.items()}
    for key in found.removed["id"]:
        del made[key]
    for key, column, now in zip(found.changed.index, found.changed["column"], found.changed["after"], strict=True):
        made[key][0 if column == "n" else 1] = now
    made |= {row.id: [row.n, row.s] for row in found.added.itertuples()}
    expected = {key: [n, s] for key, (n, s) in after.items()}
    assert {key: [n, None if pd.isna(s) else s] for key, (n, s) in made.items()} == expected
    assert sum(found._table.counts) == len(set(before) | set(after))
