from __future__ import annotations

import time

import pytest

from flowbook import Flow, task
from flowbook.engine import epoch
from flowbook.engine.timers import Timers


class Clocks:
    """Two clocks: one tells the time and may be set, one counts."""

    def __init__(self):
        self.now = 1_000_000.0
        self.elapsed = 50.0

    def passes(self, seconds):
        self.now += seconds
        self.elapsed += seconds


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def timers(clocks):
    return Timers(lambda: clocks.now, lambda: clocks.elapsed)


def test_what_is_due_comes_in_its_order_and_once(clocks, timers):
    for key, after_s in (("late", 20), ("early", 5), ("later", 21)):
        timers.set(key, clocks.now + after_s)

    before = (list(timers.due()), timers.wait_s())
    clocks.passes(20.5)

    assert before == ([], 5)
    assert (list(timers.due()), list(timers.due()), timers.wait_s()) == (["early", "late"], [], 0.5)


@pytest.mark.parametrize("back_s", [0.5, 3600, 86400 * 365])
def test_a_clock_that_is_set_back_lengthens_no_wait(back_s, clocks, timers):
    timers.set("a", clocks.now + 10)
    clocks.now -= back_s

    clocks.passes(10)

    assert list(timers.due()) == ["a"]


def test_a_clock_that_jumps_ahead_makes_due_what_its_time_says(clocks, timers):
    timers.set("a", clocks.now + 3000)
    timers.set("b", clocks.now + 9000)
    clocks.now += 3600

    assert list(timers.due()) == ["a"]
    clocks.passes(5400)
    assert list(timers.due()) == ["b"]


def test_what_is_set_after_a_jump_is_due_by_the_new_time(clocks, timers):
    clocks.now -= 3600
    timers.set("a", clocks.now + 10)

    clocks.passes(10)

    assert list(timers.due()) == ["a"]


def test_somebody_looks_at_the_clock_now_and_then(clocks, timers):
    timers.set("a", clocks.now + 3600)

    assert timers.wait_s() == 30
    timers.clear()
    assert timers.wait_s() is None


def test_a_retry_runs_after_its_delay_though_the_clock_was_set_back_an_hour(monkeypatch):
    offset, tries = [0.0], []
    real = time.time
    monkeypatch.setattr(epoch.time, "time", lambda: real() + offset[0])

    @task(max_retries=1, retry_delay=0.1)
    def fails_once():
        tries.append(1)
        if len(tries) == 1:
            raise ValueError

    @task
    def set_back():
        assert tries == [1]
        offset[0] = -3600.0

    with Flow("f") as flow:
        fails_once()
        set_back()
    run = flow.start(record=False)

    assert run.wait(20).is_successful()
