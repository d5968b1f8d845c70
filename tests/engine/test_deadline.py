"""Timeouts: seconds or a timedelta, fractions, on every executor and in background threads."""

import asyncio
import datetime as dt
import os
import signal
import sys
import threading
import time

import pytest

from flowbook import Flow, context, task
from flowbook.engine.state import Cancelled, Failed, Retrying, TimedOut
from tests.executors_of import everywhere

TOOK_LONGER = (
    "Took longer than 0.05 s. Its thread was told to stop; a sleep or C code in it may still go on, and what it "
    "returns is dropped."
)
#: A time limit within which an attempt begins, and ends if it does little, on a busy machine too.
ENOUGH_S = 0.8
LONG_S = 30


def kinds(flow, key):
    return [
        type(event.state).__name__ for event in flow.last_run.events() if event.key == key and hasattr(event, "state")
    ]


@everywhere
@pytest.mark.parametrize("timeout", [ENOUGH_S, dt.timedelta(seconds=ENOUGH_S)])
def test_a_task_that_takes_too_long_is_timed_out_and_told_what_may_go_on(executor, timeout):
    stopped = threading.Event()

    @task(timeout=timeout)
    def spins():
        try:
            while True:
                time.sleep(0.001)
        finally:
            stopped.set()

    with Flow("slow") as flow:
        end = spins()

    state = flow.run(executor=executor)

    assert type(state.result[end]) is TimedOut
    assert isinstance(state.result[end].result, TimeoutError)
    assert state.result[end].message == TOOK_LONGER.replace("0.05", str(ENOUGH_S))
    assert stopped.wait(LONG_S)


@everywhere
def test_a_timeout_is_retried_like_a_failure_and_a_late_result_is_dropped(executor):
    attempts, go_on, late = [], threading.Event(), threading.Event()

    @task(timeout=ENOUGH_S, max_retries=1, retry_delay=0, retry_on=TimeoutError)
    def load():
        attempts.append(context.task_run_count)
        if len(attempts) == 1:
            try:
                go_on.wait()
            finally:
                late.set()
            return "late"
        return "in time"

    with Flow("slow") as flow:
        end = load()

    state = flow.run(executor=executor)
    go_on.set()

    assert state.result[end].result == "in time"
    assert attempts == [1, 2]
    assert kinds(flow, "load") == ["Running", "TimedOut", "Retrying", "Running", "Success"]
    assert late.wait(LONG_S)
    assert flow.last_run[end].result == "in time"


@everywhere
def test_a_task_in_time_keeps_its_value_error_context_and_async(executor):
    @task(timeout=30)
    async def value(x):
        await asyncio.sleep(0)
        return x, context.task_name

    @task(timeout=30)
    def error():
        msg = "own"
        raise ValueError(msg)

    with Flow("quick") as flow:
        good, bad = value(1), error()

    state = flow.run(executor=executor)

    assert state.result[good].result == (1, "value")
    assert state.result[bad].message == "ValueError: own"


def test_a_timeout_works_in_a_background_run():
    never = threading.Event()

    @task(timeout=0.05)
    def waits():
        never.wait()

    with Flow("slow") as flow:
        end = waits()

    state = flow.start().wait(30)
    never.set()

    assert (type(state), state.message) == (Failed, f"waits failed: {TOOK_LONGER}")
    assert (type(state.result[end]), state.result[end].message) == (TimedOut, TOOK_LONGER)


def test_each_child_of_a_mapped_task_has_its_own_time():
    never = threading.Event()

    @task(timeout=ENOUGH_S)
    def waits(x):
        if x == 1:
            never.wait()
        return x

    with Flow("slow") as flow:
        end = waits.map([0, 1, 2])

    state = flow.run()
    never.set()

    assert [type(child).__name__ for child in state.result[end].map_states] == ["Success", "TimedOut", "Success"]


def test_prints_of_a_timed_task_are_logged():
    @task(timeout=30, log_stdout=True)
    def speaks():
        print("hello")  # noqa: T201

    with Flow("speaks") as flow:
        speaks()

    flow.run()

    assert [line.text for line in flow.last_run.logs()] == ["hello"]


@everywhere
def test_async_tasks_run_on_every_executor_and_beside_a_loop(executor):
    @task
    async def add(x, y):
        await asyncio.sleep(0)
        return x + y

    with Flow("async") as flow:
        end = add(1, 2)

    async def beside():
        return flow.run(executor=executor)

    results = flow.run(executor=executor).result[end].result, asyncio.run(beside()).result[end].result

    assert results == (3, 3)


def test_retrying_after_a_timeout_keeps_the_inputs():
    never = threading.Event()

    @task(timeout=0.05, max_retries=1, retry_delay=0)
    def waits(x):
        del x
        never.wait()

    with Flow("slow") as flow:
        waits(7)

    flow.run()
    never.set()
    (retrying,) = [e.state for e in flow.last_run.events() if hasattr(e, "state") and isinstance(e.state, Retrying)]

    assert retrying.cached_inputs == {"x": 7}


def test_a_copy_may_have_a_timeout_of_its_own():
    never = threading.Event()
    wait = task(never.wait, name="wait")
    with Flow("slow") as flow:
        end = wait(30, task_args={"timeout": 0.05})

    state = flow.run()
    never.set()

    assert (type(state.result[end]), state.result[end].message) == (TimedOut, TOOK_LONGER)


def test_sys_exit_in_a_timed_task_fails_that_task_only():
    leave = task(lambda: sys.exit(3), name="leave", timeout=30)
    with Flow("exit") as flow:
        end = leave()

    state = flow.run()

    assert state.result[end].message == "SystemExit: 3"


@pytest.fixture
def heeds_ctrl_c():
    """Let Ctrl-C raise, as in a terminal: what a shell starts in the background begins with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_stops_a_timed_task_and_cancels_the_run():
    stopped = threading.Event()

    @task(timeout=30)
    def spins():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                time.sleep(0.001)
        finally:
            stopped.set()

    with Flow("slow") as flow:
        end = spins()

    state = flow.run()

    assert (type(state), state.message) == (Cancelled, "Cancelled by a person.")
    assert (type(state.result[end]), state.result[end].message) == (Cancelled, "Cancelled by Ctrl-C while it ran.")
    assert stopped.wait(LONG_S)
