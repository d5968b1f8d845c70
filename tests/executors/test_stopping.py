"""A person stops what runs, wherever it runs: the tasks loop in Python code (engine.md, section 4)."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from flowbook import Flow, task, unmapped
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Cancelled, Cancelling, Running, Success
from flowbook.executors import DaskExecutor, LocalDaskExecutor
from flowbook.store import open_store
from tests.executors_of import AWAY, HERE, POOL, any_executor
from tests.notes import count, note

WAIT_S = 60
STOPPED = "Cancelled by Ann while it ran: wrong data"
ELSEWHERE = [*AWAY, *POOL, "cluster", "dask processes"]


@pytest.fixture
def executor(request):
    """Return the executor that the parameter names."""
    if request.param == "dask processes":
        return DaskExecutor(cluster_kwargs={"processes": True, "n_workers": 1, "threads_per_worker": 1})
    return any_executor(request)


@pytest.fixture
def begun(tmp_path):
    """Return a pipe: reading it waits until a task has said that it runs."""
    pipe = tmp_path / "begun"
    os.mkfifo(pipe)
    return pipe


def wait_until_it_runs(run, key, begun, executor=None):
    """Wait until a task has said that it runs, and its run knows; with a `get` of the user's own it hears so at the end."""
    begun.read_text()
    is_told_late = isinstance(executor, LocalDaskExecutor) and callable(executor.scheduler)
    while not is_told_late and not run[key].is_running():
        threading.Event().wait(0.005)


@task
def spin(begun, ran):
    """Loop until somebody stops it; the second time return at once."""
    note(ran, "spin")
    if count(ran)["spin"] > 1:
        return "second time"
    Path(begun).write_text("It runs.")
    while True:
        pass


@task
def after(value):
    return [value]


def endless(begun, ran):
    with Flow("endless") as flow:
        after(spin(begun, ran))
    return flow


@pytest.mark.parametrize("executor", [*HERE, *ELSEWHERE], indirect=True)
def test_a_person_who_cancels_now_stops_what_runs_and_it_runs_again_when_resumed(executor, begun, ran):
    flow = endless(begun, ran)
    run = flow.start(executor=executor, record=True)
    wait_until_it_runs(run, "spin", begun, executor)

    run.cancel(by="Ann", note="wrong data", now=True)
    state = run.wait(WAIT_S)
    stopped = run["spin"]
    resumed = run.resume().wait(WAIT_S)

    assert (type(state), repr(stopped)) == (Cancelled, f"<Cancelled: {STOPPED!r}>")
    assert (type(resumed), run["after"].result, count(ran)["spin"]) == (Success, ["second time"], 2)


@pytest.mark.parametrize("executor", ELSEWHERE, indirect=True)
def test_the_record_of_a_stopped_run_tells_what_memory_does(executor, begun, ran):
    run = endless(begun, ran).start(executor=executor, record=True)
    wait_until_it_runs(run, "spin", begun, executor)

    run.cancel()
    run.cancel()
    run.wait(WAIT_S)

    told = [type(event.state) for event in run.events() if isinstance(event, StateChanged) and event.key == "spin"]
    recorded = open_store().history.snapshot(run.run_id).states()
    assert told == [Running, Cancelling, Cancelled]
    assert {key: repr(state) for key, state in recorded.items() if key != FLOW} == {
        key: repr(state) for key, state in run.states.items() if state.message is not None
    }


def test_a_first_cancel_lets_a_task_on_a_worker_run_to_its_end(begun, tmp_path):
    go = tmp_path / "go"
    os.mkfifo(go)

    @task
    def patient(begun, go):
        Path(begun).write_text("It runs.")
        return Path(go).read_text()

    with Flow("patient") as flow:
        patient(begun, go)
    run = flow.start(executor=LocalDaskExecutor("processes", num_workers=1))
    wait_until_it_runs(run, "patient", begun)

    run.cancel()
    go.write_text("Go on.")
    state = run.wait(WAIT_S)

    assert (type(state), run["patient"].result) == (Cancelled, "Go on.")


def test_a_process_that_ignores_sigterm_is_killed(begun):
    @task
    def stubborn(begun):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(begun).write_text("It runs.")
        time.sleep(1000)

    with Flow("stubborn") as flow:
        stubborn(begun)
    run = flow.start(executor=LocalDaskExecutor("processes", num_workers=1))
    wait_until_it_runs(run, "stubborn", begun)

    run.cancel(by="Ann", now=True)
    run.wait(WAIT_S)

    assert repr(run["stubborn"]) == "<Cancelled: 'Cancelled by Ann while it ran.'>"


def test_no_process_takes_the_place_of_a_stopped_one(begun, ran):
    executor = LocalDaskExecutor("processes", num_workers=1)
    processes = Watched(executor.start())
    executor.start = lambda: processes.pool
    run = endless(begun, ran).start(executor=executor)
    wait_until_it_runs(run, "spin", begun)
    before = [worker.process.pid for worker in processes.pool._workers]

    run.cancel(now=True)
    run.wait(WAIT_S)

    assert before
    assert processes.at_the_end == []


class Watched:
    """A pool, and which of its workers were left when it was closed."""

    def __init__(self, pool):
        self.pool = pool
        self.at_the_end = None
        leave = pool.__class__.__exit__

        class Closing(pool.__class__):
            def __exit__(pool, *error):  # noqa: N805  # `self` is around it
                self.at_the_end = list(pool._workers)
                return leave(pool, *error)

        pool.__class__ = Closing


@pytest.mark.parametrize("executor", ["dask", "waves", "cluster"], indirect=True)
@pytest.mark.parametrize("options", [{"timeout": 600}, {"log_stdout": True}])
def test_a_task_with_options_is_stopped_as_well(executor, options, begun, ran):
    with Flow("endless") as flow:
        found = task(spin.run, name="spin", **options)(begun, ran)
    run = flow.start(executor=executor)
    wait_until_it_runs(run, found, begun, executor)

    run.cancel(now=True)
    run.wait(WAIT_S)

    assert repr(run[found]) == "<Cancelled: 'Cancelled by a person while it ran.'>"


@pytest.mark.parametrize("executor", ["processes", "dask", "waves", "cluster"], indirect=True)
def test_children_that_run_are_stopped_and_those_that_wait_never_begin(executor, begun, ran):
    with Flow("many") as flow:
        found = spin.map([begun], unmapped(ran))
        task(lambda x: x, name="after").map(found)
    run = flow.start(executor=executor)
    wait_until_it_runs(run, "spin[0]", begun, executor)

    run.cancel(now=True)
    state = run.wait(WAIT_S)

    assert (type(state), [type(each) for each in run[found].map_states]) == (Cancelled, [Cancelled])


@pytest.mark.parametrize("executor", ["dask", "cluster"], indirect=True)
def test_a_run_within_a_task_on_a_worker_is_cancelled_with_it(executor, begun, ran, tmp_path):
    ended = tmp_path / "ended"

    @task
    def outer():
        inner = endless(begun, ran)
        try:
            inner.run(record=False)
        finally:
            ended.write_text(repr(inner.last_run["spin"]))

    with Flow("outer") as flow:
        outer()
    run = flow.start(executor=executor)
    wait_until_it_runs(run, "outer", begun, executor)

    run.cancel(by="Ann", now=True)
    run.wait(WAIT_S)

    within = "Cancelled by a person while it ran: The task that started it was stopped."
    assert repr(run["outer"]) == "<Cancelled: 'Cancelled by Ann while it ran.'>"
    assert ended.read_text() == f"<Cancelled: {within!r}>"


def test_stopping_a_run_in_which_nothing_runs_on_a_worker_ends_it(begun, ran):
    executor = LocalDaskExecutor("processes", num_workers=1)
    run = endless(begun, ran).start(executor=executor)

    run.cancel(now=True)
    state = run.wait(WAIT_S)

    assert type(state) is Cancelled
