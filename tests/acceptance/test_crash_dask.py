"""The store's promises on a Dask cluster, tried for real: drivers and workers that are killed.

A short form by default; the long one with FLOWBOOK_SOAK=1 (`make soak`).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from distributed import Client

from flowbook import Flow, context, task, unmapped
from flowbook.engine.events import StateChanged
from flowbook.executors import DaskExecutor
from flowbook.executors.dask_cluster import LastingCluster
from flowbook.store import open_store
from tests.acceptance.trials import IS_LONG, SEED, check_file, kill_and_go_on
from tests.homes import home

__all__ = ["home"]

pytestmark = [pytest.mark.acceptance, pytest.mark.soak]

#: The long forms in pieces of about a minute and a half.
PIECES = 4 if IS_LONG else 1
DRIVER_KILLS = 50 if IS_LONG else 4
WORKER_KILLS = 25 if IS_LONG else 3
WIDTH = 40
LARGE = 5_000_000


@pytest.fixture
def cluster():
    with LastingCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60) as found:
        yield found


@pytest.mark.timeout(0 if IS_LONG else 300)
@pytest.mark.parametrize("piece", range(PIECES))
def test_a_run_whose_driver_is_killed_goes_on_and_nothing_committed_runs_again(piece, cluster, home, tmp_path):
    chance = random.Random(SEED + piece)

    kill_and_go_on(tmp_path, "cluster", DRIVER_KILLS, chance, places=2, CLUSTER=cluster.scheduler_address)

    open_store().sweep(older_than=timedelta(0))
    check_file(home)


def note(file, name):
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, f"{name}\n".encode())
    os.close(descriptor)


@task(max_retries=100, retry_delay=timedelta(0))
def make(number, file):
    note(file, context.task_run_key)
    time.sleep(0.02)
    if number % 10 == 0:
        return np.full(LARGE, number, dtype="u1")
    return bytes([number]) * 70_000 if number % 3 == 0 else number


@task(max_retries=100, retry_delay=timedelta(0))
def measure(value, file):
    note(file, context.task_run_key)
    time.sleep(0.02)
    if isinstance(value, int):
        return value
    return int(value[-1]) * len(value)


@task(max_retries=100, retry_delay=timedelta(0))
def total(values, file):
    note(file, context.task_run_key)
    return sum(values)


def expected(number):
    if number % 10 == 0:
        return number * LARGE
    return number * 70_000 if number % 3 == 0 else number


@pytest.mark.timeout(0 if IS_LONG else 300)
@pytest.mark.parametrize("piece", range(PIECES))
def test_of_workers_that_are_killed_nothing_committed_runs_again(piece, cluster, home, tmp_path):
    chance = random.Random(SEED + piece)
    kills, crashed = 0, 0
    while kills < WORKER_KILLS or (crashed == 0 and kills < 10 * WORKER_KILLS):
        file = tmp_path / f"ran-{kills}"
        file.touch()
        with Flow("workers") as flow:
            made = make.map(list(range(WIDTH)), unmapped(str(file)))
            found = total(measure.map(made, unmapped(str(file))), str(file))

        run = flow.start(executor=DaskExecutor(cluster.scheduler_address), record=True)
        kills += kill_workers(cluster, run, file, max(1, WORKER_KILLS - kills), chance)
        state = run.wait(60)

        assert state.is_successful(), (state, run.states)
        assert run[found].result == sum(expected(number) for number in range(WIDTH))
        ran, begun, lost = Counter(file.read_text().split()), begun_of(run), names_of(run, "Crashed")
        #: Killed between the note in the ledger and the task's own: begun, and not run.
        assert {key: times for key, times in ran.items() if times > begun[key]} == {}
        assert {key: times for key, times in begun.items() if times != 1 + lost[key]} == {}
        crashed += lost.total()
        states = open_store().history.states(run.run_id)
        assert all(states[f"make[{n}]"].result is not None for n in range(WIDTH))
    assert crashed > 0
    check_file(home)


def kill_workers(cluster, run, file, most, chance):
    """Kill workers at random moments until the run is over; return how many."""
    kills, pause = 0, threading.Event()
    with Client(cluster, set_as_default=False) as client:
        while kills < most:
            before = file.stat().st_size
            while file.stat().st_size <= before + chance.randint(1, 9) * 8 and not run.state.is_finished():
                pause.wait(0.001)
            pause.wait(chance.uniform(0, 0.04))
            numbers = sorted(client.run(os.getpid, on_error="ignore").values())
            if run.state.is_finished():
                break
            if numbers:
                os.kill(chance.choice(numbers), signal.SIGKILL)
                kills += 1
    return kills


def begun_of(run):
    return names_of(run, "Running")


def names_of(run, name):
    events = (event for event in run.events() if isinstance(event, StateChanged) and event.key)
    return Counter(event.key for event in events if type(event.state).__name__ == name)
