"""Inputs that a person typed for a task that waits: read as the kind of what they replace, wherever the run is."""

from __future__ import annotations

import datetime as dt
from enum import Enum
from pathlib import Path

import pytest

from flowbook import Flow, task, triggers
from flowbook.engine.state import Paused
from flowbook.exceptions import ParameterError, StartTaskError
from flowbook.flow_run.decision import TypedText
from tests.flow_run.test_answers import GATE, PLACES, gate, waiting

LONG_S = 30


class Level(Enum):
    LOW = 1
    HIGH = 2


DAY = dt.date(2026, 1, 28)
FLIGHTS = Path("data/flights")


@task
def load():
    return DAY, FLIGHTS


@task
def first(pair):
    return pair[0]


@task(trigger=triggers.manual_only)
def approve(day, path, level, pair, number, text, until=DAY):  # noqa: PLR0913  # one of each kind
    return [day, path, level, pair, number, text, until]


def approval(*, is_live):
    with Flow("typed") as flow:
        if is_live:
            gate()
        approve(first(load()), FLIGHTS, Level.LOW, (1, 2), 15, "JFK")
    return flow


@pytest.mark.parametrize("place", PLACES)
def test_a_text_that_was_typed_is_read_as_what_the_task_waits_with(place):
    typed = {"day": "2026-02-01", "path": "data/new", "level": "HIGH", "pair": "[3, 4]", "number": "20", "text": "EWR"}

    with waiting(approval(is_live=place in {"here", "elsewhere"}), place) as run:
        run.resume("approve", inputs={name: TypedText(text) for name, text in {**typed, "until": "2026-03-01"}.items()})
        GATE.set()
        run.wait(LONG_S)

    assert run["approve"].result == [
        dt.date(2026, 2, 1),
        Path("data/new"),
        Level.HIGH,
        (3, 4),
        20,
        "EWR",
        dt.date(2026, 3, 1),
    ]
    assert [type(each) for each in run["approve"].result] == [dt.date, type(FLIGHTS), Level, tuple, int, str, dt.date]


@pytest.mark.parametrize("place", PLACES)
def test_a_text_that_cannot_be_read_so_is_refused_and_the_task_goes_on_waiting(place):
    with waiting(approval(is_live=place in {"here", "elsewhere"}), place) as run:
        with pytest.raises((ParameterError, StartTaskError)) as refused:
            run.resume("approve", inputs={"level": TypedText("MIDDLE")})
        state = run["approve"]
        run.cancel()

    assert str(refused.value) == "level is a Level, and 'MIDDLE' isn't. It is one of LOW, HIGH."
    assert type(state) is Paused


@pytest.mark.parametrize("place", PLACES)
def test_a_text_of_code_stays_a_text(place):
    with waiting(approval(is_live=place in {"here", "elsewhere"}), place) as run:
        run.resume("approve", inputs={"day": "2026-02-01", "level": "HIGH"})
        GATE.set()
        run.wait(LONG_S)

    assert run["approve"].result[:3] == ["2026-02-01", FLIGHTS, "HIGH"]
