"""Clocks that are set back, and days that have 23 or 25 hours: expiry and order stay right."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from flowbook.flow_run.times import parse_time
from flowbook.store import CacheEntry, CacheScope, open_store

NOW = dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC)
SCOPE = CacheScope("p", "f", "t")


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def add(store, created, hours, value=0):
    entry = CacheEntry("p", "f", "t", store.values.put(value), created + dt.timedelta(hours=hours), created)
    return store.cache.add(entry).id


@pytest.mark.usefixtures("berlin")
def test_an_entry_of_one_hour_serves_for_one_hour_over_a_change_of_clocks(disk_store):
    for change in (NOW, dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)):  # an hour before clocks go forward, and back
        entry = add(disk_store, change, 1)

        served = [
            entry in [each.id for each in disk_store.cache.find(SCOPE, change + dt.timedelta(minutes=minutes))]
            for minutes in (-1, 0, 29, 31, 59, 60, 61, 119)
        ]

        assert served == [False, True, True, True, True, False, False, False]


@pytest.mark.usefixtures("berlin")
def test_the_hour_that_comes_twice_is_told_apart():
    first = parse_time(dt.datetime(2026, 10, 25, 2, 30, fold=0))  # noqa: DTZ001  # local time, on purpose
    second = parse_time(dt.datetime(2026, 10, 25, 2, 30, fold=1))  # noqa: DTZ001  # as above

    assert second - first == dt.timedelta(hours=1)
    assert parse_time("2026-10-25T02:30+02:00") == first
    assert parse_time("2026-10-25T02:30+01:00") == second


def test_after_a_clock_was_set_back_nothing_serves_before_its_time(disk_store):
    early, late = add(disk_store, NOW, 10), add(disk_store, NOW + dt.timedelta(hours=5), 10)
    set_back = NOW + dt.timedelta(hours=1)
    newest = add(disk_store, set_back, 10)

    found = [entry.id for entry in disk_store.cache.find(SCOPE, set_back + dt.timedelta(minutes=1))]

    assert found == [newest, early]
    assert late not in found


def test_a_sweep_after_a_clock_was_set_back_takes_nothing_that_is_newer(disk_store):
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=400)
    entry = add(disk_store, ahead, 1, b"x" * 100_000)

    disk_store.sweep(older_than=dt.timedelta(days=30))

    assert disk_store.cache.get(entry).dropped is None
    assert disk_store.cache.get(entry).ref.load() == b"x" * 100_000


def test_numbers_of_runs_go_on_counting_whatever_the_clock_says():
    from tests.store.run_helpers import begin  # noqa: PLC0415

    with open_store() as store:
        for number, created in enumerate((NOW, NOW - dt.timedelta(hours=3), NOW - dt.timedelta(hours=1))):
            begin(store, f"r{number}", created=created).close()

        assert [store.runs.get(f"r{number}").number for number in range(3)] == [1, 2, 3]
        assert [run.run_id for run in store.runs.list()] == ["r1", "r2", "r0"]
