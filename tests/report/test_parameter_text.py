"""The text of a parameter's value."""

from __future__ import annotations

import datetime as dt
import enum
from pathlib import Path

import pytest

from flowbook.report.parameter_text import parameter_text


class Grain(enum.Enum):
    HOUR = "hour"


class Shy:
    def __repr__(self) -> str:
        raise ValueError("not now")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("EWR", "EWR"),
        (40, "40"),
        (None, "None"),
        (["EWR"], "['EWR']"),
        (dt.date(2013, 6, 1), "2013-06-01"),
        (dt.datetime(2013, 6, 1, 12, 30, tzinfo=dt.UTC), "2013-06-01 12:30:00+00:00"),
        (dt.timedelta(1), "datetime.timedelta(days=1)"),
        (Grain.HOUR, "HOUR"),
        (Path("data"), "data"),
        (Shy(), "<Shy that can't be shown: ValueError>"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_value_is_shown_as_a_person_would_write_it(value: object, text: str) -> None:
    assert parameter_text(value) == text
