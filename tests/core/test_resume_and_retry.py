"""Resuming and retrying runs, here and in another process."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

import flowbook
import flowbook.exceptions
from flowbook import Flow, task, triggers
from flowbook.engine import signals
from flowbook.engine.events import Decided
from flowbook.engine.state import Paused, Success
from flowbook.exceptions import RunClaimedError, StartTaskError
from flowbook.executors import LocalDaskExecutor
from tests.core.run_programs import LONG_S, approve, double, one
from tests.executors_of import everywhere


@everywhere
def test_a_paused_run_goes_on_under_the_same_id_and_nothing_runs_twice(executor):
    ran = Counter()

    @task
    def counted(x):
        ran[x] += 1
        return x

    with Flow("f") as flow:
        a = approve(counted(1))
        d = double(a)
    flow.run(executor=executor)
    run = flow.last_run
    before = run.run_id, run.events()[-1].seq

    state = run.resume(a, by="ada", note="looks right").wait(LONG_S)

    decided = next(event for event in run.events() if isinstance(event, Decided))
    assert state.is_successful()
    assert (run.run_id, run[d].result, ran) == (before[0], 2, {1: 1})
    assert (decided.seq, decided.by, decided.note, decided.key) == (before[1] + 1, "ada", "looks right", "approve")
    assert [event.seq for event in run.events()] == list(range(1, len(run.events()) + 1))


def test_a_live_run_goes_on_with_a_paused_task_while_other_branches_still_run():
    gate, below = threading.Event(), threading.Event()

    @task
    def slow():
        return gate.wait(LONG_S)

    @task
    def after(x):
        below.set()
        return x

    with Flow("f") as flow:
        slow()
        a = approve(one())
        after(a)
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    while not isinstance(run["approve"], Paused):
        gate.wait(0.001)

    run.resume(a)
    came_through = below.wait(LONG_S)
    live = run.is_live
    gate.set()

    assert (came_through, live) == (True, True)
    assert run.wait(LONG_S).is_successful()


@pytest.mark.parametrize("is_live", [True, False])
def test_of_fifty_that_resume_at_once_one_wins_and_the_task_runs_once(is_live):
    gate, ran, outcomes = threading.Event(), [], []

    @task(trigger=triggers.manual_only)
    def once():
        ran.append(1)

    @task
    def slow():
        gate.wait(LONG_S if is_live else 0)

    with Flow("f") as flow:
        o = once()
        slow()
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    while not isinstance(run["once"], Paused) or (run.is_live and not is_live):
        gate.wait(0.001)
    everybody = threading.Barrier(50)

    def try_it():
        everybody.wait()
        try:
            run.resume(o)
            outcomes.append("won")
        except (RunClaimedError, StartTaskError) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=try_it) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.set()
    run.wait(LONG_S)

    assert (len(ran), outcomes.count("won")) == (1, 1)
    assert len(outcomes) == 50


@everywhere
def test_retry_runs_what_failed_and_what_could_not_run_because_of_it(executor):
    ran, broken = Counter(), [True]

    @task(max_retries=1, retry_delay=0)
    def flaky():
        ran["flaky"] += 1
        if broken[0]:
            raise OSError("down")
        return 1

    @task
    def steady():
        ran["steady"] += 1
        return 1

    @task
    def plus(x, y):
        return x + y

    with Flow("f") as flow:
        p = plus(flaky(), steady())
    flow.run(executor=executor)
    broken[0] = False

    state = flow.last_run.retry().wait(LONG_S)

    assert (state.is_successful(), flow.last_run[p].result) == (True, 2)
    assert ran == {"flaky": 3, "steady": 1}


@everywhere
def test_retry_takes_a_task_that_failed_because_of_another_after_it(executor):
    broken, too_early = [True], threading.Event()

    @task
    def source():
        if broken[0]:
            raise OSError("down")
        too_early.wait(0.05)
        return [1, 2]

    @task(trigger=triggers.always_run)
    def each(x):
        return x

    @task(trigger=triggers.always_run)
    def needs(x):
        if not broken[0]:
            too_early.set()
        return x[0]

    with Flow("f") as flow:
        s = source()
        m, n = each.map(s), needs(s)
    flow.run(executor=executor)
    broken[0] = False

    state = flow.last_run.retry().wait(LONG_S)

    assert state.is_successful()
    assert (flow.last_run[m].result, flow.last_run[n].result) == ([1, 2], 1)


@everywhere
def test_retry_of_one_child_runs_only_its_branch(executor):
    ran, broken = Counter(), [True]

    @task
    def first(x):
        ran["first", x] += 1
        if x == 2 and broken[0]:
            raise OSError("down")
        return x

    @task
    def second(x):
        ran["second", x] += 1
        return x

    @task
    def total(items):
        return sum(items)

    with Flow("f") as flow:
        t = total(second.map(first.map([1, 2, 3])))
    flow.run(executor=executor)
    broken[0] = False

    state = flow.last_run.retry().wait(LONG_S)

    assert (state.is_successful(), flow.last_run[t].result) == (True, 6)
    assert ran == {(n, x): 2 if (n, x) == ("first", 2) else 1 for n in ("first", "second") for x in (1, 2, 3)}


@everywhere
def test_mapped_tasks_pause_and_resume_child_by_child_or_as_a_whole(executor):
    ran = []

    @task(trigger=triggers.manual_only)
    def each(x):
        ran.append(x)
        return x

    with Flow("f") as flow:
        m = each.map([1, 2, 3])
        d = double.map(m)
    flow.run(executor=executor)
    run = flow.last_run

    run.resume("each[1]").wait(LONG_S)
    after_one, below = list(ran), run["double[1]"].result
    state = run.resume(m).wait(LONG_S)

    assert (after_one, below) == ([2], 4)
    assert sorted(ran) == [1, 2, 3]
    assert (type(state), run[d].result) == (Success, [2, 4, 6])


@everywhere
def test_a_mapped_task_of_a_run_that_waits_has_its_children_so_far(executor):
    @task
    def look(x):
        if x == 2 and not flowbook.context.resume:
            raise signals.PAUSE
        return x

    with Flow("f") as flow:
        m = look.map([1, 2, 3])
        d = double.map(m)
    flow.run(executor=executor)

    found = flow.last_run[m]

    assert [type(child).__name__ for child in found.map_states] == ["Success", "Paused", "Success"]
    assert found.result == [1, None, 3]
    assert flow.last_run[d].n_map_states == len(flow.last_run[d].map_states)
