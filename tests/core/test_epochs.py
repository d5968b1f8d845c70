"""What an earlier epoch left, seen by a later one, and by decisions while it lives."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from flowbook import Flow, task, triggers, unmapped
from flowbook.engine import signals
from flowbook.executors import LocalDaskExecutor

WAIT_S = 20


class World:
    """Two elements of which the second pauses, a gate that pauses and then is held open, and a task that needs both."""

    def __init__(self):
        self.tries = Counter()
        self.gate_runs = threading.Event()
        self.held = threading.Event()
        world = self

        @task
        def part(x):
            world.first(("part", x), pauses=x == 1)
            return x

        @task
        def gate():
            world.first("gate", pauses=True)
            world.gate_runs.set()
            assert world.held.wait(WAIT_S)
            return 5

        @task
        def gather(parts, y):
            world.tries["gather"] += 1
            return parts, y

        with Flow("w") as self.flow:
            gather(part.map([0, 1]), gate())

    def first(self, place, *, pauses):
        self.tries[place] += 1
        if pauses and self.tries[place] == 1:
            raise signals.PAUSE

    def start(self):
        run = self.flow.start(executor=LocalDaskExecutor(num_workers=2), record=False)
        run.wait(WAIT_S)
        return run


def test_what_gathers_children_waits_for_one_that_paused_in_an_earlier_epoch():
    world = World()
    world.held.set()
    run = world.start()

    early = run.resume("gate").wait(WAIT_S)
    tries = world.tries["gather"]
    late = run.resume("part[1]").wait(WAIT_S)

    assert (early.is_paused(), early.message, tries) == (True, "part[1] waits for a person.", 0)
    assert late.is_successful()
    assert run["gather"].result == ([0, 1], 5)


def test_a_child_that_paused_in_an_earlier_epoch_is_resumed_while_the_run_lives():
    world = World()
    run = world.start()

    run.resume("gate")
    assert world.gate_runs.wait(WAIT_S)
    run.resume("part[1]")
    world.held.set()

    assert run.wait(WAIT_S).is_successful()
    assert run["gather"].result == ([0, 1], 5)
    assert world.tries == {("part", 0): 1, ("part", 1): 2, "gate": 2, "gather": 1}


def test_a_mapped_task_is_resumed_as_a_whole_without_what_does_not_wait():
    tries = Counter()

    @task
    def part(x):
        tries[x] += 1
        if tries[x] == 1:
            raise signals.PAUSE if x else ValueError
        return x

    with Flow("w") as flow:
        parts = part.map([0, 1, 2])
    run = flow.start(record=False)
    run.wait(WAIT_S)

    run.resume(parts).wait(WAIT_S)

    assert tries == {0: 1, 1: 2, 2: 2}
    assert [run[f"part[{i}]"].is_failed() for i in range(3)] == [True, False, False]


def test_retry_of_a_live_run_takes_what_failed_in_an_earlier_epoch():
    tries = Counter()
    runs_again, held = threading.Event(), threading.Event()

    @task
    def fails_once():
        tries["fails_once"] += 1
        if tries["fails_once"] == 1:
            raise ValueError
        return 1

    @task
    def below(x):
        return x + 1

    @task(trigger=triggers.manual_only)
    def gate():
        runs_again.set()
        assert held.wait(WAIT_S)

    with Flow("w") as flow:
        end = below(fails_once())
        gate()
    run = flow.start(executor=LocalDaskExecutor(num_workers=2), record=False)
    run.wait(WAIT_S)
    run.resume("gate")
    assert runs_again.wait(WAIT_S)

    run.retry()
    held.set()

    assert run.wait(WAIT_S).is_successful()
    assert run[end].result == 2


def test_retry_leaves_alone_what_failed_by_its_trigger_for_another_reason():
    tries = Counter()

    @task
    def well():
        return 1

    @task(trigger=triggers.all_failed)
    def never(x):
        return x

    @task
    def fails_once():
        tries["fails_once"] += 1
        if tries["fails_once"] == 1:
            raise ValueError

    with Flow("w") as flow:
        odd = never(well())
        other = fails_once()
    run = flow.start(record=False)
    run.wait(WAIT_S)

    state = run.retry().wait(WAIT_S)

    assert (type(state).__name__, state.message) == ("Failed", "never did not run: all_failed: 'well' did not fail.")
    assert (type(run[odd]).__name__, type(run[other]).__name__) == ("TriggerFailed", "Success")


@pytest.mark.parametrize("is_live", [False, True])
def test_children_that_could_not_run_for_want_of_an_unmapped_input_run_once_it_is_there(is_live):
    tries = Counter()
    all_failed, held = threading.Event(), threading.Event()

    @task
    def shared():
        tries["shared"] += 1
        if tries["shared"] == 1:
            raise ValueError
        return 10

    @task
    def add(x, y):
        tries["add"] += 1
        return x + y

    @task(trigger=triggers.all_finished)
    def after(sums):
        if tries["shared"] == 1:
            all_failed.set()
            assert held.wait(WAIT_S)
        return sums

    with Flow("w") as flow:
        sums = add.map([1, 2], unmapped(shared()))
        after(sums)
    run = flow.start(executor=LocalDaskExecutor(num_workers=2), record=False)
    assert all_failed.wait(WAIT_S)
    if not is_live:
        held.set()
        run.wait(WAIT_S)

    run.retry()
    held.set()
    run.wait(WAIT_S)

    assert run[sums].result == [11, 12]
    assert tries == {"shared": 2, "add": 2}


def test_a_retried_task_below_another_is_asked_for_by_its_trigger_in_its_turn():
    tries = Counter()
    has_failed, held = threading.Event(), threading.Event()

    @task
    def fails_once():
        tries["fails_once"] += 1
        if tries["fails_once"] == 1:
            raise ValueError

    @task(trigger=triggers.any_failed)
    def on_failure(x):
        del x
        tries["on_failure"] += 1
        raise ValueError

    @task(trigger=triggers.all_finished)
    def slow(x):
        del x
        if tries["fails_once"] == 1:
            has_failed.set()
            assert held.wait(WAIT_S)

    with Flow("w") as flow:
        handler = on_failure(fails_once())
        slow(handler)
    run = flow.start(executor=LocalDaskExecutor(num_workers=2), record=False)
    assert has_failed.wait(WAIT_S)

    run.retry()
    held.set()
    run.wait(WAIT_S)

    assert tries == {"fails_once": 2, "on_failure": 1}
    assert type(run[handler]).__name__ == "TriggerFailed"
