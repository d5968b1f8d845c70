from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from flowbook.exceptions import ParameterError
from flowbook.flow_run.typed_text import read_like
from flowbook.report.parameter_text import written


class Level(Enum):
    LOW = 1
    HIGH = 2


class Size(IntEnum):
    NONE = 0
    ALL = 1


class Code(str, Enum):  # noqa: UP042  # is shown otherwise than a StrEnum
    JFK = "20"
    EWR = "b"


class Access(Flag):
    READ = 1
    WRITE = 2
    BOTH = 3
    DELETE = 4


class Bits(IntFlag):
    LOW = 1
    HIGH = 2


class Shy(Enum):
    A = 1
    B = 2

    def __repr__(self):
        raise RuntimeError

    __str__ = __repr__


DAY = dt.date(2026, 1, 28)
MIDNIGHT = dt.datetime.fromisoformat("2026-01-02")
NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
BERLIN = ZoneInfo("Europe/Berlin")
KEY = UUID("12345678123456781234567812345678")


@pytest.mark.parametrize(
    ("like", "text", "value"),
    [
        (DAY, "2026-02-01", dt.date(2026, 2, 1)),
        (DAY, "'2026-02-01'", dt.date(2026, 2, 1)),
        (DAY, "datetime.date(2026, 2, 1)", dt.date(2026, 2, 1)),
        (
            dt.datetime.fromisoformat("2026-01-02T03:04"),
            "2026-02-01 12:30",
            dt.datetime.fromisoformat("2026-02-01T12:30"),
        ),
        (MIDNIGHT, "datetime.datetime(2026, 2, 1, 0, 0)", MIDNIGHT.replace(month=2, day=1)),
        (NOON, "2026-02-01 12:30", NOON.replace(month=2, day=1, minute=30)),
        (NOON, "2026-02-01T12:30+02:00", dt.datetime.fromisoformat("2026-02-01T12:30+02:00")),
        (NOON, repr(NOON), NOON),
        (NOON, f"{NOON.astimezone(BERLIN)!r}", NOON.astimezone(BERLIN)),
        (dt.time(8), "09:30", dt.time(9, 30)),
        (DAY, "None", None),
        (dt.timedelta(1), "datetime.timedelta(days=2, seconds=5)", dt.timedelta(2, 5)),
        (Decimal("1.5"), "2.75", Decimal("2.75")),
        (Decimal("1.5"), "Decimal('2.75')", Decimal("2.75")),
        (Path("data"), "other/data", Path("other/data")),
        (Path("data"), f"{Path('x')!r}", Path("x")),
        (KEY, str(KEY), KEY),
        (Level.LOW, "HIGH", Level.HIGH),
        (Level.LOW, "Level.HIGH", Level.HIGH),
        (Level.LOW, "<Level.HIGH: 2>", Level.HIGH),
        (Level.LOW, "2", Level.HIGH),
        (Size.ALL, "NONE", Size.NONE),
        (Code.EWR, "20", Code.JFK),
        (Access.READ, "BOTH", Access.BOTH),
        (Access.READ, "READ|DELETE", Access.READ | Access.DELETE),
        (Access.READ, "Access.READ | Access.DELETE", Access.READ | Access.DELETE),
        (Access.READ, "<Access.READ|DELETE: 5>", Access.READ | Access.DELETE),
        (Access.READ, "0", Access(0)),
        (Bits.LOW, "3", Bits.LOW | Bits.HIGH),
        (pd.Timestamp("2026-01-02"), "2026-02-01 12:30:00.123456789", pd.Timestamp("2026-02-01 12:30:00.123456789")),
        (pd.NaT, "2026-02-01", "2026-02-01"),
        (["EWR"], "['JFK', None]", ["JFK", None]),
        (["EWR"], '["JFK", null]', ["JFK", None]),
        (["EWR"], "None", None),
        ((1, 2), "(3, 4)", (3, 4)),
        ((1, 2), "[3, 4]", (3, 4)),
        ({"a"}, "{'b'}", {"b"}),
        ({"n": 1}, '{"n": true}', {"n": True}),
        (None, "JFK", "JFK"),
        (None, " a text ", " a text "),
        ("{}", '{"n": null}', '{"n": null}'),
        ("JFK", "20", 20),
        (None, " 7 ", 7),
        (None, "7", 7),
        (None, '["JFK", true]', ["JFK", True]),
        (2.5, "3.5", 3.5),
        (True, "false", False),
        (False, " TRUE ", True),
        (True, "0", 0),
        (True, "None", None),
    ],
)
def test_a_text_becomes_a_value_of_the_kind_of_the_default(like, text, value):
    found = read_like("x", text, like)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("like", "text", "message"),
    [
        (DAY, "tomorrow", "day is a date, and 'tomorrow' isn't. Write e.g. 2026-01-28."),
        (DAY, "date.today()", "day is a date, and 'date.today()' isn't. Write e.g. 2026-01-28."),
        (
            DAY,
            "datetime.date(2026, 2, 30)",
            "day is a date, and 'datetime.date(2026, 2, 30)' isn't. Write e.g. 2026-01-28.",
        ),
        (dt.timedelta(1), "soon", "day is a timedelta, and 'soon' isn't. Write e.g. timedelta(days=1)."),
        (Decimal("1.5"), "much", "day is a Decimal, and 'much' isn't. Write e.g. 1.5."),
        (Level.LOW, "MIDDLE", "day is a Level, and 'MIDDLE' isn't. It is one of LOW, HIGH."),
        (["EWR"], "JFK", """day is a list, and 'JFK' isn't. Write e.g. ["JFK", "EWR"]."""),
        (
            Access.READ,
            "READ|MORE",
            "day is an Access, and 'READ|MORE' isn't. It is one of READ, WRITE, BOTH, DELETE, or several, as in READ|WRITE.",
        ),
        (
            Access.READ,
            "8",
            "day is an Access, and '8' isn't. It is one of READ, WRITE, BOTH, DELETE, or several, as in READ|WRITE.",
        ),
        (True, "no", "day is a bool, and 'no' isn't. Write True or False."),
        ({"a"}, "[[1]]", """day is a set, and '[[1]]' isn't. Write e.g. ["JFK", "EWR"]."""),
        ({"n": 1}, "[1]", """day is a dict, and '[1]' isn't. Write e.g. {"n": 1}."""),
    ],
)
def test_a_text_of_another_kind_is_refused_with_an_example(like, text, message):
    with pytest.raises(ParameterError) as refused:
        read_like("day", text, like)

    assert str(refused.value) == message
    assert refused.value.names == ["day"]


def test_a_member_that_cannot_be_shown_is_read_by_its_name_or_value():
    found = [read_like("x", text, Shy.A)._name_ for text in ("B", "Shy.B", "2")]
    with pytest.raises(ParameterError) as refused:
        read_like("day", "C", Shy.A)

    assert found == ["B", "B", "B"]
    assert str(refused.value) == "day is a Shy, and 'C' isn't. It is one of A, B."


def test_a_message_shows_nothing_of_what_sounds_secret():
    with pytest.raises(ParameterError) as refused:
        read_like("api_token", "hunter2", KEY)
    with pytest.raises(ParameterError) as url:
        read_like("day", "postgresql://ana:hunter2@db", DAY)

    assert str(refused.value) == "api_token is a UUID, and what was typed isn't."
    assert "hunter2" not in f"{url.value}{url.value.details}{refused.value.details}"


@pytest.mark.parametrize(
    "value",
    [
        DAY,
        NOON,
        dt.time(8),
        dt.timedelta(1),
        Decimal("1.5"),
        Path("data"),
        KEY,
        Level.HIGH,
        Access.READ | Access.DELETE,
    ],
)
def test_what_a_value_is_written_as_is_read_as_that_value(value):
    assert read_like("x", written(value), value) == value


@pytest.mark.parametrize("value", [1, "JFK", [DAY], None, object(), pd.NaT])
def test_a_value_with_a_literal_or_no_text_is_written_as_nothing(value):
    assert written(value) == ""
