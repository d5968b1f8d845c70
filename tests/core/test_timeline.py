"""When each task ran or waited."""

from __future__ import annotations

import threading

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, task
from flowbook.engine.events import StateChanged
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from flowbook.flow_run.task_facts import task_facts
from flowbook.store import open_store
from tests.core.versions import HOUR


def test_the_timeline_tells_what_time_went_into():
    attempts = []

    @task(max_retries=1, retry_delay=0)
    def shaky():
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("not yet")
        return 1

    @task(cache_for=HOUR)
    def kept(x):
        return x

    with Flow("f") as flow:
        kept(shaky())
    flow.run(record=True)

    table = flow.last_run.timeline()

    assert list(table.columns) == [
        *("task", "state", "start", "end", "duration", "attempt", "cpu", "memory_bytes", "own_process", "output_bytes")
    ]
    told = list(table[["task", "state", "attempt"]].itertuples(index=False, name=None))
    assert told == [("shaky", "Failed", 1), ("shaky", "Retrying", 1), ("shaky", "Success", 2), ("kept", "Cached", 1)]
    assert str(table["start"].dt.tz) == "UTC"
    assert (table["duration"] >= pd.Timedelta(0)).all()
    assert (table["end"] - table["start"] == table["duration"]).all()


def _cancelled_while_it_ran(how, executor):
    """Return the run of a task that went on after its run was cancelled, and ended so."""
    begun, may_end = threading.Event(), threading.Event()

    @task(cache_for=HOUR if how == "stored" else None)
    def long():
        begun.set()
        assert may_end.wait(30)
        if how == "fails":
            raise ValueError("no")
        return 1

    with Flow("f") as flow:
        long()
    run = flow.start(executor=executor, record=True)
    assert begun.wait(30)
    run.cancel()
    may_end.set()
    run.wait(30)
    return run


@pytest.mark.parametrize("executor", [LocalExecutor(), LocalDaskExecutor("threads", num_workers=2)])
@pytest.mark.parametrize(("how", "state"), [("ends", "Success"), ("stored", "Cached"), ("fails", "Failed")])
def test_what_runs_when_its_run_is_cancelled_is_one_attempt_of_the_timeline(how, state, executor):
    run = _cancelled_while_it_ran(how, executor)

    running, cancelling, *_ = [e.state for e in run.events() if isinstance(e, StateChanged) and e.key == "long"]
    table = run.timeline()

    assert (type(cancelling).__name__, cancelling.since) == ("Cancelling", running.at)
    assert list(table[["task", "state", "attempt"]].itertuples(index=False, name=None)) == [("long", state, 1)]
    assert table["start"][0].timestamp() == pytest.approx(running.at)
    assert [(each.key, each.attempt) for each in task_facts(open_store(), run.run_id)] == [("long", 1)]


def test_the_timeline_of_what_waits_has_no_end_yet():
    @task(trigger=flowbook.triggers.manual_only)
    def publish():
        return 1

    with Flow("f") as flow:
        publish()
    flow.run(record=True)

    waiting = flow.last_run.timeline()
    flow.last_run.resume().wait(30)
    resumed = flow.last_run.timeline()

    assert list(waiting["state"]) == ["Paused"]
    assert waiting["end"].isna().all()
    assert list(resumed["state"]) == ["Paused", "Success"]
    assert resumed["end"].notna().all()
    assert Flow("empty").start().wait(30) is not None


def test_a_run_that_is_kept_because_it_failed_says_when_it_began():
    @task
    def fails():
        raise ValueError

    with Flow("unrecorded") as flow:
        fails()

    flow.run()

    (row,) = flowbook.runs("unrecorded").to_dict("records")
    assert row["started"] <= row["ended"]
