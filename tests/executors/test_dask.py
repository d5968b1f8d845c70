import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster, get_worker

from flowbook import Flow, Parameter, context, task, unmapped
from flowbook.engine.events import StateChanged
from flowbook.exceptions import DefinitionError, ExecutorError, ResultGoneError, RunError
from flowbook.executors import DaskExecutor
from flowbook.results.pickled_value import PickledValue

LARGE = 25_000_000


@pytest.fixture
def executor(cluster):
    return DaskExecutor(cluster.scheduler_address)


@task
def make(size):
    return np.zeros(size, dtype="u1")


@task
def pass_on(array):
    return array


@task
def where(array):
    return os.getpid(), array.nbytes


class Waiting:
    """A sink that lets a test wait for an event."""

    def __init__(self, wanted):
        self._pending_calls = wanted
        self.seen = threading.Event()

    def emit(self, event):
        if isinstance(event, StateChanged) and self._pending_calls(event):
            self.seen.set()


def test_the_example_of_the_seeds_runs_on_the_cluster_at_its_address(cluster):
    @task
    def say_hello():
        print("Hello, world!")  # noqa: T201

    with Flow("Run Me") as flow:
        say_hello()

    executor = DaskExecutor(address=cluster.scheduler_address)
    state = flow.run(executor=executor)

    assert repr(state) == "<Success: 'All tasks that decide the run succeeded.'>"


def test_values_stay_on_the_workers_until_they_are_read(executor):
    with Flow("arrays") as flow:
        array = make(LARGE)
        for _ in range(8):
            array = pass_on(array)
        found = where(array)

    state = flow.run(executor=executor)
    held = state.result[array]

    assert state.result[found].result[1] == LARGE
    assert state.result[found].result[0] != os.getpid()
    assert held.reference is not None
    assert not isinstance(held.reference.handle, PickledValue)
    assert held.result.nbytes == LARGE
    assert held.reference is None


def test_what_a_task_is_given_can_be_written_to(executor):
    @task
    def fill(array):
        array[:] = 7
        return int(array[0])

    with Flow("arrays") as flow:
        filled = fill(make(100_000))

    assert flow.run(executor=executor).result[filled].result == 7


def test_running_is_seen_while_it_runs(executor, tmp_path):
    @task
    def wait_for(path):
        deadline = time.monotonic() + 20
        while not Path(path).exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        return time.time()

    with Flow("delays") as flow:
        waited = wait_for(Parameter("path"))
    delays: list[float] = []
    #: The least of a few: the others may have waited for what else this machine did.
    while not delays or (min(delays) >= 0.2 and len(delays) < 20):
        each = len(delays)
        go = tmp_path / f"go-{each}"
        waiting = Waiting(lambda event: event.key == "wait_for" and event.state.is_running())
        run = flow.start(executor=executor, path=str(go))
        run.subscribe(waiting)
        is_seen = waiting.seen.wait(10) or run["wait_for"].is_running()
        seen = time.time()
        delays.append(seen - run["wait_for"].at)
        go.touch()
        state = run.wait(20)

        assert is_seen
        assert state.result[waited].result > seen

    assert min(delays) < 0.2, delays


def test_a_slow_child_delays_none_of_the_others(executor, tmp_path):
    @task
    def maybe_wait(number, path):
        deadline = time.monotonic() + 20
        while number == 50 and not Path(path).exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        return number

    with Flow("delays") as flow:
        maybe_wait.map(list(range(300)), unmapped(str(tmp_path / "go")))
    left = set(range(300)) - {50}

    def others_are_done(event):
        if event.state.is_successful() and "[" in event.key:
            left.discard(int(event.key[11:-1]))
        return not left

    run = flow.start(executor=executor)
    waiting = Waiting(others_are_done)
    run.subscribe(waiting)
    for event in run.events():
        waiting.emit(event)
    waiting.seen.wait(15)
    left_before_the_slow_one = sorted(left)
    (tmp_path / "go").touch()

    assert left_before_the_slow_one == []
    assert repr(run.wait(20)) == "<Success: 'All tasks that decide the run succeeded.'>"


def test_branches_go_depth_first(executor):
    @task
    def first(number):
        time.sleep(0.01)
        return number

    @task
    def second(number):
        return number

    with Flow("delays") as flow:
        second.map(first.map(list(range(40))))

    flow.run(executor=executor)

    done = [e.key for e in flow.last_run.events() if isinstance(e, StateChanged) and e.state.is_successful()]
    assert done.index("second[0]") < done.index("first[30]")


def test_a_temporary_cluster_brings_values_home_up_to_a_limit(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_MAX_GATHER_BYTES", "200_000")
    with Flow("arrays") as flow:
        small, large = make(100_000), make(1_000_000)

    state = flow.run(executor=DaskExecutor())

    assert state.result[small].result.nbytes == 100_000
    with pytest.raises(ResultGoneError, match="raise FLOWBOOK_MAX_GATHER_BYTES"):
        _ = state.result[large].result


@pytest.fixture
def held(cluster):
    """Return a function that tells which values of this test's flows the cluster holds."""

    def made():
        return {key for key in cluster.scheduler.tasks if key.startswith("make")}

    before = made()
    return lambda: made() - before


def test_values_stay_at_an_address_until_the_run_is_closed(executor, held):
    with Flow("arrays") as flow:
        first, second = make(LARGE), make(LARGE + 1)

    state = flow.run(executor=executor)
    stayed = held()
    read = state.result[first].result
    flow.last_run.close()
    flow.last_run.close()

    assert len(stayed) == 2
    assert held() == set()
    assert state.result[first].result is read
    with pytest.raises(
        ResultGoneError, match=r"25,000,\d+ bytes is gone: it stayed on the cluster until its run was closed"
    ):
        _ = state.result[second].result


def test_a_run_as_a_context_manager_waits_and_closes_itself(executor, held):
    with Flow("arrays") as flow:
        made = make(LARGE)

    with flow.start(executor=executor) as run:
        found = run.wait(20).result[made].result

    assert found.nbytes == LARGE
    assert held() == set()


def test_a_block_that_raises_cancels_its_run(executor, tmp_path):
    @task
    def wait_for(path):
        Path(path, "begun").touch()
        deadline = time.monotonic() + 20
        while not Path(path, "go").exists() and time.monotonic() < deadline:
            time.sleep(0.005)

    with Flow("delays") as flow:
        wait_for(wait_for(str(tmp_path)))

    def let_go():
        while type(flow.last_run.state).__name__ not in {"Cancelling", "Cancelled"}:
            time.sleep(0.005)
        (tmp_path / "go").touch()

    def fail():
        with flow.start(executor=executor):
            while not (tmp_path / "begun").exists():
                time.sleep(0.005)
            threading.Thread(target=let_go).start()
            raise LookupError("no more")

    with pytest.raises(LookupError):
        fail()

    assert flow.last_run.state.is_cancelled()


def test_a_run_that_goes_on_is_not_closed(executor, tmp_path):
    @task
    def wait_for(path):
        deadline = time.monotonic() + 20
        while not Path(path).exists() and time.monotonic() < deadline:
            time.sleep(0.005)

    with Flow("delays") as flow:
        wait_for(str(tmp_path / "go"))

    run = flow.start(executor=executor)
    with pytest.raises(RunError, match=r"goes on and needs its values\. Call wait\(\) or cancel\(\) first"):
        run.close()
    (tmp_path / "go").touch()

    assert run.wait(20).is_successful()


def test_a_cluster_of_another_class_is_made_and_closed():
    made = []

    def make_cluster(**options):
        made.append(LocalCluster(processes=False, dashboard_address="127.0.0.1:0", **options))
        return made[0]

    @task
    def here():
        return os.getpid()

    with Flow("delays") as flow:
        found = here()
    executor = DaskExecutor(cluster_class=make_cluster, cluster_kwargs={"n_workers": 1}, adapt_kwargs={"maximum": 2})

    state = flow.run(executor=executor)

    assert state.result[found].result == os.getpid()
    assert made[0].status.name == "closed"


def test_a_tag_asks_for_a_worker_with_that_resource():
    @task(tags=["dask-resource:GPU=1"])
    def on_gpu():
        return get_worker().name

    with Flow("delays") as flow:
        one = on_gpu()
    options = {"n_workers": 1, "threads_per_worker": 2, "resources": {"GPU": 1}}

    state = flow.run(executor=DaskExecutor(cluster_kwargs=options))

    assert state.result[one].is_successful()
    assert flow.compile().specs["on_gpu"].resources == (("GPU", 1.0),)


def test_a_tag_that_names_no_resource_is_refused():
    with pytest.raises(DefinitionError) as refused:
        task(tags=["dask-resource:GPU"])(print)

    assert (
        str(refused.value) == "Task 'print': tag 'dask-resource:GPU' names no resource. Write e.g. dask-resource:GPU=1."
    )


def test_an_address_where_nobody_is_fails_the_run_within_the_timeout():
    with Flow("delays") as flow:
        make(1)
    start = time.monotonic()

    state = flow.run(executor=DaskExecutor("tcp://127.0.0.1:9", client_kwargs={"timeout": 0.5}))

    assert state.is_failed()
    assert isinstance(state.message, str)
    assert state.message.startswith("There is no Dask cluster at tcp://127.0.0.1:9:")
    assert time.monotonic() - start < 25  # Dask itself would try for 30 s


def test_a_script_without_a_guard_records_its_one_run_and_says_only_that(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text(
        "from flowbook import Flow, runs, task\n"
        "from flowbook.executors import DaskExecutor\n"
        "with Flow('bare') as flow:\n"
        "    task(lambda: 1, name='one')()\n"
        "executor = DaskExecutor(cluster_kwargs={'processes': True, 'n_workers': 1})\n"
        "state = flow.run(executor=executor, record=True)\n"
        "print(type(state).__name__, len(runs()), state.message)\n"
    )

    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env=dict(os.environ), timeout=100
    )

    assert done.stdout.startswith("Failed 1 The Dask cluster of this run couldn't be started: ")
    assert "Put the run under `if __name__ == '__main__':` in the script" in done.stdout
    assert "Traceback" not in done.stderr


def test_an_address_and_a_temporary_cluster_together_are_refused():
    with pytest.raises(ExecutorError, match="Give the address alone"):
        DaskExecutor("tcp://127.0.0.1:9", cluster_kwargs={"n_workers": 2})


def test_an_executor_can_be_used_by_itself(executor):
    with executor.start():
        futures = [executor.submit(pow, 2, n, extra_context={"task": "power"}) for n in range(3)]

        assert executor.wait(futures) == [1, 2, 4]
    with pytest.raises(ExecutorError, match=r"with executor.start\(\)"):
        executor.submit(pow, 2, 3)


def test_a_large_input_is_sent_once_however_many_children_share_it(executor):
    shared = np.ones(1_000_000)

    @task
    def measure(number, array):
        return number * float(array[0]) + context.map_index

    with Flow("arrays") as flow:
        measured = measure.map(list(range(50)), unmapped(shared))

    state = flow.run(executor=executor)

    assert state.result[measured].result == [2.0 * n for n in range(50)]


def test_a_run_leaves_nothing_at_the_scheduler(executor, cluster):
    with Flow("delays") as flow:
        make.map([10] * 20)

    topics = cluster.scheduler._broker._topics
    before = set(topics)

    flow.run(executor=executor)

    assert {topic for topic in topics if topic.startswith("flowbook-")} <= before
