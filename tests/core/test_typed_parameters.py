from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from pathlib import Path

from flowbook import DateTimeParameter, Parameter
from flowbook.core.typed_parameters import read_as_defaults
from flowbook.flow_run.decision import TypedText


class Level(Enum):
    LOW = 1
    HIGH = 2


DAY = dt.date(2026, 1, 28)
MIDNIGHT = dt.datetime.fromisoformat("2026-01-02")


def test_texts_are_read_where_a_default_has_no_literal():
    parameters = [
        Parameter("day", default=DAY),
        Parameter("level", default=Level.LOW),
        Parameter("origins", default=["EWR"]),
        DateTimeParameter("at", default=MIDNIGHT),
        Parameter("month", default=1),
        Parameter("other"),
    ]
    given = {"level": "HIGH", "origins": "JFK", "at": "2026-02-01", "month": "May", "other": "2026-02-01", "new": "x"}

    assert read_as_defaults(parameters, {"day": "2026-02-01", **given}) == {
        "day": dt.date(2026, 2, 1),
        **given,
        "level": Level.HIGH,
    }
    assert read_as_defaults(parameters, {"day": DAY}) == {"day": DAY}


def test_what_was_typed_is_read_as_the_default_whatever_literal_it_is():
    parameters = [
        Parameter("level", default=Level.LOW),
        Parameter("folder", default=Path("data")),
        Parameter("price", default=Decimal("1.5")),
        Parameter("pair", default=(1, 2)),
        DateTimeParameter("at", default=MIDNIGHT),
        Parameter("month", default=1),
        Parameter("other"),
    ]
    typed = {
        "level": "2", "folder": "2024", "price": "2.5", "pair": "[3, 4]", "at": "2026-02-01", "month": "8",
        "other": "[1, 2]", "new": "x",
    }  # fmt: skip

    found = read_as_defaults(parameters, {name: TypedText(text) for name, text in typed.items()})

    assert found == {
        "level": Level.HIGH, "folder": Path("2024"), "price": Decimal("2.5"), "pair": (3, 4), "at": "2026-02-01", "month": 8,
        "other": [1, 2], "new": "x",
    }  # fmt: skip
    assert not any(isinstance(each, TypedText) for each in found.values())
