"""Clusters of all kinds: temporary, adaptive, with options, reported on, and stopped by Ctrl-C."""

import gc
import importlib.util
import os
import signal
import textwrap
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from distributed import LocalCluster, get_worker

import flowbook
from flowbook import Flow, context, task
from flowbook.engine.events import Logged
from flowbook.executors import DaskExecutor
from tests.scripts import start

IS_LONG = os.environ.get("FLOWBOOK_SOAK") == "1"


@task
def square(x):
    return x * x


@task
def total(xs):
    return sum(xs)


def flow_of_squares():
    with Flow("squares") as flow:
        total(square.map([1, 2, 3]))
    return flow


def test_a_cluster_grows_from_no_worker_and_shrinks_again():
    options = {"n_workers": 0, "processes": False, "threads_per_worker": 1}
    adapt = {"minimum": 0, "maximum": 2, "interval": "20 ms"}
    flow = flow_of_squares()

    state = flow.run(executor=DaskExecutor(cluster_kwargs=options, adapt_kwargs=adapt))

    assert state.result[flow.terminal_tasks()[0]].result == 14


def test_a_class_named_by_its_path_is_made_with_its_options_and_the_client_with_its():
    @task
    def here():
        return get_worker().name, os.getpid()

    with Flow("options") as flow:
        found = here()
    executor = DaskExecutor(
        cluster_class="distributed.LocalCluster",
        cluster_kwargs={
            "n_workers": 1,
            "processes": False,
            "dashboard_address": "127.0.0.1:0",
        },
        client_kwargs={"name": "flowbook-test", "timeout": 5},
    )

    with executor.start():
        name = executor._connected().id
        threads = executor._connected().nthreads()
    state = flow.run(executor=executor)

    assert name.startswith("Client-flowbook-test-")
    assert len(threads) == 1
    assert state.result[found].result == (0, os.getpid())


def test_a_report_of_the_run_is_written_or_the_error_names_what_that_takes(tmp_path):
    report = tmp_path / "report.html"

    state = flow_of_squares().run(executor=DaskExecutor(performance_report_path=str(report)))

    if importlib.util.find_spec("bokeh") is None:
        assert state.is_failed()
        assert state.message.endswith("bokeh, which isn't installed: pip install bokeh.")
    else:
        assert "Dask Performance Report" in report.read_text()


def test_logs_and_prints_come_while_the_task_runs(cluster, tmp_path):
    @task(log_stdout=True)
    def speak(path):
        print("first")  # noqa: T201
        context.logger.warning("second")
        deadline = time.monotonic() + 20
        while not Path(path).exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        print("last")  # noqa: T201

    with Flow("logs") as flow:
        speak(str(tmp_path / "go"))
    heard = threading.Event()

    class Sink:
        def emit(self, event):
            if isinstance(event, Logged) and event.text == "second":
                heard.set()

    run = flow.start(executor=DaskExecutor(cluster.scheduler_address))
    run.subscribe(Sink())
    in_time = heard.wait(10) or len(run.logs()) == 2
    before = [log.text for log in run.logs()]
    (tmp_path / "go").touch()
    run.wait(20)

    assert in_time
    assert before == ["first", "second"]
    assert [log.text for log in run.logs("speak")] == ["first", "second", "last"]


def test_a_lost_scheduler_ends_the_run_with_an_error(tmp_path):
    @task
    def wait_for(path):
        Path(path, f"begun-{context.map_index}").touch()
        deadline = time.monotonic() + 20
        while not Path(path, f"go-{context.map_index}").exists() and time.monotonic() < deadline:
            time.sleep(0.005)

    with Flow("lost") as flow:
        wait_for.map([str(tmp_path)] * 10)

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60) as cluster:
        run = flow.start(executor=DaskExecutor(cluster.scheduler_address, client_kwargs={"timeout": 1}))
        while not (begun := list(tmp_path.glob("begun-*"))):
            time.sleep(0.005)
        first = int(begun[0].name.partition("-")[2])
        threading.Timer(0.3, (tmp_path / f"go-{first}").touch).start()  # the cluster closes meanwhile
    state = run.wait(30)

    assert state.is_failed()
    assert {type(run[f"wait_for[{n}]"]).__name__ for n in {*range(10)} - {first}} == {"Crashed"}


INTERRUPTED = textwrap.dedent("""
    import os, signal, sys, threading, time
    from pathlib import Path
    from flowbook import Flow, context, task
    from flowbook.executors import DaskExecutor

    @task
    def doze(folder):
        Path(folder, f"begun-{context.map_index}").touch()
        while not Path(folder, "go").exists():
            time.sleep(0.01)
        return 1

    @task
    def total(xs):
        return sum(xs)

    def let_go_once_it_is_cancelled():
        while flow.last_run is None or type(flow.last_run.state).__name__ != "Cancelling":
            time.sleep(0.01)
        Path(sys.argv[1], "go").touch()

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
        with Flow("interrupted") as flow:
            total(doze.map([sys.argv[1]] * 16))
        threading.Thread(target=let_go_once_it_is_cancelled, daemon=True).start()
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "processes": True}
        state = flow.run(executor=DaskExecutor(cluster_kwargs=options), record=True)
        print(type(state).__name__, state.message)
        print(flow.last_run.run_id)
""")


def test_ctrl_c_cancels_a_run_on_a_temporary_cluster_and_it_can_go_on(tmp_path):
    process = start(INTERRUPTED, tmp_path, tmp_path, start_new_session=True)
    while not list(tmp_path.glob("begun-*")) and process.poll() is None:
        time.sleep(0.01)

    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    said, _ = process.communicate(timeout=40)
    begun = len(list(tmp_path.glob("begun-*")))
    run = flowbook.run(said.split()[-1])
    run.resume()
    resumed = run.wait(30)

    assert said.startswith("Cancelled")
    assert 1 <= begun < 16
    assert resumed.is_successful()
    assert run["total"].result == 16


@pytest.mark.soak
@pytest.mark.timeout(0 if IS_LONG else 300)
def test_the_driver_keeps_less_than_two_kilobytes_a_child(cluster):
    width = (
        100_000 if IS_LONG else 10_000
    )  # beside them, what other threads of this process allocate meanwhile is little
    with Flow("wide") as flow:
        found = total(square.map([2] * width))
    executor = DaskExecutor(cluster.scheduler_address)
    flow_of_squares().run(executor=executor)  # loads what is loaded once

    tracemalloc.start()
    state = flow.run(executor=executor)
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert state.result[found].result == 4 * width
    assert kept / width < 2_000
