from __future__ import annotations

import datetime as dt
from enum import Enum

from flowbook import DateTimeParameter, Parameter
from flowbook.core.typed_parameters import read_as_defaults


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
