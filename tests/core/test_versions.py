"""Every version of an output, from runs and from the cache."""

from __future__ import annotations

import datetime as dt
import time

import pandas as pd

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.store import open_store
from tests.core.versions import HOUR


def test_history_lists_every_version_once_from_runs_and_cache():
    @task(cache_for=HOUR)
    def load():
        return [1, 2]

    with Flow("h") as flow:
        copy = load()
    flow.run(record=True)
    flow.run(record=True)
    flow.run()

    table = flow.history("load")

    assert list(table.columns) == [
        *(
            "created",
            "task",
            "state",
            "run_id",
            "number",
            "entry",
            "size_bytes",
            "value",
            "parameters",
            "code",
            "duration",
        )
    ]
    assert list(table["state"]) == ["Success", "Cached"]
    assert list(table["number"]) == [1, 2]
    assert len(set(table["entry"])) == 1
    pd.testing.assert_frame_equal(copy.history(), table)
    pd.testing.assert_frame_equal(load.history("h"), table)
    pd.testing.assert_frame_equal(load.history(), table)
    assert len(flow.history(copy)) == 2


def test_a_moment_that_history_or_the_timeline_tells_takes_in_what_happened_then():
    numbers = iter(range(20))

    @task
    def count():
        return next(numbers)

    with Flow("counted") as flow:
        count()
    for _ in range(20):
        flow.run(record=True)

    moments = flow.history("count")["created"]
    runs = [flowbook.run(run_id) for run_id in flowbook.runs("counted")["run_id"]]

    assert [flow.as_of(moment)["count"] for moment in moments] == list(range(20))
    assert all(run.states(at=run.timeline()["end"][0])["count"].is_successful() for run in runs)


def test_history_tells_parameters_code_and_duration_of_each_version():
    def written(number):
        @task
        def scale(x):
            time.sleep(0.001)
            return x * number

        with Flow("scaled") as flow:
            scale(Parameter("x", 1))
        return flow

    for number, x in ((1, 5), (1, 6), (2, 6)):
        written(number).run({"x": x}, record=True)
    flow = written(2)
    table = flow.history("scale")

    assert list(table["parameters"]) == [{"x": 5}, {"x": 6}, {"x": 6}]
    assert [code == table["code"][0] for code in table["code"]] == [True, True, False]
    assert {len(code) for code in table["code"]} == {8}
    assert all(dt.timedelta(0) < each < dt.timedelta(seconds=30) for each in table["duration"])
    pd.testing.assert_frame_equal(flow.history("scale", run=2), table[1:2].reset_index(drop=True))


def test_history_lists_a_mapped_task_once_a_run():
    @task
    def double(x):
        return 2 * x

    with Flow("hm") as flow:
        double.map([1, 2])
    flow.run(record=True)
    flow.run(record=True)

    table = flow.history("double")

    assert list(table["number"]) == [1, 2]


def test_history_tells_copies_of_one_name_apart():
    @task(cache_for=HOUR)
    def load(x):
        return x

    with Flow("copies") as flow:
        copies = [load(1), load(2), load(3)]
    flow.run(record=True)
    with flow:
        copies.append(load(4))
    flow.run(record=True)

    told = [set(copy.history()["task"]) for copy in copies]
    entries = [set(flowbook.cache.entries(task=copy)["task"]) for copy in copies]

    assert told == entries == [{"load"}, {"load-2"}, {"load-3"}, {"load-4"}]
    assert [len(copy.history()) for copy in copies] == [2, 2, 2, 1]
    assert set(copies[1].history("copies")["task"]) == {"load-2"}
    assert set(load.history("copies")["task"]) == {"load"}
    assert copies[1].history("another").empty


def test_history_without_a_task_is_that_of_every_task_oldest_first():
    @task
    def load(n):
        return n

    @task
    def total(xs):
        return sum(xs)

    with Flow("whole") as flow:
        n = Parameter("n", default=1)
        total([load(n), load(2)])
    flow.run(record=True)
    flow.run(record=True)

    whole, one_run = flow.history(), flow.history(run=2)

    assert list(whole["task"]) == 2 * ["load", "load-2", "total"]
    assert list(whole["number"]) == [1, 1, 1, 2, 2, 2]
    pd.testing.assert_frame_equal(one_run, whole[3:].reset_index(drop=True))
    with Flow("nothing") as empty:
        load(1)
    assert list(empty.history().columns) == list(whole.columns)


def test_history_of_a_task_that_never_ran_is_an_empty_table():
    @task
    def never():
        return 1

    with Flow("x") as flow:
        never()

    columns = "created task state run_id number entry size_bytes value parameters code duration"
    for table in (flow.history("never"), never.history()):
        assert (" ".join(table.columns), len(table)) == (columns, 0)


def _reads(monkeypatch, tasks, ask):
    """Return how often the store is read while something is asked about a flow of so many tasks."""

    @task
    def step(number):
        return number

    with Flow(f"of {tasks}") as flow:
        for number in range(tasks):
            step.copy(name=f"step {number}")(number)
    flow.run(record=True)
    flow.run(record=True)
    database = open_store()._database
    count, read = [0], database.read

    def counting(*given):
        count[0] += 1
        return read(*given)

    with monkeypatch.context() as patch:
        patch.setattr(database, "read", counting)
        found = ask(flow)
    assert len(found) in {tasks, 2 * tasks}
    return count[0]


def test_history_reads_the_store_as_often_however_many_tasks_there_are(monkeypatch):
    few, many = (_reads(monkeypatch, tasks, lambda flow: flow.history()) for tasks in (2, 40))

    assert many == few


def test_the_outputs_of_a_time_are_read_once_for_all_tasks(monkeypatch):
    few, many = (
        _reads(monkeypatch, tasks, lambda flow: flow.as_of(dt.datetime.now(dt.UTC)).states()) for tasks in (2, 40)
    )

    assert many == few
