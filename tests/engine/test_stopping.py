"""Tasks are stopped by a person, or by a time limit that passes: their code, what they wait in, and the runs they started."""

import threading
import time

import pytest

from flowbook import Flow, task
from flowbook.engine.state import Cancelled, Success, TimedOut
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from tests.interpreters import restless

WAIT_S = 20
STOPPED = "Cancelled by a person while it ran."
HERE = [LocalExecutor, lambda: LocalDaskExecutor(num_workers=3)]


def spin(began, ended):
    began.set()
    try:
        while True:
            time.sleep(0.001)
    finally:
        ended.set()


@pytest.fixture
def marks():
    return threading.Event(), threading.Event()


@pytest.mark.parametrize("executor", HERE)
@pytest.mark.parametrize("options", [{}, {"timeout": 60}, {"log_stdout": True}, {"state_handlers": [lambda *_: None]}])
def test_a_person_who_cancels_now_stops_the_code_that_runs(executor, options, marks):
    began, ended = marks
    with Flow("f") as flow:
        endless = task(lambda: spin(began, ended), name="endless", **options)()
        after = task(lambda x: x, name="after")(endless)
    run = flow.start(executor=executor())
    assert began.wait(WAIT_S)

    run.cancel(now=True)
    state = run.wait(WAIT_S)

    assert (type(state), repr(run[endless]), ended.is_set()) == (Cancelled, f"<Cancelled: {STOPPED!r}>", True)
    assert not run[after].is_finished()


def test_a_second_cancel_stops_what_the_first_let_run(marks):
    began, ended = marks
    with Flow("f") as flow:
        endless = task(lambda: spin(began, ended), name="endless")()
    run = flow.start()
    assert began.wait(WAIT_S)

    run.cancel()
    was_running = not ended.is_set()
    run.cancel()
    run.wait(WAIT_S)

    assert (was_running, type(run[endless])) == (True, Cancelled)


def test_children_of_a_mapped_task_are_stopped_and_counted_as_cancelled():
    began = threading.Barrier(3)

    @task
    def child(_):
        began.wait(WAIT_S)
        while True:
            time.sleep(0.001)

    with Flow("f") as flow:
        found = child.map([1, 2])
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    began.wait(WAIT_S)

    run.cancel(now=True)
    run.wait(WAIT_S)

    assert [type(each) for each in run[found].map_states] == [Cancelled, Cancelled]
    assert repr(run[found]) == "<Mapped: '2 of 2 were cancelled.'>"


def test_stopping_again_and_again_while_threads_switch_leaves_the_engine_in_order():
    with Flow("f") as flow:
        steps = [task(lambda: time.sleep(0.0001), name=f"step-{index}")() for index in range(30)]

    with restless():
        for _ in range(20):
            run = flow.start(executor=LocalDaskExecutor(num_workers=3))
            run.cancel(now=True)
            state = run.wait(WAIT_S)

            assert state.is_finished()
            assert run.state == state
    assert {type(run[step]).__name__ for step in steps} <= {"Pending", "Success", "Cancelled"}


class Inner:
    """A flow within a task, whose steps say when they begin."""

    def __init__(self, executor):
        self.begun = []
        self.first = threading.Event()
        self.executor = executor

    def __call__(self):
        def step(number):
            self.begun.append(number)
            self.first.set()
            for _ in range(3000):
                time.sleep(0.001)

        with Flow("inner") as inner:
            task(step, name="step").map(list(range(50)))
        self.flow = inner
        return repr(inner.run(executor=self.executor()))


@pytest.mark.parametrize("executor", HERE)
def test_the_time_limit_of_a_task_cancels_the_run_that_it_started(executor):
    inner = Inner(executor)
    with Flow("outer") as flow:
        outer = task(inner, name="outer", timeout=1)()

    state = flow.run().result[outer]
    inner_state = inner.flow.last_run.wait(WAIT_S)
    begun = list(inner.begun)

    assert (type(state), type(inner_state)) == (TimedOut, Cancelled)
    assert len(begun) <= 6
    assert inner.begun == begun


def test_a_retry_has_no_steps_of_the_attempt_before_beside_it():
    made = []

    @task(timeout=1, max_retries=1, retry_delay=0)
    def outer():
        inner = Inner(LocalExecutor)
        made.append(inner)
        return inner() if len(made) == 1 else "second"

    with Flow("f") as flow:
        found = outer()

    state = flow.run().result[found]
    first = made[0].flow.last_run.wait(WAIT_S)

    assert (type(state), state.result, type(first)) == (Success, "second", Cancelled)


@pytest.mark.parametrize("executor", HERE)
def test_who_cancels_a_run_now_cancels_the_runs_within_its_tasks(executor):
    inner = Inner(executor)
    with Flow("outer") as flow:
        outer = task(inner, name="outer")()
    run = flow.start()
    assert inner.first.wait(WAIT_S)

    run.cancel(now=True)
    run.wait(WAIT_S)
    inner_state = inner.flow.last_run.wait(WAIT_S)

    assert (type(run[outer]), type(inner_state)) == (Cancelled, Cancelled)


def test_a_task_within_its_time_limit_may_run_flows():
    with Flow("inner") as inner:
        one = task(lambda: 1, name="one")()
    with Flow("outer") as flow:
        outer = task(lambda: inner.run().result[one].result, name="outer", timeout=60)()

    assert flow.run().result[outer].result == 1


def test_many_timed_calls_give_their_own_values_however_often_threads_switch():
    with Flow("f") as flow:
        found = task(lambda x: x * 2, name="double", timeout=60).map(list(range(40)))

    with restless():
        state = flow.run(executor=LocalDaskExecutor(num_workers=4))

    assert state.result[found].result == [2 * number for number in range(40)]
