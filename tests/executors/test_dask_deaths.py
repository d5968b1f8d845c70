"""What becomes of tasks whose worker dies, and of a run that is cancelled: nothing begun is begun again."""

import os
import signal
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import dask
import pytest
from distributed import Client

from flowbook import Flow, context, task, unmapped
from flowbook.engine.events import StateChanged
from flowbook.executors import DaskExecutor
from tests.notes import count, note

SOON = timedelta(milliseconds=1)
either = pytest.mark.parametrize("record", [True, False], ids=["recorded", "not-recorded"])


@pytest.fixture
def executor(cluster):
    return DaskExecutor(cluster.scheduler_address)


def names_of(run, key):
    return [type(e.state).__name__ for e in run.events() if isinstance(e, StateChanged) and e.key == key]


@task
def number():
    return 1


@either
def test_a_task_that_ends_its_worker_runs_once_and_says_what_happened(executor, ran, record):
    @task
    def leave(file):
        note(file, "leave")
        os._exit(3)

    with Flow("deaths") as flow:
        left, fine = leave(str(ran)), number()

    state = flow.run(executor=executor, record=record)

    assert count(ran) == {"leave": 1}
    assert type(state.result[left]).__name__ == "Crashed"
    assert state.result[left].message.startswith("Its worker (process ")
    assert "ended while it ran. Look for os._exit" in state.result[left].message
    assert state.result[fine].result == 1


@either
def test_an_attempt_that_killed_its_worker_is_counted_and_made_again(executor, ran, record):
    @task(max_retries=2, retry_delay=SOON)
    def killed_twice(file):
        note(file, context.task_run_count)
        if context.task_run_count < 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return context.task_run_count

    with Flow("deaths") as flow:
        killed = killed_twice(str(ran))

    state = flow.run(executor=executor, record=record)

    assert count(ran) == {"1": 1, "2": 1, "3": 1}
    assert state.result[killed].result == 3
    expected = ["Running", "Crashed", "Retrying", "Running", "Crashed", "Retrying", "Running", "Success"]
    assert names_of(flow.last_run, "killed_twice") == expected


@either
def test_of_a_batch_whose_worker_dies_only_the_child_that_ran_is_lost(executor, ran, record):
    @task
    def mostly(n, file):
        note(file, n)
        if n == 60:
            os._exit(1)
        return n

    with Flow("deaths") as flow:
        mapped = mostly.map(list(range(100)), unmapped(str(ran)))

    state = flow.run(executor=executor, record=record)

    names = [type(s).__name__ for s in state.result[mapped].map_states]
    assert names == ["Success"] * 60 + ["Crashed"] + ["Success"] * 39
    assert set(count(ran).values()) == {1}
    assert len(count(ran)) == 100


def test_no_call_begins_once_cancel_has_returned(executor, tmp_path):
    @task
    def doze(folder):
        Path(folder, f"{context.map_index}-{time.monotonic()}").touch()
        time.sleep(0.02)

    with Flow("deaths") as flow:
        doze.map([str(tmp_path)] * 400)

    run = flow.start(executor=executor)
    while len(list(tmp_path.glob("*-*"))) < 10:
        time.sleep(0.002)
    run.cancel()
    returned = time.monotonic()
    state = run.wait(20)

    begun = [float(path.name.partition("-")[2]) for path in tmp_path.glob("*-*")]
    assert state.is_cancelled()
    assert max(begun) < returned
    assert len(begun) < 400
    names = Counter(type(run.states[f"doze[{i}]"]).__name__ for i in range(400))
    assert names == {"Success": len(begun), "Pending": 400 - len(begun)}


def test_workers_are_free_once_a_cancelled_run_has_ended(cluster, executor, tmp_path):
    @task
    def wait_for(folder):
        Path(folder, f"begun-{context.map_index}").touch()
        deadline = time.monotonic() + 20
        while not Path(folder, "go").exists() and time.monotonic() < deadline:
            time.sleep(0.002)

    with Flow("deaths") as flow:
        wait_for.map([str(tmp_path)] * 30)

    run = flow.start(executor=executor)
    while not list(tmp_path.glob("begun-*")):
        time.sleep(0.002)
    run.cancel()
    (tmp_path / "go").touch()
    run.wait(20)

    with Client(cluster, set_as_default=False) as client:
        assert client.submit(pow, 2, 5, pure=False).result(timeout=10) == 32
        assert client.run_on_scheduler(_tasks_of_flows) == []


def _tasks_of_flows(dask_scheduler):
    return [key for key in dask_scheduler.tasks if not key.startswith("pow-")]


def test_a_worker_of_a_temporary_cluster_comes_back_each_time_it_dies(ran):
    @task(max_retries=2, retry_delay=SOON)
    def killed_twice(file):
        note(file, context.task_run_count)
        if context.task_run_count < 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return context.task_run_count

    with Flow("deaths") as flow:
        killed = killed_twice(str(ran))
    one = {"processes": True, "n_workers": 1, "threads_per_worker": 1, "silence_logs": 50}

    with dask.config.set({"distributed.deploy.lost-worker-timeout": "10ms"}):  # looks while the worker starts anew
        state = flow.start(executor=DaskExecutor(cluster_kwargs=one)).wait(40)

    assert state.result[killed].result == 3
    assert count(ran) == {"1": 1, "2": 1, "3": 1}
