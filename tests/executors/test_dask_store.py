"""Values of recorded and cached tasks: workers in reach of the store put them there themselves, and read them from it."""

import os
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, Nanny, Scheduler, SpecCluster

from flowbook import Flow, Parameter, run, task
from flowbook.engine.cache_validators import all_inputs, code_and_inputs, partial_inputs_only
from flowbook.engine.events import Logged, StateChanged
from flowbook.executors import DaskExecutor
from flowbook.results import Result
from flowbook.results.pickled_value import PickledValue
from tests.notes import count, note

LARGE = 5_000_000


@pytest.fixture
def executor(cluster):
    return DaskExecutor(cluster.scheduler_address)


class Telling:
    """Leaves a line with the process's number wherever it is unpickled."""

    def __init__(self, file, size):
        self.file = file
        self.content = os.urandom(size)

    def __reduce__(self):
        return _told, (self.file, self.content)


def _told(file, content):
    note(file, os.getpid())
    found = Telling(file, 0)
    found.content = content
    return found


@task
def size_of(value):
    return len(value.content)


def test_a_stored_value_is_not_made_again_when_its_worker_dies(cluster, executor, ran, tmp_path):
    @task
    def make(file):
        note(file, "make")
        return np.full(LARGE, 7, dtype="u1")

    @task
    def wait_for(array, path):
        deadline = time.monotonic() + 20
        while not Path(path).exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        return int(array.sum())

    with Flow("stored") as flow:
        made = make(str(ran))
        slow = wait_for(made, str(tmp_path / "go"))
        after = wait_for(made, str(tmp_path / "go"), upstream_tasks=[slow])

    is_running = threading.Event()

    class Sink:
        def emit(self, event):
            if isinstance(event, StateChanged) and event.key == "wait_for" and event.state.is_running():
                is_running.set()

    run = flow.start(executor=executor, record=True)
    run.subscribe(Sink())
    assert run["wait_for"].is_running() or is_running.wait(20)
    with Client(cluster, set_as_default=False) as client:
        for number in client.run(os.getpid).values():
            os.kill(number, signal.SIGKILL)
    (tmp_path / "go").touch()
    run.wait(30)
    run.retry().wait(30)

    assert count(ran) == {"make": 1}
    assert run[after].result == 7 * LARGE


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_the_driver_of_a_recorded_run_never_unpickles_what_workers_pass_on(executor, ran, size):
    @task
    def make(file):
        return Telling(file, size)

    with Flow("stored") as flow:
        made = make(str(ran))
        measured = size_of(made)

    state = flow.run(executor=executor, record=True)
    before = count(ran)
    found = run(flow.last_run.run_id)[made.name].result

    assert state.result[measured].result == size
    assert str(os.getpid()) not in before
    assert len(found.content) == size


def test_what_is_read_from_the_store_can_be_written_to_and_is_each_readers_own(executor):
    @task
    def make():
        return np.zeros(LARGE, dtype="u1")

    @task
    def fill(array):
        before = int(array.sum())
        array[:] = 1
        return before, int(array.sum())

    with Flow("stored") as flow:
        made = make()
        filled = [fill(made) for _ in range(3)]

    state = flow.run(executor=executor, record=True)

    assert [state.result[each].result for each in filled] == [(0, LARGE)] * 3


def test_a_large_output_is_cached_without_a_way_through_the_driver(executor, ran):
    @task(cache_for=timedelta(hours=1))
    def make(file):
        return Telling(file, 1_000_000)

    with Flow("stored") as flow:
        made = make(str(ran))
        measured = size_of(made)

    first = flow.run(executor=executor)
    before = count(ran)
    second = flow.run(executor=executor)

    assert first.result[measured].result == second.result[measured].result == 1_000_000
    assert str(os.getpid()) not in before
    assert second.result[made].is_cached()


@task
def ones(size):
    return np.ones(size, dtype="u1")


@pytest.mark.parametrize("validator", [all_inputs, code_and_inputs, partial_inputs_only(["array"])])
def test_outputs_are_looked_up_by_hashes_that_workers_made_of_inputs(executor, ran, validator):
    @task(cache_for=timedelta(hours=1), cache_validator=validator)
    def measure(array, file):
        note(file, "measure")
        return int(array.sum())

    with Flow("hashes") as flow:
        size = Parameter("size")
        made = ones(size)
        measured = measure(made, str(ran))

    states = [flow.run(executor=executor, size=size) for size in (1_000_000, 1_000_000, 1_000_001)]
    here = flow.run(size=1_000_000)

    assert [state.result[measured].result for state in states] == [1_000_000, 1_000_000, 1_000_001]
    assert here.result[measured].result == 1_000_000
    assert count(ran) == {"measure": 2}
    assert not any(isinstance(state.result[made].reference.handle, PickledValue) for state in states)


def test_names_and_targets_load_only_the_inputs_that_they_are_made_of(executor, tmp_path):
    @task(task_run_name="size {size}", target="{size}.bin", result=Result(tmp_path / "files"))
    def measure(array, size):
        return int(array.sum()) + size

    with Flow("names") as flow:
        made = ones(1_000_000)
        measured = measure(made, 5)

    state = flow.run(executor=executor)

    assert state.result[measured].result == 1_000_005
    assert (tmp_path / "files" / "5.bin").exists()
    assert not isinstance(state.result[made].reference.handle, PickledValue)


def test_a_worker_out_of_the_stores_reach_gets_values_through_the_driver(home, ran):
    @task(tags=["dask-resource:NEAR=1"])
    def make(folder):
        for token in Path(folder).glob("work/*/token"):
            token.write_text("another folder")  # as the other worker, which has not looked yet, will find it
        return np.ones(LARGE, dtype="u1")

    @task(tags=["dask-resource:FAR=1"])
    def double(array, file):
        note(file, "double")
        return array * 2

    with Flow("stored") as flow:
        doubled = double(make(str(home)), str(ran))
    workers = {
        name: {"cls": Nanny, "options": {"nthreads": 1, "resources": {name: 1}, "silence_logs": 50}}
        for name in ("NEAR", "FAR")
    }
    scheduler = {"cls": Scheduler, "options": {"dashboard": False, "dashboard_address": "127.0.0.1:0"}}
    with SpecCluster(workers, scheduler, silence_logs=50) as cluster:
        state = flow.run(executor=DaskExecutor(cluster.scheduler_address), record=True)

    assert state.result[doubled].result.sum() == 2 * LARGE
    assert count(ran) == {"double": 1}
    said = [e.text for e in flow.last_run.events() if isinstance(e, Logged)]
    assert said == ["The store is out of a worker's reach: stored values go to the cluster through this process."]


def test_nothing_of_a_run_is_left_in_the_stores_folder_of_work(executor, home):
    with Flow("stored") as flow:
        size_of(task(lambda: Telling(os.devnull, 100_000), name="make")())

    flow.run(executor=executor, record=True)

    assert list((home / "work").iterdir()) == []
