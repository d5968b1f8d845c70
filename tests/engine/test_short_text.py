"""Values in a few characters, for people."""

import datetime as dt
import enum
import re
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pandas as pd
import pytest

from flowbook.engine.short_text import short_text


class Level(enum.Enum):
    LOW = 1
    name_that_is_too_long_to_be_shown_to_anybody = 2


class Own(dt.date):
    def __str__(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("JFK", "'JFK'"),
        (2.5, "2.5"),
        (None, "None"),
        (dt.date(2026, 1, 28), "2026-01-28"),
        (dt.datetime(2026, 1, 28, 12, tzinfo=dt.UTC), "2026-01-28 12:00:00+00:00"),
        (dt.time(8), "08:00:00"),
        (dt.timedelta(days=1), "timedelta(days=1)"),
        (pd.Timestamp("2026-01-28"), "2026-01-28 00:00:00"),
        (Decimal("1.50"), "1.50"),
        (Path("data"), "data"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Level.LOW, "LOW"),
        (re.DOTALL, "DOTALL"),
        (["JFK", None], "['JFK', None]"),
        ((1, 2), "(1, 2)"),
        ({"n": 1}, "{'n': 1}"),
    ],
)
def test_what_is_short_is_told(value, text):
    assert short_text(value) == text


@pytest.mark.parametrize(
    "value",
    [
        "J" * 41,
        pytest.param(10**5000, id="an int of many digits"),
        Path("data" * 20),
        Level.name_that_is_too_long_to_be_shown_to_anybody,
        Own(2026, 1, 28),
        [["JFK"]],
        list(range(11)),
        pytest.param(["J" * 1_000_000], id="a long text in a list"),
        pd.DataFrame({"a": [1]}),
        object(),
    ],
)
def test_what_is_long_or_of_the_users_own_is_not(value):
    assert short_text(value) is None
