"""Times as people write them."""

from __future__ import annotations

import datetime as dt

import pytest

from flowbook.exceptions import DefinitionError
from flowbook.flow_run.times import parse_due, parse_time

NOW = dt.datetime(2026, 11, 20, 14, 30, tzinfo=dt.UTC)


def local(*fields):
    return dt.datetime(*fields).astimezone(dt.UTC)  # what has no zone is local time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("2 hours ago", NOW - dt.timedelta(hours=2)),
        ("an hour ago", NOW - dt.timedelta(hours=1)),
        ("1 minute ago", NOW - dt.timedelta(minutes=1)),
        ("90 Seconds ago", NOW - dt.timedelta(seconds=90)),
        ("3 days ago", NOW - dt.timedelta(days=3)),
        ("a week ago", NOW - dt.timedelta(weeks=1)),
        ("yesterday", NOW - dt.timedelta(days=1)),
        ("today", NOW),
        ("2026-11-20T08:00:00+00:00", dt.datetime(2026, 11, 20, 8, tzinfo=dt.UTC)),
        ("2026-11-20 09:00", local(2026, 11, 20, 9)),
        ("2026-11-20", local(2026, 11, 20)),
    ],
)
def test_a_text_says_a_time(text, expected):
    assert parse_time(text, NOW) == expected
    assert parse_time(f" {text} ", NOW) == expected


@pytest.mark.parametrize(
    ("text", "days", "clock"),
    [
        ("yesterday 9:00", 1, dt.time(9)),
        ("yesterday 23:59", 1, dt.time(23, 59)),
        ("today 07:05", 0, dt.time(7, 5)),
        ("9:00", 0, dt.time(9)),
    ],
)
def test_a_time_of_day_is_local(text, days, clock):
    day = (NOW.astimezone() - dt.timedelta(days=days)).date()

    assert parse_time(text, NOW) == dt.datetime.combine(day, clock).astimezone(dt.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in 2 hours", NOW + dt.timedelta(hours=2)),
        ("In a Minute", NOW + dt.timedelta(minutes=1)),
        ("tomorrow", NOW + dt.timedelta(days=1)),
        ("now", NOW),
        ("2026-11-20T18:00:00+00:00", dt.datetime(2026, 11, 20, 18, tzinfo=dt.UTC)),
        ("2026-11-21 09:00", local(2026, 11, 21, 9)),
    ],
)
def test_a_text_says_a_time_to_come(text, expected):
    assert parse_due(text, NOW) == expected
    assert parse_due(f" {text} ", NOW) == expected


def test_a_time_of_tomorrow_is_local():
    day = (NOW.astimezone() + dt.timedelta(days=1)).date()

    assert parse_due("tomorrow 9:00", NOW) == dt.datetime.combine(day, dt.time(9)).astimezone(dt.UTC)


@pytest.mark.parametrize("text", ["", "soon", "tomorrow 25:00", "in 2 fortnights", "in 99999999999 weeks"])
def test_what_says_no_time_to_come_is_refused(text):
    with pytest.raises(DefinitionError) as caught:
        parse_due(text, NOW)

    assert str(caught.value) == (
        f"{text!r} isn't a time. Write it like '2026-11-20 09:00', 'tomorrow 9:00' (local time), 'in 2 hours' "
        "or '2026-11-20T08:00:00+00:00'."
    )


@pytest.mark.parametrize(
    "text", ["", "soon", "tomorrow", "2 fortnights ago", "25:00", "yesterday 9", "99999999999 weeks ago"]
)
def test_what_says_no_time_is_refused(text):
    with pytest.raises(DefinitionError) as caught:
        parse_time(text, NOW)

    assert str(caught.value) == (
        f"{text!r} isn't a time. Write it like '2026-11-20 09:00', 'yesterday 9:00' (local time), '2 hours ago' "
        "or '2026-11-20T08:00:00+00:00'."
    )
