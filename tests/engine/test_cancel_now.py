"""`cancel(now=True)`, or a second cancel, stops what runs in this process as a timeout does."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from flowbook import Flow, resource_manager, task
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Cancelled
from flowbook.executors import LocalDaskExecutor, LocalExecutor

EXECUTORS = {
    "local": LocalExecutor,
    "threads": lambda: LocalDaskExecutor("threads", num_workers=2),
    "synchronous": lambda: LocalDaskExecutor("synchronous"),
}


@pytest.fixture(params=EXECUTORS)
def executor(request):
    return EXECUTORS[request.param]()


def spinning(begun, **options):
    """Return a task that runs Python code for ever."""

    def spin():
        begun.set()
        for _ in itertools.count():
            pass

    return task(spin, **options)


@task
def after(x=None):
    return x


def started(flow, begun, executor):
    run = flow.start(executor=executor, record=False)
    assert begun.wait(30)
    return run


@pytest.mark.parametrize("options", [{}, {"timeout": 50}, {"log_stdout": True}, {"max_retries": 2, "retry_delay": 0}])
def test_what_runs_is_stopped_and_is_cancelled(executor, options):
    begun = threading.Event()
    with Flow("f") as flow:
        after(spinning(begun, **options)())
    run = started(flow, begun, executor)

    run.cancel(now=True)
    state = run.wait(30)

    assert (type(state), type(run["spin"]), run["spin"].message) == (
        Cancelled,
        Cancelled,
        "Cancelled by a person while it ran.",
    )
    assert type(run["after"]).__name__ == "Pending"


def test_a_second_cancel_stops_what_runs_and_the_first_one_says_that_it_is_cancelling(executor):
    begun = threading.Event()
    with Flow("f") as flow:
        spinning(begun)()
    run = started(flow, begun, executor)

    run.cancel()
    between = (type(run["spin"]).__name__, run.wait(0.05).is_finished())
    run.cancel()
    state = run.wait(30)

    names = [type(e.state).__name__ for e in run.events() if isinstance(e, StateChanged) and e.key == "spin"]
    assert (between, type(state), names) == (
        ("Cancelling", False),
        Cancelled,
        ["Running", "Cancelling", "Cancelled"],
    )


def test_a_clean_up_is_not_stopped():
    begun, cleaned = threading.Event(), []

    @resource_manager
    class Connection:
        def setup(self):
            return 1

        def cleanup(self, value):
            for _ in range(1000):
                time.sleep(0)
            cleaned.append(value)

    with Flow("f") as flow, Connection() as connection:
        spinning(begun)(upstream_tasks=[connection])
    run = started(flow, begun, LocalExecutor())

    run.cancel(now=True)
    run.wait(30)

    assert cleaned == [1]
