"""Schedules: what they ask for around clock changes, on leap days, and what they refuse."""

# ruff: noqa: DTZ001  # what a clock on the wall shows has no zone

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from flowbook.deployments import CronSchedule, IntervalSchedule, RRuleSchedule, read_schedule
from flowbook.deployments.schedule_text import schedule_of
from flowbook.exceptions import ScheduleError
from tests.deployments import clock_walks
from tests.deployments.clock_walks import DAY, MINUTE

UTC = dt.UTC
BERLIN = "Europe/Berlin"
#: Changes at midnight, by half an hour, by two hours, of a whole day, to winter in summer's place; and none.
ODD_ZONES = (
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Europe/Dublin",
    "Africa/Casablanca",
    "America/New_York",
    BERLIN,
    "Asia/Kathmandu",
    "UTC",
)
ZONES = st.sampled_from(ODD_ZONES) | st.sampled_from(sorted(zoneinfo.available_timezones() - {"localtime"}))
YEARS = st.integers(1999, 2030)
HOURS = st.sets(st.integers(0, 23), min_size=1, max_size=6) | st.sets(st.integers(0, 3), min_size=1)
MINUTES = st.sets(st.integers(0, 59), min_size=1, max_size=4) | st.just({0}) | st.just({30})


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def shown(moments, zone):
    return [f"{moment.astimezone(ZoneInfo(zone)):%d. %H:%M %z}" for moment in moments]


def listed(numbers):
    return ",".join(map(str, sorted(numbers)))


@st.composite
def spans(draw):
    """Draw a zone and three days around a change of its clocks; around any day where they never change."""
    zone, year = draw(ZONES), draw(YEARS)
    changes = clock_walks.changes(zone, year)
    middle = draw(st.sampled_from(changes)) if changes else dt.datetime(year, 3, 1, tzinfo=UTC)
    start = middle - DAY + draw(st.integers(-700, 1440)) * MINUTE
    return zone, start, start + DAY * 2


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(span=spans(), hours=HOURS, minutes=MINUTES)
@example(span=("Pacific/Apia", at("2011-12-28T10:00Z"), at("2012-01-01T10:00Z")), hours={6, 12}, minutes={30})
@example(span=("Australia/Lord_Howe", at("2026-04-03T10:00Z"), at("2026-04-06T10:00Z")), hours={1, 2}, minutes={15, 45})
@example(span=(BERLIN, at("2026-10-25T00:15Z"), at("2026-10-25T06:00Z")), hours={1, 2, 3}, minutes={10, 20, 40})
def test_times_of_day_of_a_cron_line_are_those_of_a_walk_by_the_minute(span, hours, minutes):
    zone, after, until = span
    schedule = CronSchedule(f"{listed(minutes)} {listed(hours)} * * *", timezone=zone)

    found = schedule.between(after, until)

    def is_time(wall):
        return wall.hour in hours and wall.minute in minutes

    assert found == clock_walks.times_of_day(is_time, zone, after, until)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(span=spans(), step=st.sampled_from([1, 2, 3, 5, 6]), minutes=st.sampled_from(["*", "*/7", "0", "30", "5,35"]))
@example(span=(BERLIN, at("2026-10-25T00:15Z"), at("2026-10-25T06:00Z")), step=1, minutes="0")
@example(span=("Australia/Lord_Howe", at("2026-10-03T10:00Z"), at("2026-10-05T10:00Z")), step=1, minutes="0")
def test_a_cron_line_for_every_hour_follows_the_clock_as_a_walk_does(span, step, minutes):
    zone, after, until = span
    schedule = CronSchedule(f"{minutes} */{step} * * *", timezone=zone)

    found = schedule.between(after, until)

    minute_of = {"*": range(60), "*/7": range(0, 60, 7), "0": [0], "30": [30], "5,35": [5, 35]}[minutes]

    def is_time(wall):
        return wall.hour % step == 0 and wall.minute in minute_of

    assert found == clock_walks.by_the_clock(is_time, zone, after, until)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(span=spans(), hours=HOURS, minutes=MINUTES)
def test_a_daily_rule_has_the_times_of_the_cron_line(span, hours, minutes):
    zone, after, until = span
    rule = f"DTSTART:19980101T000000\nFREQ=DAILY;BYHOUR={listed(hours)};BYMINUTE={listed(minutes)};BYSECOND=0"

    found = RRuleSchedule(rule, timezone=zone).between(after, until)

    assert found == CronSchedule(f"{listed(minutes)} {listed(hours)} * * *", timezone=zone).between(after, until)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(span=spans(), start=st.datetimes(dt.datetime(1998, 1, 1), dt.datetime(1998, 12, 31)), step=st.integers(1, 50))
def test_a_rule_by_the_hour_follows_the_clock_as_a_walk_does(span, start, step):
    zone, after, until = span
    start = start.replace(second=0, microsecond=0)
    schedule = RRuleSchedule(f"DTSTART:{start:%Y%m%dT%H%M%S}\nRRULE:FREQ=HOURLY;INTERVAL={step}", timezone=zone)

    found = schedule.between(after, until)

    def is_time(wall):
        return (wall - start) % dt.timedelta(hours=step) == dt.timedelta()

    assert found == clock_walks.by_the_clock(is_time, zone, after, until)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(span=spans(), days=st.integers(1, 3), back=st.integers(0, 5_000_000))
def test_an_interval_of_days_keeps_its_time_of_day(span, days, back):
    zone, after, until = span
    anchor = after - back * MINUTE
    schedule = IntervalSchedule(dt.timedelta(days=days), anchor=anchor, timezone=zone)

    found = schedule.between(after, until)

    start = clock_walks.wall(anchor, zone)
    assume(not start.second)

    def is_time(wall):
        return (wall - start) % dt.timedelta(days=days) == dt.timedelta()

    assert found == clock_walks.times_of_day(is_time, zone, after, until)


@settings(max_examples=50)
@given(span=spans(), minutes=st.integers(1, 1439), back=st.integers(-10_000, 1_000_000))
def test_a_shorter_interval_is_a_span_of_time_whatever_the_clocks_do(span, minutes, back):
    zone, after, until = span
    anchor = after - back * MINUTE
    schedule = IntervalSchedule(dt.timedelta(minutes=minutes), anchor=anchor, timezone=zone)

    found = schedule.between(after, until)

    walk = [after + MINUTE * (number + 1) for number in range(int((until - after) / MINUTE))]
    assert found == [moment for moment in walk if (moment - anchor) % dt.timedelta(minutes=minutes) == dt.timedelta()]


SCHEDULES = st.one_of(
    st.builds(
        CronSchedule,
        st.sampled_from(
            ["0 6 * * *", "*/7 * * * *", "30 2 * * *", "0 0 29 2 *", "0 12 L * *", "5 4 * * fri#2", "@daily"]
        ),
        timezone=ZONES,
        catch_up=st.sampled_from(["one", "all"]),
    ),
    st.builds(
        IntervalSchedule,
        st.timedeltas(dt.timedelta(seconds=1), DAY * 400).map(lambda span: span - span % dt.timedelta(seconds=1)),
        anchor=st.none() | st.datetimes(dt.datetime(1999, 1, 1), dt.datetime(2035, 1, 1), timezones=st.timezones()),
        timezone=ZONES,
        catch_up=st.sampled_from(["one", "all"]),
    ),
    st.builds(
        RRuleSchedule,
        st.sampled_from(
            [
                "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;BYHOUR=2;BYMINUTE=30",
                "RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18",
                "DTSTART:20260101T060000\nRRULE:FREQ=DAILY;COUNT=400",
                "DTSTART;TZID=America/New_York:20260101T013000\nFREQ=DAILY;UNTIL=20270101T000000Z",
                "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
                "FREQ=MINUTELY;INTERVAL=7",
            ]
        ),
        timezone=ZONES,
    ),
)
MOMENTS = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(UTC))


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(schedule=SCHEDULES, moment=MOMENTS, hours=st.integers(0, 48))
def test_next_between_and_latest_agree_and_a_window_may_be_cut_anywhere(schedule, moment, hours):
    until, middle = moment + DAY * 2, moment + dt.timedelta(hours=hours)

    found = schedule.between(moment, until)

    assert found == schedule.between(moment, middle) + schedule.between(middle, until)
    assert found == sorted(set(found))
    assert all(moment < each <= until and each.tzinfo is UTC for each in found)
    assert schedule.latest(moment, until) == (found[-1] if found else None)
    first = schedule.next(moment)
    assert first == found[0] if found else first is None or first > until


@settings(max_examples=60)
@given(schedule=SCHEDULES)
def test_a_schedule_comes_back_equal_from_its_json(schedule):
    kept = json.loads(json.dumps(schedule.to_settings()))

    back = read_schedule(kept)

    assert (back, back.to_settings(), hash(back)) == (schedule, kept, hash(schedule))


def test_a_time_that_the_clocks_skip_happens_when_they_have_been_put_forward():
    daily = CronSchedule("30 2 * * *", timezone=BERLIN)

    found = daily.between(at("2026-03-28T00:00Z"), at("2026-03-30T12:00Z"))

    assert shown(found, BERLIN) == ["28. 02:30 +0100", "29. 03:00 +0200", "30. 02:30 +0200"]


def test_a_time_that_comes_twice_happens_the_first_time():
    daily = CronSchedule("30 2 * * *", timezone=BERLIN)

    found = daily.between(at("2026-10-24T00:00Z"), at("2026-10-26T12:00Z"))

    assert shown(found, BERLIN) == ["24. 02:30 +0200", "25. 02:30 +0200", "26. 02:30 +0100"]


def test_every_hour_is_every_hour_when_one_comes_twice_and_when_one_is_skipped():
    hourly = CronSchedule("0 * * * *", timezone=BERLIN)

    back = hourly.between(at("2026-10-24T22:30Z"), at("2026-10-25T03:00Z"))
    forth = hourly.between(at("2026-03-28T23:30Z"), at("2026-03-29T03:00Z"))

    assert shown(back, BERLIN) == [
        "25. 01:00 +0200",
        "25. 02:00 +0200",
        "25. 02:00 +0100",
        "25. 03:00 +0100",
        "25. 04:00 +0100",
    ]
    assert shown(forth, BERLIN) == ["29. 01:00 +0100", "29. 03:00 +0200", "29. 04:00 +0200", "29. 05:00 +0200"]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (CronSchedule("0 0 29 2 *"), ["2028-02-29", "2032-02-29", "2036-02-29"]),
        (RRuleSchedule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"), ["2028-02-29", "2032-02-29", "2036-02-29"]),
        (CronSchedule("0 0 L 2 *"), ["2027-02-28", "2028-02-29", "2029-02-28"]),
        (RRuleSchedule("FREQ=MONTHLY;BYMONTHDAY=31"), ["2026-12-31", "2027-01-31", "2027-03-31"]),
        (RRuleSchedule("FREQ=WEEKLY;INTERVAL=2"), ["2026-12-14", "2026-12-28", "2027-01-11"]),
        (CronSchedule("0 0 13 * fri"), ["2026-12-04", "2026-12-11", "2026-12-13"]),
        (IntervalSchedule(dt.timedelta(days=7)), ["2026-12-07", "2026-12-14", "2026-12-21"]),
        (RRuleSchedule("DTSTART:20261130T000000\nFREQ=DAILY;COUNT=3"), ["2026-12-01", "2026-12-02"]),
        (RRuleSchedule("FREQ=DAILY;UNTIL=20261202T000000Z"), ["2026-12-01", "2026-12-02"]),
    ],
)
def test_leap_days_ends_of_months_and_last_times_are_found(schedule, expected):
    moments = schedule.moments(at("2026-11-30T12:00Z"))

    found = [f"{moment:%Y-%m-%d}" for moment, _ in zip(moments, range(3), strict=False)]

    assert found == expected


def test_a_leap_century_is_left_out():
    assert CronSchedule("0 0 29 2 *").next(at("2096-03-01T00:00Z")) == at("2104-02-29T00:00Z")


def test_a_rule_that_ended_has_no_next_time():
    assert RRuleSchedule("DTSTART:20200101T000000\nFREQ=DAILY;COUNT=3").next(at("2026-01-01T00:00Z")) is None


def test_the_zone_of_dtstart_goes_before_the_one_given():
    schedule = RRuleSchedule("DTSTART;TZID=Asia/Tokyo:20260101T060000\nFREQ=DAILY", timezone=BERLIN)

    assert (schedule.timezone, schedule.next(at("2026-06-01T00:00Z"))) == ("Asia/Tokyo", at("2026-06-01T21:00Z"))


def test_a_minute_rule_with_an_early_start_is_answered_at_once():
    schedule = RRuleSchedule("DTSTART:19700101T000000\nFREQ=SECONDLY;INTERVAL=7")

    every_seven = IntervalSchedule(7, anchor=at("1970-01-01T00:00Z"))
    assert schedule.next(at("2026-11-30T00:00Z")) == every_seven.next(at("2026-11-30T00:00Z"))


@settings(max_examples=60)
@given(
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    interval=st.integers(1, 5),
    start=st.datetimes(dt.datetime(1999, 1, 1), dt.datetime(2004, 12, 31)).map(
        lambda each: each.replace(microsecond=0)
    ),
    more=st.sampled_from(["", ";BYDAY=MO,FR", ";BYMONTHDAY=-1", ";BYSETPOS=-1;BYDAY=MO,TU", ";BYMONTH=2,3"]),
    moment=st.datetimes(dt.datetime(2005, 1, 1), dt.datetime(2020, 1, 1)),
)
def test_a_rule_is_answered_from_a_later_start_as_it_would_be_from_its_own(frequency, interval, start, more, moment):
    rule = f"FREQ={frequency};INTERVAL={interval}{more}"
    slow = rrulestr(f"RRULE:{rule}", dtstart=start)
    assume(slow.after(moment, inc=False) is not None)

    found = RRuleSchedule(f"DTSTART:{start:%Y%m%dT%H%M%S}\n{rule}").next(moment.replace(tzinfo=UTC))

    assert found == slow.after(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (CronSchedule("0 6 * * mon-fri", timezone=BERLIN), "at 06:00 on Monday through Friday, Europe/Berlin"),
        (IntervalSchedule(600), "every 10 minutes"),
        (IntervalSchedule(dt.timedelta(days=1)), "every day"),
        (IntervalSchedule(90), "every 90 seconds"),
        (RRuleSchedule("FREQ=DAILY"), "FREQ=DAILY, UTC"),
    ],
)
def test_a_schedule_says_in_words_when_it_is_time(schedule, words):
    assert schedule.describe() == words


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("0 6 * * *", CronSchedule("0 6 * * *", "Europe/Berlin")),
        ("@daily", CronSchedule("@daily", "Europe/Berlin")),
        ("every 2 hours", IntervalSchedule(7200, timezone="Europe/Berlin")),
        ("every 10m", IntervalSchedule(600, timezone="Europe/Berlin")),
        ("Every day", IntervalSchedule(dt.timedelta(days=1), timezone="Europe/Berlin")),
        ("FREQ=WEEKLY;BYDAY=MO", RRuleSchedule("FREQ=WEEKLY;BYDAY=MO", "Europe/Berlin")),
    ],
)
def test_a_line_names_a_schedule(text, schedule):
    assert schedule_of(text, "Europe/Berlin") == schedule


@pytest.mark.parametrize("digits", [20, 5000])
def test_a_span_beyond_all_time_is_refused(digits):
    text = f"every {'9' * digits} hours"

    with pytest.raises(ScheduleError) as caught:
        schedule_of(text)

    assert (
        str(caught.value) == f"{text!r} is longer than any time that can be reckoned with. Write e.g. 'every 2 hours'."
    )


def test_a_line_that_names_none_says_how_to_write_one():
    with pytest.raises(ScheduleError) as caught:
        schedule_of("every now and then")

    assert str(caught.value) == (
        "'every now and then' isn't understood. Write e.g. 'every 2 hours', or a cron line such as '0 6 * * *'."
    )


@pytest.mark.parametrize(
    ("given", "schedule"),
    [
        (None, None),
        ("0 6 * * *", CronSchedule("0 6 * * *")),
        ("every 5 minutes", IntervalSchedule(300)),
        (dt.timedelta(hours=1), IntervalSchedule(3600)),
        ({"interval": 3600, "anchor": "2026-01-01T06:00+01:00"}, IntervalSchedule(3600, at("2026-01-01T05:00Z"))),
        ({"rrule": "FREQ=DAILY", "timezone": BERLIN}, RRuleSchedule("FREQ=DAILY", BERLIN)),
    ],
)
def test_a_schedule_is_read_from_what_people_write(given, schedule):
    assert read_schedule(given) == schedule


CRON_HELP = "Write five fields, 'minute hour day month weekday', e.g. '0 6 * * mon-fri' for 6:00 on working days."
RULE_HELP = "Write a rule like 'FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=6;BYMINUTE=0', below 'DTSTART:20260101T060000' if it starts there."
WRONG = {
    "four fields": (lambda: CronSchedule("0 6 * *"), f"cron='0 6 * *' has 4 fields, not five. {CRON_HELP}"),
    "six fields": (lambda: CronSchedule("0 0 6 * * *"), f"cron='0 0 6 * * *' has 6 fields, not five. {CRON_HELP}"),
    "no line": (lambda: CronSchedule("daily"), f"cron='daily' has 1 field, not five. {CRON_HELP}"),
    "an empty line": (lambda: CronSchedule(""), f"cron='' has 0 fields, not five. {CRON_HELP}"),
    "an hour of 25": (
        lambda: CronSchedule("0 25 * * *"),
        f"cron='0 25 * * *': '25' can't be the hour. Allowed: 0-23, with '*', ',', '-' and '/'. {CRON_HELP}",
    ),
    "a word for a month": (
        lambda: CronSchedule("0 6 1 march *"),
        f"cron='0 6 1 march *': 'march' can't be the month. Allowed: 1-12 or JAN-DEC, with '*', ',', '-' and '/'. {CRON_HELP}",
    ),
    "Quartz's mark": (
        lambda: CronSchedule("0 6 ? * MON"),
        ("cron='0 6 ? * MON': '?' can't be the day of month. Allowed: 1-31 or L for the last, "
            f"with '*', ',', '-' and '/'. {CRON_HELP}"),
    ),
    "a backward range": (
        lambda: CronSchedule("0 6 * * fri-mon"),
        ("cron='0 6 * * fri-mon': 'fri-mon' can't be the day of week. Allowed: 0-7 (0 and 7 are Sunday) or SUN-SAT, "
        f"with '*', ',', '-' and '/'. {CRON_HELP}"),
    ),
    "30 February": (
        lambda: CronSchedule("0 6 30 2 *"),
        f"cron='0 6 30 2 *' never comes true: there is no such day. {CRON_HELP}",
    ),
    "a short name": (
        lambda: CronSchedule("@noon"),
        ("cron='@noon': there is no such short name. Use one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, "
        "@annually, or five fields, e.g. '0 6 * * *'."),
    ),
    "a number": (lambda: CronSchedule(6), f"cron=6 isn't a text. {CRON_HELP}"),
    "a misspelt zone": (
        lambda: CronSchedule("0 6 * * *", timezone="Europe/Berln"),
        "There is no time zone 'Europe/Berln'. Did you mean 'Europe/Berlin' or 'Europe/Dublin' or 'Europe/Belfast'?",
    ),
    "a city": (
        lambda: CronSchedule("0 6 * * *", timezone="Berlin"),
        "There is no time zone 'Berlin'. Did you mean 'Europe/Berlin'?",
    ),
    "nothing like a zone": (
        lambda: IntervalSchedule(60, timezone="qqqqqqqqqqqq"),
        "There is no time zone 'qqqqqqqqqqqq'. Give a name like 'Europe/Berlin' or 'UTC'.",
    ),
    "a path": (
        lambda: IntervalSchedule(60, timezone="../../etc/passwd"),
        "There is no time zone '../../etc/passwd'. Give a name like 'Europe/Berlin' or 'UTC'.",
    ),
    "a zone that isn't text": (
        lambda: IntervalSchedule(60, timezone=2),
        "There is no time zone 2. Give a name like 'Europe/Berlin' or 'UTC'.",
    ),
    "no interval": (
        lambda: IntervalSchedule(0),
        "interval=0:00:00 isn't a span of time of a second or more. Give e.g. timedelta(hours=6), or seconds.",
    ),
    "a negative interval": (
        lambda: IntervalSchedule(dt.timedelta(minutes=-5)),
        "interval=-1 day, 23:55:00 isn't a span of time of a second or more. Give e.g. timedelta(hours=6), or seconds.",
    ),
    "half a second": (
        lambda: IntervalSchedule(1.5),
        "interval=0:00:01.500000 has a part of a second. Give whole seconds.",
    ),
    "a text": (
        lambda: IntervalSchedule("1h"),
        "interval=1h isn't a span of time of a second or more. Give e.g. timedelta(hours=6), or seconds.",
    ),
    "infinity": (
        lambda: IntervalSchedule(float("inf")),
        "interval=inf isn't a span of time of a second or more. Give e.g. timedelta(hours=6), or seconds.",
    ),
    "a century": (
        lambda: IntervalSchedule(dt.timedelta(days=36_525)),
        "interval=36525 days, 0:00:00 is longer than 50 years, and no schedule looks further ahead. Give a shorter one.",
    ),
    "an anchor at the end of time": (
        lambda: IntervalSchedule(60, anchor="9999-12-31T23:59:59-14:00"),
        "anchor='9999-12-31T23:59:59-14:00' is out of reach of the clock. Give a time between the years 2 and 9998.",
    ),
    "an anchor at its beginning": (
        lambda: IntervalSchedule(dt.timedelta(days=1), anchor="0001-01-01T00:00Z", timezone="America/New_York"),
        "anchor='0001-01-01T00:00Z' is out of reach of the clock. Give a time between the years 2 and 9998.",
    ),
    "an anchor without zone": (
        lambda: IntervalSchedule(60, anchor=dt.datetime(2026, 1, 1, 6)),
        ("anchor=2026-01-01 06:00:00 has no time zone, so it could be any of many moments. Give an aware one, "
        "e.g. datetime(2026, 1, 1, 6, tzinfo=ZoneInfo('Europe/Berlin')) or '2026-01-01T06:00+01:00'."),
    ),
    "an anchor that is no time": (
        lambda: IntervalSchedule(60, anchor="monday"),
        "anchor='monday' isn't a time. Give an aware datetime, or ISO text such as '2026-01-01T06:00+01:00'.",
    ),
    "no rule": (
        lambda: RRuleSchedule("every day"),
        f"rrule='every day' isn't a recurrence rule: 'EVERY DAY' has no value. {RULE_HELP}",
    ),
    "a rule without a frequency": (
        lambda: RRuleSchedule("BYDAY=MO"),
        f"rrule='BYDAY=MO' isn't a recurrence rule: it has no FREQ, such as FREQ=DAILY. {RULE_HELP}",
    ),
    "a rule with a word of its own": (
        lambda: RRuleSchedule("FREQ=DAILY;BYNOON=1"),
        f"rrule='FREQ=DAILY;BYNOON=1' isn't a recurrence rule: unknown parameter 'BYNOON'. {RULE_HELP}",
    ),
    "a rule with an interval of 0": (
        lambda: RRuleSchedule("FREQ=DAILY;INTERVAL=0"),
        f"rrule='FREQ=DAILY;INTERVAL=0' isn't a recurrence rule: INTERVAL=0 isn't a number from 1 on. {RULE_HELP}",
    ),
    "a rule that is never": (
        lambda: RRuleSchedule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        f"rrule='FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30' never comes true: there is no such day. {RULE_HELP}",
    ),
    "minutes that are never": (
        lambda: RRuleSchedule("FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30"),
        f"rrule='FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30' never comes true: there is no such day. {RULE_HELP}",
    ),
    "an end twice": (
        lambda: RRuleSchedule("FREQ=DAILY;COUNT=3;UNTIL=20260101T000000Z"),
        ("rrule='FREQ=DAILY;COUNT=3;UNTIL=20260101T000000Z': UNTIL=20260101T000000Z isn't a time, or COUNT is there too. "
        "Write e.g. UNTIL=20261231T180000Z."),
    ),
    "a count of 0": (
        lambda: RRuleSchedule("FREQ=DAILY;COUNT=0"),
        "rrule='FREQ=DAILY;COUNT=0': COUNT=0 isn't a number from 1 to 10,000. Beyond that write UNTIL=.",
    ),
    "excluded dates": (
        lambda: RRuleSchedule("EXDATE:20260101T000000\nFREQ=DAILY"),
        ("rrule='EXDATE:20260101T000000\\nFREQ=DAILY': 'EXDATE:20260101T000000' isn't understood; "
        f"one rule, and DTSTART before it, are. {RULE_HELP}"),
    ),
    "an unknown way to catch up": (
        lambda: CronSchedule("0 6 * * *", catch_up="none"),
        "catch_up='none': give 'one' (times that passed while nothing could run make one run) or 'all' (each makes its own).",
    ),
    "two kinds": (
        lambda: read_schedule({"cron": "0 6 * * *", "interval": 5}),
        ("A schedule has one of interval, cron and rrule; this one has interval and cron. "
        "Write e.g. {'cron': '0 6 * * *', 'timezone': 'Europe/Berlin'}."),
    ),
    "no kind": (
        lambda: read_schedule({"timezone": "UTC"}),
        ("A schedule has one of interval, cron and rrule; this one has none. "
        "Write e.g. {'cron': '0 6 * * *', 'timezone': 'Europe/Berlin'}."),
    ),
    "an unknown field": (
        lambda: read_schedule({"cron": "0 6 * * *", "tz": "UTC"}),
        "A schedule by cron has no field 'tz'. Its fields: cron, timezone, catch_up.",
    ),
    "no schedule": (
        lambda: read_schedule(6),
        ("schedule=6 isn't a schedule. Give a cron line such as '0 6 * * *', a timedelta, "
        "or a CronSchedule, IntervalSchedule or RRuleSchedule."),
    ),
    "a moment without zone": (
        lambda: CronSchedule("0 6 * * *").next(dt.datetime(2026, 1, 1)),
        "2026-01-01 00:00:00 has no time zone. Give an aware datetime, e.g. datetime.now(timezone.utc).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_schedule_is_refused_in_words(case):
    wrong, message = WRONG[case]

    with pytest.raises(ScheduleError) as caught:
        wrong()

    assert str(caught.value) == message


@pytest.mark.parametrize("days", [1, 36_524 // 2])
@pytest.mark.parametrize("anchor", ["0002-01-01T00:00Z", "2026-01-01T00:00Z", "9998-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("after", [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(9899, 1, 1, tzinfo=dt.UTC)])
def test_the_longest_steps_from_the_furthest_anchors_have_times(days, anchor, zone, after):
    schedule = IntervalSchedule(dt.timedelta(days=days, seconds=days > 1), anchor=anchor, timezone=zone)

    found = schedule.next(after)

    assert found is not None
    assert after < found <= after + dt.timedelta(days=days + 1)
