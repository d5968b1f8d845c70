"""An agent on a machine that sleeps: stopped for seconds and let go on, it makes up for what was missed, once."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from flowbook import Flow, task
from flowbook.deployments import DeploymentSpec, IntervalSchedule, deploy
from flowbook.store import open_store

LONG_S = 50.0
ASLEEP_S = 4.0

pytestmark = pytest.mark.acceptance


@pytest.fixture
def agent():
    """Start an agent; end it with its runs."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "flowbook", "agent", "start", "--limit", "2", "--prefetch", "1"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, start_new_session=True)
    yield process
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.wait(LONG_S)


def wait_for(condition):
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def successes(deployment, since):
    runs = open_store().runs.of_deployment(deployment.id, None)
    return [run for run in runs if run.state == "Success" and run.due >= since]


def test_a_time_has_one_run_though_the_machine_slept_over_it(agent):
    with Flow("sleepy") as flow:
        task(lambda: 1, name="one")()
    second = IntervalSchedule(1)
    one, every = deploy(
        DeploymentSpec("one", flow, schedule=second),
        DeploymentSpec("all", flow, schedule=IntervalSchedule(3, catch_up="all")),
    )
    start = dt.datetime.now(dt.UTC)
    wait_for(lambda: successes(one, start))

    agent.send_signal(signal.SIGSTOP)
    asleep = dt.datetime.now(dt.UTC)
    time.sleep(ASLEEP_S)  # for as long as the machine sleeps
    awake = dt.datetime.now(dt.UTC)
    agent.send_signal(signal.SIGCONT)
    wait_for(lambda: successes(one, awake))
    due = set(IntervalSchedule(3).between(asleep, awake - dt.timedelta(seconds=0.5)))
    wait_for(lambda: {run.due for run in successes(every, asleep)} >= due)

    runs = open_store().runs.list()
    assert max(Counter((run.deployment, run.due) for run in runs).values()) == 1
    missed = [run for run in successes(one, asleep) if run.due <= awake - dt.timedelta(seconds=0.5)]
    #: Two that it had claimed before it slept, and the one that stands for the others.
    assert len(missed) <= 3
