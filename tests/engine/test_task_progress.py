"""How far a task is, as it says itself: what passes, how often, and to whom."""

from __future__ import annotations

import threading
import time

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.engine.task_progress import INTERVAL_S, ProgressReporter, TaskProgress
from flowbook.exceptions import DefinitionError


@pytest.fixture
def sent():
    return []


@pytest.fixture
def reporter(sent):
    return ProgressReporter(sent.append)


def facts(reports):
    return [(each.done, each.total, each.text, each.unit) for each in reports]


def test_reports_that_come_sooner_than_ten_a_second_are_held_back_but_for_the_last(reporter, sent):
    for done in range(1, 1001):
        reporter.report(done, 2000, "load")
    reporter.close()
    reporter.report(2000, 2000, "load")

    assert facts(sent) == [(1, 2000, "load", "it"), (1000, 2000, "load", "it")]


def test_ends_of_very_many_bars_are_held_back_too(reporter, sent):
    for _ in range(1000):
        reporter.report(1, 1, is_early=True)
    reporter.close()

    assert len(sent) <= 6


def test_a_report_says_the_rate_and_the_time_that_is_left(reporter, sent, monkeypatch):
    moments = iter([100.0, 101.0, 102.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))

    for done in (10, 20, 30):
        reporter.report(done, 100)

    assert [each.rate for each in sent] == [None, 10.0, 10.0]
    assert sent[-1].left_s() == 7.0
    assert sent[-1].share == 0.3


def test_a_share_is_known_only_with_a_total():
    assert TaskProgress(3).share is None
    assert TaskProgress(3, 0).share is None
    assert TaskProgress(7, 5).share == 1.0
    assert TaskProgress(7).left_s() is None


@task
def counted(items):
    found = [item * 2 for item in flowbook.progress(items, text="double", unit="files")]
    return len(found)


@task
def called_back():
    for step in range(3):
        flowbook.progress.report(step + 1, 3, "epoch")


@task
def nested():
    for _ in flowbook.progress(range(2), text="outer"):
        for _ in flowbook.progress(range(50), text="inner"):
            pass


def run_of(step, *inputs):
    with Flow("steps") as flow:
        step(*inputs)
    run = flow.start(record=False)
    run.wait()
    return run


def test_the_items_that_a_task_takes_are_its_progress():
    run = run_of(counted, list(range(5)))

    assert run["counted"].result == 5
    assert {key: facts([each]) for key, each in run.progress().items()} == {"counted": [(5, 5, "double", "files")]}


def test_a_library_s_callback_may_report_instead():
    assert facts(run_of(called_back).progress().values()) == [(3, 3, "epoch", "it")]


def test_of_bars_within_each_other_the_outermost_is_the_task_s_progress():
    assert facts(run_of(nested).progress().values()) == [(2, 2, "outer", "it")]


class PlainSink:
    """Takes events, and knows nothing of progress."""

    def emit(self, event):
        pass


def test_a_subscriber_gets_the_progress_if_it_takes_it():
    class Sink:
        def __init__(self):
            self.got = []

        def emit(self, event):
            pass

        def progressed(self, key, progress):
            self.got.append((key, progress.done))

    may_begin = threading.Event()

    @task
    def patient():
        may_begin.wait(10)
        flowbook.progress.report(3, 3)

    with Flow("steps") as flow:
        patient()
    sink, plain = Sink(), PlainSink()
    run = flow.start(record=False)
    run.subscribe(sink)
    run.subscribe(plain)
    may_begin.set()
    run.wait()

    assert sink.got == [("patient", 3)]


def test_outside_of_a_task_nothing_is_reported_and_items_pass():
    flowbook.progress.report(1, 2)

    assert list(flowbook.progress(range(3))) == [0, 1, 2]


def test_a_length_that_raises_leaves_the_total_open():
    class Odd:
        def __iter__(self):
            return iter((1, 2))

        def __len__(self):
            raise RuntimeError

    assert list(flowbook.progress(Odd())) == [1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: flowbook.progress(7),
            "progress(7) can't iterate over int. Write progress(range(7)).",
        ),
        (
            lambda: flowbook.progress(None),
            "progress(None) can't iterate over NoneType.",
        ),
        (
            lambda: flowbook.progress.report("3"),
            "progress.report(done='3'): done isn't a number. Give the number of units, such as 3.",
        ),
        (
            lambda: flowbook.progress.report(3, float("nan")),
            "progress.report(total=nan): total isn't a number. Give the number of units, such as 3.",
        ),
    ],
)
def test_what_can_t_be_counted_is_refused(call, message):
    with pytest.raises(DefinitionError) as found:
        call()

    assert str(found.value) == message


def test_a_thread_that_outlives_its_task_reports_nothing_more(reporter, sent):
    reporter.report(1, 10)
    reporter.close()

    reporter.report(2, 10, is_early=True)

    assert facts(sent) == [(1, 10, "", "it")]
    assert INTERVAL_S == 0.1
