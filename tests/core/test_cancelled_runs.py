"""Cancelling runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter

from flowbook import Flow, task
from flowbook.engine.state import Paused, Success
from flowbook.executors import LocalDaskExecutor
from tests.core.run_programs import LONG_S, ROOT, approve, double, one, script
from tests.executors_of import everywhere


@everywhere
def test_a_cancelled_run_starts_nothing_more_and_can_be_resumed(executor):
    started, gate, ran = threading.Event(), threading.Event(), Counter()

    @task
    def first():
        ran["first"] += 1
        started.set()
        gate.wait(LONG_S)
        return 1

    @task
    def second(x):
        ran["second"] += 1
        return x + 1

    with Flow("f") as flow:
        s = second(first())
    run = flow.start(executor=executor)
    started.wait(LONG_S)

    run.cancel(by="ada")
    gate.set()
    cancelled = run.wait(LONG_S)
    after_cancel = dict(ran)
    resumed = run.resume().wait(LONG_S)

    assert cancelled.is_cancelled()
    assert after_cancel == {"first": 1}
    assert (type(resumed), run[s].result, ran) == (Success, 2, {"first": 1, "second": 1})


def test_a_cancelled_run_goes_on_with_everything_though_one_task_also_waits_for_a_person():
    started, gate = threading.Event(), threading.Event()

    @task
    def slow():
        started.set()
        gate.wait(LONG_S)
        return 1

    with Flow("f") as flow:
        a = approve(one())
        d = double(slow())
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    started.wait(LONG_S)
    while not isinstance(run[a], Paused):
        started.wait(0.001)
    run.cancel()
    gate.set()
    run.wait(LONG_S)

    run.resume().wait(LONG_S)

    assert (run[a].result, run[d].result) == (1, 2)
    assert run.state.is_successful()


def test_cancelling_a_run_that_is_over_changes_nothing():
    with Flow("f") as flow:
        one()
    flow.run()

    flow.last_run.cancel()

    assert type(flow.last_run.state).__name__ == "Success"


def test_ctrl_c_cancels_the_run_and_what_runs_and_it_can_be_resumed(tmp_path):
    path = script(
        tmp_path,
        """
        import signal, sys, time
        from flowbook import Flow, task

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
        ran = []

        @task
        def slow():
            ran.append("slow")
            if len(ran) == 1:
                print("ready", flush=True)
                time.sleep(30)
            return 1

        @task
        def after(x):
            ran.append("after")
            return x + 1

        with Flow("f") as flow:
            a = after(slow())

        state = flow.run()
        print(type(state).__name__, type(state.result[a]).__name__, ran)
        run = flow.last_run.resume()
        print(type(run.wait(20)).__name__, run[a].result, ran)
        """,
    )
    with subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        ready = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=LONG_S)

    assert ready == "ready\n"
    assert rest.splitlines() == ["Cancelled Pending ['slow']", "Success 2 ['slow', 'slow', 'after']"]
