"""Runs whose cluster has no worker for them: what they say of it, and how they go on or end."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from distributed import Scheduler, SpecCluster, Worker

from flowbook import Flow, context, task
from flowbook.engine.events import FLOW, Logged
from flowbook.executors import DaskExecutor
from flowbook.executors.worker_monitor import PendingCalls, WorkerInfo, WorkerMonitor

ROOT = Path(__file__).parents[2]
PATIENCE_S = 40
GPU = (("GPU", 1.0),)
ONE = {(): PendingCalls(("load",), 1)}
WARNING, INFO = 30, 20
GOES_ON = "The run goes on by itself when one comes; cancel it to end it."


def watch():
    return WorkerMonitor("the cluster", "Start one: worker{option}.")


def test_that_workers_are_missing_is_said_after_a_few_seconds():
    monitor = watch()

    said = [monitor.check(ONE, [], now) for now in (100.0, 102.0, 103.9, 104.0, 106.0)]

    text = f"A task run ('load') waits for a worker: the cluster has no workers. Start one: worker. {GOES_ON}"
    assert said == [None, None, None, (WARNING, text), None]


@pytest.mark.parametrize(
    ("workers", "has"),
    [
        ([], "no workers"),
        ([WorkerInfo("running", {})], "1 worker, but none with that"),
        ([WorkerInfo("running", {"GPU": 0.5}), WorkerInfo("running", {"TPU": 1})], "2 workers, but none with that"),
        (
            [WorkerInfo("paused", {"GPU": 2}), WorkerInfo("running", {})],
            "2 workers, but of those that could do it each is paused",
        ),
    ],
)
def test_a_resource_that_no_worker_has_is_named_with_what_there_is(workers, has):
    monitor = watch()
    wanted = {(): ONE[()], GPU: PendingCalls(("train", "test", "plot", "send"), 7)} if workers else {GPU: ONE[()]}

    monitor.check(wanted, workers, 0.0)
    _, text = monitor.check(wanted, workers, 6.0)

    who = "7 task runs ('train', 'test', 'plot', …) wait" if workers else "A task run ('load') waits"
    asked = "for a worker with GPU=1 (tag dask-resource:GPU=1)"
    assert text == f'{who} {asked}: the cluster has {has}. Start one: worker --resources "GPU=1". {GOES_ON}'


def test_what_is_missing_is_said_again_ever_more_rarely():
    monitor = watch()

    said = [now for now in range(0, 12_000, 5) if monitor.check(ONE, [], float(now)) is not None]

    assert said == [5, 65, 185, 425, 905, 1865, 3785, 7385, 10985]


def test_a_worker_that_soon_comes_back_is_not_missed():
    monitor = watch()
    back = [WorkerInfo("running", {})]

    said = [monitor.check(ONE, workers, now) for workers, now in (([], 0.0), (back, 3.0), ([], 4.0), ([], 7.9))]

    assert said == [None] * 4


def test_what_has_begun_is_missed_a_worker_only_where_its_own_has_gone():
    begun = {(): PendingCalls(("load",), 0, 2)}
    paused = [WorkerInfo("paused", {})]

    found = []
    for workers in (paused, []):
        monitor = watch()
        monitor.check(begun, workers, 0.0)
        found.append(monitor.check(begun, workers, 4.0))

    assert found[0] is None
    assert found[1].text.startswith("2 task runs ('load') wait for a worker: the cluster has no workers.")


def test_that_a_run_goes_on_is_said_once_where_it_was_said_to_wait():
    monitor = watch()
    monitor.check({GPU: ONE[()]}, [], 0.0)
    monitor.check({GPU: ONE[()]}, [], 5.0)

    said = [monitor.began(need) for need in ((), GPU, GPU)]

    assert said == [None, (INFO, "The run goes on: there is a worker with GPU=1."), None]


def test_a_cluster_that_comes_and_goes_is_told_of_once_a_minute_at_most():
    monitor = watch()

    said = []
    for start in range(0, 120, 12):
        said += [now for now in range(start, start + 10, 5) if monitor.check(ONE, [], float(now)) is not None]
        monitor.began(())
        monitor.check({}, [], start + 10.0)

    assert said == [5, 65]


# With real clusters


class Ear:
    """Hears of the run's own lines."""

    def __init__(self):
        self.heard = threading.Event()

    def emit(self, event):
        if isinstance(event, Logged) and event.key == FLOW:
            self.heard.set()


def own_lines(run):
    return [(each.level, each.text) for each in run.logs() if each.key == FLOW]


def a_cluster(**resources):
    """Return a cluster that has no worker yet; `scale` gives it some with these resources."""
    worker = {"cls": Worker, "options": {"nthreads": 1, "resources": resources}}
    scheduler = {"cls": Scheduler, "options": {"dashboard": False, "dashboard_address": "127.0.0.1:0"}}
    return SpecCluster({}, scheduler, worker, silence_logs=False)  # it would silence ours as well


def a_worker(cluster):
    """Return a worker that nobody starts anew, as a process."""
    options = ["--no-nanny", "--nthreads", "1", "--no-dashboard"]
    arguments = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, *options]
    return subprocess.Popen(arguments, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_a_run_that_has_lost_its_workers_says_so_and_goes_on_with_new_ones(tmp_path, caplog):
    @task(max_retries=1, retry_delay=0, timeout=3)  # shorter than it waits: what counts is when it runs
    def find(path):
        if context.task_run_count == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return path

    with Flow("lost") as flow:
        found = find(str(tmp_path))
    with a_cluster() as cluster, a_worker(cluster):
        run, ear = flow.start(executor=DaskExecutor(cluster.scheduler_address)), Ear()
        run.subscribe(ear)
        told = ear.heard.wait(PATIENCE_S)
        cluster.scale(2)
        state = run.wait(PATIENCE_S)
        address = cluster.scheduler_address

    text = f"the Dask cluster at {address} has no workers. Start one, dask worker {address}, or scale the cluster up. {GOES_ON}"
    warning = f"A task run ('find') waits for a worker: {text}"
    assert told
    assert own_lines(run) == [(WARNING, warning), (INFO, "The run goes on: there is a worker.")]
    assert [each.getMessage() for each in caplog.records if each.name == "flowbook.executors"][:1] == [warning]
    assert state.is_successful()
    assert run[found].result == str(tmp_path)


def test_children_that_wait_for_a_resource_are_told_of_and_hold_up_no_others():
    plain = task(lambda x: x, name="plain")
    trained = task(lambda x: x, name="train", tags=["dask-resource:GPU=1"])
    with Flow("resource") as flow:
        done = plain.map(list(range(40)))
        trained.map(list(range(50)))

    with a_cluster(GPU=0.5) as cluster:
        cluster.scale(1)
        run, ear = flow.start(executor=DaskExecutor(cluster.scheduler_address)), Ear()
        run.subscribe(ear)
        told = ear.heard.wait(PATIENCE_S)
        finished = run[done].is_successful()
        start = time.monotonic()
        run.cancel()
        state = run.wait(PATIENCE_S)
        seconds = time.monotonic() - start

    ((_, said),) = own_lines(run)
    assert told
    assert finished
    assert said.startswith("50 task runs ('train') wait for a worker with GPU=1 (tag dask-resource:GPU=1): ")
    assert "has 1 worker, but none with that." in said
    assert state.is_cancelled()
    assert seconds < PATIENCE_S / 2


def test_large_inputs_wait_for_workers_as_well():
    @task
    def size_of(content):
        return len(content)

    with Flow("large") as flow:
        sizes = [size_of(bytes(9_000_000)), size_of(bytes(9_000_001))]

    with a_cluster() as cluster:
        run = flow.start(executor=DaskExecutor(cluster.scheduler_address))
        while cluster.scheduler.tasks == {}:
            time.sleep(0.005)
        cluster.scale(1)
        state = run.wait(PATIENCE_S)

    assert state.is_successful()
    assert [run[size].result for size in sizes] == [9_000_000, 9_000_001]


SCRIPT = """
    import json, signal, sys
    from flowbook import Flow, task
    from flowbook.executors import DaskExecutor

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with Flow("f") as flow:
            done = task(lambda: 1, name="one")()
        state = flow.run(executor=DaskExecutor(sys.argv[1]))
        print(json.dumps([type(state).__name__, type(state.result[done]).__name__]))
"""


def test_ctrl_c_ends_a_run_that_waits_for_workers(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))

    with a_cluster() as cluster:
        arguments = [sys.executable, script, cluster.scheduler_address]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as process:
            while not cluster.scheduler.tasks and process.poll() is None:
                time.sleep(0.01)
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=PATIENCE_S)

    assert json.loads(said) == ["Cancelled", "Pending"]
    assert time.monotonic() - start < PATIENCE_S / 2
