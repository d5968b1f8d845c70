"""Kinds of stored values by their previews, for a process that loads none of them."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from pathlib import Path
from uuid import UUID

import pandas as pd
import pytest

from flowbook.exceptions import ParameterError
from flowbook.flow_run.decision import TypedText
from flowbook.flow_run.kind_by_preview import like_of, typed_if_like, written_of
from flowbook.flow_run.typed_text import read_like
from flowbook.results.preview import describe


class Level(Enum):
    LOW = dt.timedelta(1)
    HIGH = "high"


class Size(IntEnum):
    NONE = 0
    ALL = 1


class Origin(StrEnum):
    JFK = "jfk"
    EWR = "ewr"


class Code(str, Enum):  # noqa: UP042  # is shown otherwise than a StrEnum
    JFK = "20"


class Access(Flag):
    READ = 1
    WRITE = 2


class Own:
    def __repr__(self):
        return "Level.HIGH"


NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NOON.date(), "2026-01-02"),
        (NOON, "2026-01-02 12:00:00+00:00"),
        (NOON.time(), "12:00:00"),
        (dt.timedelta(2, 5), "datetime.timedelta(days=2, seconds=5)"),
        (pd.Timestamp(NOON), "2026-01-02 12:00:00+0000"),
        (pd.Timestamp("2026-01-02 03:04:05.000000006"), "2026-01-02 03:04:05.000000006"),
        (pd.Timestamp("2026-01-02", tz="Europe/Berlin"), "2026-01-02 00:00:00+0100"),
        (Decimal("2.50"), "2.50"),
        (Path("data/new"), str(Path("data/new"))),
        (UUID(int=7), str(UUID(int=7))),
        (Level.LOW, "LOW"),
        (Level.HIGH, "HIGH"),
        (Size.ALL, "ALL"),
        (Origin.JFK, "JFK"),
        (Code.JFK, "JFK"),
        (Access.READ, "READ"),
        (Access.READ | Access.WRITE, "READ|WRITE"),
        (Access(0), ""),
        (re.DOTALL, "DOTALL"),
        (re.DOTALL | re.VERBOSE, ""),
        (7, ""),
        ([NOON], ""),
        (Own(), ""),
    ],
)
def test_a_value_is_written_by_its_preview(value, text):
    assert written_of(describe(value)) == text


def test_what_is_typed_is_checked_by_a_preview():
    level, day, pair = (like_of(describe(each)) for each in (Level.LOW, NOON.date(), (1, 2)))

    assert [read_like("x", text, level).name for text in ("HIGH", "Level.HIGH", "high", "<Level.HIGH: 'high'>")] == [
        "HIGH"
    ] * 4
    assert read_like("x", "[3, 4]", pair) == (3, 4)
    for text in ("Timestamp('2026-02-01', tz='Europe/Berlin')", "2026-02-01 10:00:00.000000006"):
        assert read_like("x", text, like_of(describe(pd.Timestamp(NOON)))).date() == dt.date(2026, 2, 1)
    assert read_like("x", "READ|WRITE", like_of(describe(Access.READ))).name == "READ|WRITE"
    assert [read_like("x", "false", like_of(describe(each))) for each in (True, False, 1)] == [False, False, "false"]
    for like, message in (
        (like_of(describe(value=True)), "x is a bool, and 'MIDDLE' isn't. Write True or False."),
        (level, "x is a Level, and 'MIDDLE' isn't. It is one of LOW, HIGH."),
        (day, "x is a date, and 'MIDDLE' isn't. Write e.g. 2026-01-02."),
        (
            like_of(describe(pd.Timestamp(NOON))),
            "x is a Timestamp, and 'MIDDLE' isn't. Write e.g. 2026-01-02 12:00:00+00:00.",
        ),
        (like_of(describe(Path("a"))), None),
    ):
        if message is None:
            assert read_like("x", "MIDDLE", like).name == "MIDDLE"
            continue
        with pytest.raises(ParameterError) as refused:
            read_like("x", "MIDDLE", like)
        assert str(refused.value) == message


@pytest.mark.parametrize(
    "preview", [None, {}, {"type": "datetime.date"}, {"type": "E", "repr": "", "members": {"_x_": "1"}}]
)
def test_a_preview_that_says_little_is_no_error(preview):
    assert written_of(preview) == ""


@pytest.mark.parametrize(
    ("value", "before", "text"),
    [
        ("2026-02-01", NOON.date(), "2026-02-01"),
        (2.5, Decimal(1), "2.5"),
        (1, Size.NONE, "1"),
        (["a", None], ("b", 1), '["a", null]'),
    ],
)
def test_json_stands_for_a_value_that_json_does_not_have(value, before, text):
    found = typed_if_like(value, describe(before))

    assert (found, type(found)) == (text, TypedText)


@pytest.mark.parametrize(
    ("value", "before"),
    [("20", 15), ("b", "a"), (None, NOON), (True, Size.NONE), ([1], [2]), ({"a": 1}, (1,)), ("x", Own())],
)
def test_other_json_is_what_it_is(value, before):
    found = typed_if_like(value, describe(before))

    assert (found, type(found)) == (value, type(value))
