"""Which runs are made when: usually, after a sleep, and when the machine's clock is put back."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.deployments import CronSchedule, IntervalSchedule
from flowbook.deployments.due_times import MOST_AT_ONCE, DueTimes, due_times

NOON = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
HOUR, MINUTE, SECOND = dt.timedelta(hours=1), dt.timedelta(minutes=1), dt.timedelta(seconds=1)
HOURLY = CronSchedule("0 * * * *")
EVERY_HOUR = CronSchedule("0 * * * *", catch_up="all")
AHEAD = 10 * SECOND


def test_a_run_is_made_shortly_before_its_time_and_once():
    early = due_times(HOURLY, NOON + MINUTE, NOON + 30 * MINUTE, AHEAD, is_one_late=False)
    near = due_times(HOURLY, early.mark, NOON + HOUR - 5 * SECOND, AHEAD, is_one_late=False)
    after = due_times(HOURLY, near.mark, NOON + HOUR, AHEAD, is_one_late=False)

    assert early == DueTimes((), NOON + 30 * MINUTE + AHEAD)
    assert near == DueTimes((NOON + HOUR,), NOON + HOUR + 5 * SECOND)
    assert after == DueTimes((), NOON + HOUR + AHEAD)


@pytest.mark.parametrize(
    ("schedule", "times"), [(HOURLY, [NOON]), (EVERY_HOUR, [NOON - n * HOUR for n in range(99, -1, -1)])]
)
def test_of_the_100_times_that_a_machine_slept_over_one_run_is_made_or_all(schedule, times):
    found = due_times(schedule, NOON - 100 * HOUR, NOON + MINUTE, AHEAD, is_one_late=False)
    rest = due_times(schedule, found.mark, NOON + MINUTE, AHEAD, is_one_late=False)

    assert (list(found.times), rest) == (times, DueTimes((), NOON + MINUTE + AHEAD))


def test_what_is_too_much_for_one_look_is_left_to_the_next():
    mark, made = NOON - 250 * HOUR, []

    for _ in range(3):
        found = due_times(EVERY_HOUR, mark, NOON, AHEAD, is_one_late=False)
        made.append(len(found.times))
        mark = found.mark

    assert (made, mark) == ([MOST_AT_ONCE, MOST_AT_ONCE, 50], NOON + AHEAD)


def test_a_late_run_that_waits_to_begin_stands_for_the_times_that_passed_meanwhile():
    minutely = IntervalSchedule(60)

    waits = due_times(minutely, NOON, NOON + 5 * MINUTE, AHEAD, is_one_late=True)
    began = due_times(minutely, waits.mark, NOON + 5 * MINUTE + SECOND, MINUTE, is_one_late=False)

    assert waits == DueTimes((), NOON + 5 * MINUTE)
    assert began.times == (NOON + 6 * MINUTE,)


def test_every_time_has_its_run_where_all_are_wanted_though_one_is_late():
    found = due_times(EVERY_HOUR, NOON - 2 * HOUR, NOON, AHEAD, is_one_late=True)

    assert found.times == (NOON - HOUR, NOON)


def test_a_clock_that_was_put_back_makes_no_time_due_again():
    found = due_times(HOURLY, NOON + AHEAD, NOON - 3 * HOUR, AHEAD, is_one_late=False)

    assert found == DueTimes((), NOON + AHEAD)


def test_a_clock_that_was_years_ahead_holds_up_nothing_once_it_is_right():
    found = due_times(HOURLY, NOON + 3000 * HOUR, NOON - 5 * SECOND, AHEAD, is_one_late=False)

    assert found == DueTimes((NOON,), NOON + 5 * SECOND)


@given(
    steps=st.lists(st.timedeltas(-HOUR, 30 * HOUR), min_size=1, max_size=20),
    schedule=st.sampled_from([HOURLY, EVERY_HOUR, IntervalSchedule(7 * MINUTE), IntervalSchedule(600, catch_up="all")]),
)
def test_whatever_the_clock_does_no_time_is_due_twice(steps, schedule):
    now = mark = NOON
    made = []

    for step in steps:
        now += step
        found = due_times(schedule, mark, now, AHEAD, is_one_late=False)
        assert all(time <= now + AHEAD for time in found.times)
        made += found.times
        mark = found.mark

    assert made == sorted(set(made))
    assert set(made) <= set(schedule.between(NOON, mark))
