from __future__ import annotations

import gc
import logging
import threading
import weakref

import pytest

from flowbook import Flow, task
from flowbook.executors import Executor, LocalDaskExecutor, LocalExecutor
from flowbook.executors.waves import _Daemon
from tests.executors_of import AWAY, HERE, everywhere
from tests.scripts import start

WAIT_S = 20


@everywhere
def test_what_is_submitted_is_computed_by_wait(executor):
    with executor.start() as started:
        futures = [started.submit(pow, 2, n, extra_context={"task": "t"}) for n in range(4)]
        single = started.wait(started.submit(int, "7"))
        values = started.wait(futures)

    assert (list(values), single) == ([1, 2, 4, 8], 7)


@everywhere
def test_keywords_are_handed_on(executor):
    with executor.start() as started:
        assert started.wait(started.submit(int, "ff", base=16)) == 255


def test_the_local_executor_runs_one_loop_in_this_thread():
    threads = []

    LocalExecutor().run_loops(lambda: threads.append(threading.current_thread()))

    assert threads == [threading.current_thread()]


def test_threads_run_as_many_loops_at_once_as_there_are_workers():
    meeting, threads = threading.Barrier(3, timeout=20), set()

    def loop():
        meeting.wait()
        threads.add(threading.current_thread())

    LocalDaskExecutor("threads", num_workers=3).run_loops(loop)

    assert len(threads) == 3


def test_synchronous_runs_one_loop_in_this_thread():
    threads = []

    LocalDaskExecutor("synchronous", num_workers=4).run_loops(lambda: threads.append(threading.current_thread()))

    assert threads == [threading.current_thread()]


def test_executors_say_what_they_are():
    made = [LocalExecutor(), LocalDaskExecutor(num_workers=2), LocalDaskExecutor(num_workers=1)]

    assert [each.describe() for each in made] == [
        "local, one task at a time",
        "threads, 2 workers",
        "threads, 1 worker",
    ]
    assert [repr(each) for each in made[:2]] == [
        "LocalExecutor()",
        "LocalDaskExecutor(scheduler='threads', num_workers=2)",
    ]
    assert Executor().describe() == "Executor"


def test_the_base_takes_no_work():
    with pytest.raises(NotImplementedError):
        Executor().submit(print)
    with pytest.raises(NotImplementedError):
        Executor().wait([])


class Value:
    """Can be watched by a weak reference."""


@pytest.fixture
def _unlogged():
    """Let pytest keep no log records: they hold the errors that they are about."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_unlogged")
@pytest.mark.parametrize("make", (HERE | AWAY).values(), ids=HERE | AWAY)
def test_an_executor_holds_no_value_and_no_error_after_a_run(make):
    made = []

    def note(_, __, new):
        if new.is_finished() and new.reference is None and new.result is not None:
            made.append(threading.Event())
            weakref.finalize(new.result, made[-1].set)

    @task(state_handlers=[note])
    def give():
        return Value()

    @task(state_handlers=[note])
    def take(value):
        return [value, Value()][1]

    @task(state_handlers=[note])
    def fail(value):
        raise OwnError(value)

    with Flow("holds") as flow:
        fail(take(give()))
    executor = make()

    flow.run(executor=executor, record=False)
    flow.last_run = None
    gc.collect()

    assert made
    assert [is_gone.wait(WAIT_S) for is_gone in made] == [True] * len(made)


def test_a_thread_that_made_a_call_of_a_wave_holds_nothing_of_it():
    value = Value()
    is_gone = threading.Event()
    weakref.finalize(value, is_gone.set)
    daemon = _Daemon()

    daemon.do(lambda value=value: ([value], {}))
    del value

    assert is_gone.wait(WAIT_S)
    daemon.end()


class OwnError(Exception):
    """Holds what it is given."""


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("threading", "threads"),
        ("multiprocessing", "processes"),
        ("sync", "synchronous"),
        ("single-threaded", "synchronous"),
    ],
)
def test_dasks_other_names_of_its_schedulers_are_taken(name, scheduler):
    executor = LocalDaskExecutor(name, num_workers=1)

    assert (executor.scheduler, repr(executor)) == (
        scheduler,
        f"LocalDaskExecutor(scheduler={scheduler!r}, num_workers=1)",
    )


def test_one_worker_runs_for_each_core_that_the_process_may_use(tmp_path):
    script = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from flowbook.executors import LocalDaskExecutor
print(LocalDaskExecutor().describe())
"""

    output, _ = start(script, tmp_path).communicate(timeout=50)

    assert output.splitlines() == ["threads, 1 worker"]
