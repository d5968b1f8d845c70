"""What a run's calls on a Dask cluster come to where Dask, or a call, is not as it should be."""

import gc
import queue
import threading
import time

import pytest
from distributed import Client
from distributed.utils import LoopRunner

from flowbook import Flow, task
from flowbook.executors import DaskExecutor
from flowbook.executors.base import Answer, Call


def echo(payload, blobs, held, report):
    del blobs, held
    report("running", 0.0)
    return Answer(payload)


def test_calls_that_cannot_be_handed_over_are_reported_as_lost():
    reports = queue.SimpleQueue()
    sound, unsound = Call(1, "sound", b"x"), Call(2, "unsound", b"x", worker_values=(object(),))

    with DaskExecutor().start() as session:
        session.listen(echo, reports.put)
        session.submit_batch([sound, unsound])
        ended = [reports.get(timeout=20) for _ in range(2)]

    assert {(report.kind, report.id) for report in ended} == {("lost", 1), ("lost", 2)}
    assert ended[0].body.startswith("Dask failed: ")


@task
def large():
    return bytes(1_000_000)


def collect_while_loops_are_locked(loop):
    del loop
    with LoopRunner._lock:
        gc.collect()


def collect_in(loop):
    done = threading.Event()

    def collect():
        gc.collect()
        done.set()

    loop.add_callback(collect)
    assert done.wait(20)


@pytest.mark.parametrize("collect", [collect_while_loops_are_locked, collect_in])
def test_values_that_nobody_has_any_more_are_let_go_wherever_they_are_collected(cluster, collect):
    gc.collect()
    before = set(cluster.scheduler.clients)
    gc.disable()
    try:
        with Flow("large") as flow:
            large()
        state = flow.run(executor=DaskExecutor(cluster.scheduler_address))
        (opened,) = set(cluster.scheduler.clients) - before
        (loop,) = {each.loop for each in gc.get_objects() if issubclass(type(each), Client) and each.id == opened}
        assert state.is_successful()

        del flow, state
        collect(loop)
        deadline = time.monotonic() + 20
        while opened in cluster.scheduler.clients and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        gc.enable()

    assert opened not in cluster.scheduler.clients
