"""Runs in the store, and what goes wrong with it."""

from __future__ import annotations

import datetime as dt
import pickle
import threading
import warnings

import pytest

import flowbook
import flowbook.exceptions
from flowbook import Flow, task
from flowbook.engine.limits import Limits
from flowbook.engine.state import Queued
from flowbook.engine.steps import attempt_number
from flowbook.executors import LocalDaskExecutor
from flowbook.store import open_store
from flowbook.store.state_codec import decode, encode
from tests.core.run_programs import LONG_S, approve, double, one, python, script, warned


def test_what_a_stored_task_is_about_to_get_is_read_as_values():
    with Flow("f") as flow:
        approve(one())
    flow.run(record=True)

    found = flowbook.run(flow.last_run.run_id)["approve"]

    assert dict(found.cached_inputs) == {"x": 1}
    assert repr(found.cached_inputs) == "{'x': 1}"
    assert pickle.loads(pickle.dumps(found)).cached_inputs == {"x": 1}


def test_a_paused_run_is_resumed_in_another_process(tmp_path):
    path = script(
        tmp_path,
        """
        import sys
        import flowbook
        from flowbook import Flow, Parameter, task, triggers, unmapped
        from pathlib import Path

        COUNT = Path(sys.argv[2])

        def count(name):
            with COUNT.open("a") as file:
                file.write(name + "\\n")

        @task
        def load(n):
            count("load")
            return list(range(n))

        @task
        def scale(x, by):
            count(f"scale {x}")
            return x * by

        @task(trigger=triggers.manual_only)
        def approve(items):
            count(f"approve {items}")
            return sum(items)

        @task
        def publish(x, first):
            count(f"publish {x} {first}")
            return x

        with Flow("delays") as flow:
            n = Parameter("n", 3)
            scaled = scale.map(load(n), unmapped(10))
            p = publish(approve(scaled), scaled)

        if sys.argv[1] == "begin":
            state = flow.run(record=True, n=4)
            print(flow.last_run.run_id, type(state).__name__)
        else:
            run = flowbook.run(sys.argv[3], flow if sys.argv[1] == "given" else None)
            state = run.resume().wait(20)
            print(run.run_id, type(state).__name__, run["publish"].result)
        """,
    )
    counts = tmp_path / "counts"

    begun = python(path, "begin", str(counts))
    run_id, paused = begun.stdout.split()
    resumed = python(path, "given", str(counts), run_id)
    again = python(path, "kept", str(counts), run_id)

    assert (warned(begun), paused) == (
        ["approve Paused: Waits for a person, by its trigger manual_only.", "delays run 1 Paused"],
        "Paused",
    )
    assert (resumed.stderr, resumed.stdout.split()) == ("", [run_id, "Success", "60"])
    assert counts.read_text().splitlines() == [
        "load",
        *(f"scale {x}" for x in range(4)),
        "approve [0, 10, 20, 30]",
        "publish 60 [0, 10, 20, 30]",
    ]
    assert "Nothing waits in run 1 of 'delays': it is Success." in again.stderr


def test_limits_are_kept_with_a_run_and_hold_when_it_goes_on_elsewhere():
    running, most = [0], [0]
    lock = threading.Lock()

    @task(tags=["db"])
    def query(x):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1
        return x

    with Flow("limited") as flow:
        query.map([approve(n) for n in range(6)])
    flow.run(record=True, limits={"db": 2}, max_concurrency=4)

    again = flowbook.run(flow.last_run.run_id, flow, LocalDaskExecutor(num_workers=6))
    state = again.resume().wait(LONG_S)

    assert state.is_successful()
    assert again.limits == Limits(4, {"db": 2})
    assert most[0] == 2


def test_a_queued_retry_keeps_its_count_of_attempts_in_the_store():
    values = open_store().values

    found = decode("Queued", 1.0, encode(Queued(run_count=2), None), None, values)

    assert attempt_number(found) == 3


def test_a_run_that_paused_unrecorded_is_kept_when_it_ends_and_resumed_by_its_id():
    with Flow("f") as flow:
        d = double(approve(one()))
    flow.run()

    run = flowbook.run(flow.last_run.run_id)
    run.resume().wait(LONG_S)

    assert run["double"].result == 2
    assert flowbook.runs()["state"].tolist() == ["Success"]
    assert flow.last_run[d].result == 2  # it followed what went on elsewhere


def test_a_result_that_cannot_be_pickled_is_not_kept_and_the_recorded_run_goes_on_and_says_so():
    @task
    def unpicklable():
        return threading.Lock()

    @task
    def after(x):
        return x.locked()

    with Flow("f") as flow:
        u = unpicklable()
        after(u)

    state = flow.run(record=True)

    kept = flowbook.run(flow.last_run.run_id, flow)
    assert state.is_successful()
    assert kept["after"].result is False
    with pytest.raises(flowbook.exceptions.FlowbookError) as caught:
        kept["unpicklable"].result  # noqa: B018
    assert "lock" in str(caught.value)


def test_a_store_folder_that_cannot_be_written_is_a_warning_and_the_run_goes_on(tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    monkeypatch.setenv("FLOWBOOK_HOME", str(in_the_way))

    @task(cache_for=dt.timedelta(hours=1))
    def cached():
        return 1

    with Flow("f") as flow:
        c = cached()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        state = flow.run(record=True)

    texts = [str(each.message) for each in caught]
    assert state.result[c].result == 1
    assert [text.split(":")[0] for text in texts] == [
        f"Run {flow.last_run.number} of 'f' is not recorded",
        "Nothing is cached",
    ]
    assert all(str(in_the_way) in text for text in texts)
