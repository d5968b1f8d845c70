"""Any moment of a run, every version of an output, and what differs between two."""

from __future__ import annotations

import datetime as dt
import os
import sys
import threading
import time
import types

import numpy as np
import pandas as pd
import pytest

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.cli.task_facts import task_facts
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Cached, Mapped, Paused, Pending, Success
from flowbook.exceptions import (
    CacheEntryError,
    DefinitionError,
    ResultGoneError,
    UnknownRunError,
    UnknownTaskError,
    UnpicklableError,
)
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from flowbook.store import open_store

HOUR = dt.timedelta(hours=1)


def _two_versions():
    """Return a flow that ran with two days' data, and the moment between."""
    ran = []

    @task
    def load(day):
        ran.append("load")
        return pd.DataFrame({"id": [1, 2, 3], "delay": [day, day + 1, 5]})

    @task
    def clean(rows):
        ran.append("clean")
        return rows[rows["delay"] < 9]

    @task
    def report(rows):
        ran.append("report")
        return int(rows["delay"].sum())

    with Flow("delays") as flow:
        report(clean(load(Parameter("day", default=1))))
    flow.run(record=True, day=1)
    between = dt.datetime.now(dt.UTC)
    flow.run(record=True, day=8)
    return flow, between, ran


def test_the_states_of_a_run_at_a_moment_are_those_that_were_known_then():
    seen = []

    @task
    def first():
        return 1

    @task
    def second(x):
        seen.append(dt.datetime.now(dt.UTC))
        time.sleep(0.002)  # so that what follows is later on the clock
        return x

    with Flow("f") as flow:
        second(first())
    flow.run(record=True)
    run = flow.last_run

    then, before = run.states(at=seen[0]), run.states(at=seen[0] - HOUR)

    assert [type(state).__name__ for state in then.values()] == ["Success", "Running"]
    assert then["first"].result == 1
    assert [type(state) for state in before.values()] == [Pending, Pending]
    assert run.states() == dict(run.states)
    again = flowbook.run(run.run_id)
    assert {key: type(state) for key, state in again.states(at=seen[0]).items()} == {
        key: type(state) for key, state in then.items()
    }


def test_states_of_now_behave_as_a_mapping():
    flow, *_ = _two_versions()

    states = flow.last_run.states

    assert list(states) == ["day", "load", "clean", "report"]
    assert len(states) == 4
    assert "clean" in states
    assert states.get("nothing") is None
    assert [key for key, state in states.items() if state.is_successful()] == list(states.keys())
    assert all(state.is_finished() for state in states.values())


@pytest.mark.parametrize("at", ["tomorrow", "2026-13-01", 17, None.__class__, pd.NaT, "", "0001-01-01T00:00+14:00"])
def test_what_is_not_a_time_is_refused(at):
    flow, *_ = _two_versions()

    with pytest.raises(DefinitionError, match=r"isn't a time|out of reach of the clock"):
        flow.last_run.states(at=at)
    with pytest.raises(DefinitionError, match=r"isn't a time|out of reach of the clock"):
        flow.as_of(at)


def test_a_naive_moment_is_local_time():
    flow, between, _ = _two_versions()
    local = between.astimezone().replace(tzinfo=None)

    values = [flow.as_of(moment)["report"] for moment in (between, local, local.isoformat(" "), between.isoformat())]

    assert values == [8] * 4


def test_a_moment_of_pandas_may_be_naive_as_well():
    flow, between, _ = _two_versions()

    then = flow.as_of(pd.Timestamp(between.astimezone().replace(tzinfo=None)))

    assert then.at == between
    assert list(then["load"]["delay"]) == [1, 2, 5]


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

    assert list(table.columns) == ["task", "state", "start", "end", "duration", "attempt"]
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


def test_as_of_gives_the_value_that_a_task_had_produced_last():
    flow, between, _ = _two_versions()

    then, now = flow.as_of(between), flow.as_of(dt.datetime.now())  # noqa: DTZ005  # a person's clock

    assert list(then["clean"]["delay"]) == [1, 2, 5]
    assert list(now["clean"]["delay"]) == [8, 5]
    assert (then["report"], now["report"]) == (8, 13)


def test_as_of_a_moment_before_anything_says_so():
    flow, between, _ = _two_versions()

    with pytest.raises(ResultGoneError, match="had no stored result at"):
        flow.as_of(between - HOUR)["clean"]
    with pytest.raises(UnknownTaskError, match="clean"):
        flow.as_of(between)["cleam"]


def test_a_value_from_the_past_is_a_copy():
    flow, between, _ = _two_versions()
    first = flow.as_of(between)["load"]

    first.loc[0, "delay"] = 99

    assert flow.as_of(between)["load"].loc[0, "delay"] == 1


def test_a_flow_runs_on_from_an_old_version():
    flow, between, ran = _two_versions()
    ran.clear()

    state = flow.run(task_states=flow.as_of(between).states("clean"), record=True)

    assert ran == ["report"]
    assert state.is_successful()
    assert flow.last_run["report"].result == 8


def test_an_output_that_only_the_cache_kept_is_found_and_serves_downstream():
    ran = []

    @task(cache_for=HOUR)
    def load():
        ran.append("load")
        return [1, 2]

    @task
    def total(rows):
        return sum(rows)

    with Flow("cached") as flow:
        total(load())
    flow.run()
    moment = dt.datetime.now(dt.UTC)

    value = flow.as_of(moment)["load"]
    state = flow.run(task_states=flow.as_of(moment).states("load"))

    assert value == [1, 2]
    assert ran == ["load"]
    assert state.is_successful()


def test_a_mapped_task_comes_back_as_the_list_of_its_children():
    @task
    def numbers():
        return [1, 2, 3]

    @task
    def double(x):
        return 2 * x

    @task
    def total(found):
        return sum(found)

    with Flow("m") as flow:
        total(double.map(numbers()))
    flow.run(record=True)
    then = flow.as_of(dt.datetime.now(dt.UTC))

    states = then.states("double")
    state = flow.run(task_states=states)

    assert then["double"] == [2, 4, 6]
    assert isinstance(states["double"], Mapped)
    assert state.is_successful()
    assert flow.last_run["total"].result == 12


def test_a_flow_runs_on_from_a_mapped_task_not_from_one_child():
    @task
    def double(x):
        return 2 * x

    with Flow("m") as flow:
        double.map([1, 2])
    flow.run(record=True)

    with pytest.raises(DefinitionError, match=r"double\[1\] is a child of a mapped task\. Name the task, 'double'"):
        flow.as_of(dt.datetime.now(dt.UTC)).states("double[1]")


def test_runs_and_entries_are_asked_for_by_the_flow_itself_too():
    @task(cache_for=HOUR)
    def load():
        return 1

    with Flow("mine") as flow:
        load()
    with Flow("other") as other:
        load()
    flow.run(record=True)

    assert [len(flowbook.runs(each)) for each in (flow, "mine", other)] == [1, 1, 0]
    assert [len(flowbook.cache.entries(flow=each)) for each in (flow, "mine", other)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: flowbook.runs(5), "flow=5 is neither a flow nor the name of one"),
        (lambda: flowbook.cache.entries(flow=5), "flow=5 is neither a flow nor the name of one"),
        (lambda: flowbook.runs(state=Success), "isn't the name of a state"),
        (lambda: flowbook.runs(state="Nope"), "state='Nope' isn't the name of a state"),
        (lambda: flowbook.runs(limit=1.5), "limit=1.5 isn't a count"),
        (lambda: flowbook.runs(limit=-1), "limit=-1 isn't a count"),
        (lambda: flowbook.run("any", flow="mine"), "flow='mine' isn't a flow"),
        (lambda: flowbook.run(5), "There is no run 5: no run is recorded here yet"),
    ],
)
def test_what_runs_can_not_be_asked_for_by_is_refused(ask, message):
    with pytest.raises((DefinitionError, UnknownRunError), match=message):
        ask()


def test_a_run_whose_flow_was_swept_is_looked_at_with_a_flow_that_is_given():
    flow, _, _ = _two_versions()
    run_id = flow.last_run.run_id

    flowbook.cache.gc(older_than=dt.timedelta(0))

    with pytest.raises(ResultGoneError, match=r"The flow of run 2 was dropped .* flowbook\.run\('\w+', flow=\.\.\.\)"):
        flowbook.run(run_id)
    assert len(flowbook.run(run_id, flow=flow).timeline()) == 4


def test_a_none_is_a_value_of_its_time():
    given = iter([1, None])

    @task
    def maybe():
        return next(given)

    with Flow("n") as flow:
        maybe()
    flow.run(record=True)
    flow.run(record=True)

    assert flow.as_of(dt.datetime.now(dt.UTC))["maybe"] is None


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
    assert list(table["state"]) == ["Cached", "Cached"]
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


def test_outputs_are_seen_as_a_run_left_them():
    numbers = iter(range(5))

    @task
    def count():
        return next(numbers)

    with Flow("counted") as flow:
        count()
    for _ in range(5):
        flow.run(record=True)

    assert [flow.as_of(run=number)["count"] for number in range(1, 6)] == list(range(5))
    assert flow.as_of(run="last")["count"] == 4
    assert flow.as_of("now")["count"] == 4
    with pytest.raises(ResultGoneError, match="had no stored result at"):
        flow.as_of("yesterday")["count"]
    with pytest.raises(UnknownRunError, match="There is no run 6"):
        flow.as_of(run=6)
    for wrong in ({}, {"moment": "now", "run": 1}):
        with pytest.raises(DefinitionError, match="as_of takes a time or a run"):
            flow.as_of(**wrong)


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


def test_history_of_a_task_that_never_ran_is_an_empty_table():
    @task
    def never():
        return 1

    with Flow("x") as flow:
        never()

    columns = "created task state run_id number entry size_bytes value parameters code duration"
    for table in (flow.history("never"), never.history()):
        assert (" ".join(table.columns), len(table)) == (columns, 0)


# flowbook.cache


def _cached(*values):
    """Return the ids of one entry each, of one flow and task."""
    given = iter(values)

    @task(cache_for=HOUR, cache_validator=lambda *_: False)
    def load():
        return next(given)

    with Flow("c") as flow:
        load()
    for _ in values:
        assert flow.run().is_successful()
    return list(flowbook.cache.entries()["id"])


def test_entries_are_a_table_with_what_they_are():
    first, second = _cached(1, pd.DataFrame({"a": [1, 2]}))

    table = flowbook.cache.entries(flow="c", task="load")

    assert list(table["id"]) == [first, second]
    assert list(table["state"]) == ["valid", "valid"]
    assert table["value"].iloc[1] == "DataFrame, 2 × 1"
    assert flowbook.cache.entries(flow="other").empty
    assert flowbook.cache.entries(at=dt.datetime.now(dt.UTC) - HOUR).empty
    assert len(flowbook.cache.entries(at=dt.datetime.now(dt.UTC))) == 2


def test_an_entry_is_loaded_expired_and_pinned():
    first, second = _cached([1], [2])

    flowbook.cache.expire(first)
    flowbook.cache.pin(second)

    table = flowbook.cache.entries().set_index("id")
    assert list(table["state"]) == ["expired", "valid"]
    assert list(table["pinned"]) == [False, True]
    assert [flowbook.cache.load(first), flowbook.cache.load(second)] == [[1], [2]]
    flowbook.cache.pin(second, pinned=False)
    assert not flowbook.cache.entries()["pinned"].any()


@pytest.mark.parametrize("entry", ["nothing", "../../etc/passwd", "' OR 1=1 --", "", "\0", "é" * 500, 5, None])
def test_an_entry_that_is_not_there_is_said_by_its_id(entry):
    _cached(1)

    for act in (flowbook.cache.load, flowbook.cache.expire, flowbook.cache.pin):
        with pytest.raises(CacheEntryError, match="entries"):
            act(entry)
    with pytest.raises(CacheEntryError, match="entries"):
        flowbook.cache.diff(entry if isinstance(entry, str) else "x", "y")


def test_two_versions_are_compared_by_rows_cells_and_columns():
    before = pd.DataFrame({"id": [1, 2, 3], "delay": [5, 6, 7], "gate": ["a", "b", None], "old": 0})
    after = pd.DataFrame({"id": [2, 3, 4], "delay": [6, 9, 1], "gate": ["b", None, "z"], "new": 0.5})
    first, second = _cached(before, after)

    found = flowbook.cache.diff(first, second, key="id")

    assert list(found.added["id"]) == [4]
    assert list(found.removed["id"]) == [1]
    assert found.changed.reset_index().to_dict("records") == [{"id": 3, "column": "delay", "before": 7, "after": 9}]
    assert found.schema.to_dict("list") == {
        "column": ["old", "new"],
        "change": ["removed", "added"],
        "before": ["int64", None],
        "after": [None, "float64"],
    }
    assert repr(found) == "<Difference: 1 rows added, 1 removed, 1 cells changed in 1 rows, 2 columns differ>"


def test_nothing_differs_between_a_frame_and_itself():
    frame = pd.DataFrame(
        {
            "n": [1.0, None],
            "t": pd.to_datetime(["2026-01-01", None], utc=True),
            "c": pd.Categorical(["x", None]),
            "o": [[1, 2], {"a": np.arange(2)}],
            "i": pd.array([1, None], dtype="Int64"),
        }
    )

    found = flowbook.cache.diff(frame, frame.copy())

    assert not found
    assert repr(found) == "<Difference: none>"
    assert not flowbook.cache.diff(3, 3)
    assert list(flowbook.cache.diff(3, 4).changed["after"]) == [4]
    assert list(flowbook.cache.diff(np.arange(3), np.array([0, 1, 5])).changed["after"]) == [5]
    assert len(flowbook.cache.diff(pd.Series([1, 2]), pd.Series([1, 2, 3])).added) == 1


def test_a_column_of_another_type_is_told_and_its_cells_are_compared_by_value():
    found = flowbook.cache.diff(pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": ["1", 2]}))

    assert list(found.schema["change"]) == ["type"]
    assert list(found.changed["after"]) == ["1"]
    pd_types = flowbook.cache.diff(
        pd.DataFrame({"c": pd.Categorical(["x", "y"])}), pd.DataFrame({"c": pd.Categorical(["x", "z"])})
    )
    assert list(pd_types.changed["after"]) == ["z"]


def test_rows_that_were_doubled_are_told_as_added():
    once = pd.DataFrame({"v": [1, 2]})

    found = flowbook.cache.diff(once, pd.concat([once, once]))

    assert list(found.added["v"]) == [1, 2]
    assert list(found.added.index) == [0, 1]
    assert (len(found.removed), len(found.changed)) == (0, 0)


def test_tables_whose_indexes_have_different_levels_share_no_row():
    flat = pd.DataFrame({"a": [1], "b": [2], "v": [3]})

    found = flowbook.cache.diff(flat, flat.set_index(["a", "b"]))

    assert (len(found.added), len(found.removed), len(found.changed)) == (1, 1, 0)
    assert list(found.schema["column"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("key", "message"), [("nope", "There is no column 'nope'"), ("a", "identify each row"), (["a", "z"], "'z'")]
)
def test_a_key_that_is_no_key_is_refused(key, message):
    frame = pd.DataFrame({"a": [1, 1], "b": [1, 2]})

    with pytest.raises(DefinitionError, match=message):
        flowbook.cache.diff(frame, frame, key=key)
    with pytest.raises(DefinitionError, match="several columns 'x'"):
        flowbook.cache.diff(pd.DataFrame([[1, 2]], columns=["x", "x"]), frame)


# Making room


def test_a_cached_output_above_the_limit_is_had_from_the_run_that_made_it_too(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_MAX_VALUE_BYTES", "1000")

    @task(cache_for=HOUR)
    def load():
        return b"x" * 5000

    with Flow("large") as flow:
        load()

    flow.run(record=True)

    assert flowbook.run(flow.last_run.run_id)["load"].result == b"x" * 5000


def test_an_output_whose_class_is_not_there_any_more_says_what_it_needs(monkeypatch):
    module = types.ModuleType("passing")
    module.Point = type("Point", (), {"__module__": "passing"})
    monkeypatch.setitem(sys.modules, "passing", module)

    @task
    def make():
        return sys.modules["passing"].Point()

    with Flow("classes") as flow:
        make()
    flow.run(record=True)
    monkeypatch.delitem(sys.modules, "passing")

    with pytest.raises(UnpicklableError, match=r"can't be read here: .*No module named 'passing'.*PYTHONPATH"):
        _ = flow.as_of(dt.datetime.now(dt.UTC))["make"]


def test_a_sweep_takes_what_is_expired_and_says_so_where_somebody_looks(home):
    gone, kept, pinned = _cached(b"a" * 100_000, b"b" * 100_000, b"c" * 100_000)
    for entry in (gone, pinned):
        flowbook.cache.expire(entry)
    flowbook.cache.pin(pinned)

    planned = flowbook.cache.gc(older_than=dt.timedelta(0), dry_run=True)
    there = sum(path.is_file() for path in (home / "blobs").rglob("*"))
    swept = flowbook.cache.gc(older_than=dt.timedelta(0))

    assert there == 3
    assert (len(swept.dropped), swept.entries, swept.orphans) == (1, 1, 0)
    assert planned.dropped == swept.dropped
    assert "The output of task 'load' of flow 'c'" in swept.dropped[0][0]
    assert swept.freed_bytes > 100_000
    assert list(flowbook.cache.entries().set_index("id")["state"][[gone, kept, pinned]]) == [
        "dropped",
        "valid",
        "expired",
    ]
    with pytest.raises(ResultGoneError, match=r"task 'load' of flow 'c' .* \(100\.1 kB\) was dropped on"):
        flowbook.cache.load(gone)
    assert flowbook.cache.load(kept) == b"b" * 100_000
    assert flowbook.cache.load(pinned) == b"c" * 100_000
    assert sum(path.is_file() for path in (home / "blobs").rglob("*")) == 2


def test_a_sweep_leaves_what_is_young_and_what_an_open_run_needs():
    @task
    def load():
        return list(range(30_000))

    @task(trigger=flowbook.triggers.manual_only)
    def publish(rows):
        return len(rows)

    with Flow("open") as flow:
        publish(load())
    flow.run(record=True)
    run = flow.last_run

    young = flowbook.cache.gc()
    zealous = flowbook.cache.gc(older_than=dt.timedelta(0), total_bytes=0)
    resumed = flowbook.run(run.run_id).resume().wait(30)

    assert (young.dropped, zealous.dropped) == ((), ())
    assert resumed.is_successful()


def test_a_sweep_cuts_the_oldest_runs_until_all_fits():
    given = iter(range(100))

    @task
    def load():
        return bytes([next(given)]) * 70_000

    with Flow("big") as flow:
        load()
    runs = []
    for _ in range(4):
        flow.run(record=True)
        runs.append(flow.last_run.run_id)
    open_store()._database.write(lambda c: c.execute("UPDATE value SET created = created - 3600"))
    for path in (open_store().path / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))

    swept = flowbook.cache.gc(total_bytes=170_000)

    found = [_outcome(run) for run in runs]
    assert found == ["dropped", "dropped", "there", "there"]
    assert swept.kept_bytes <= 170_000
    assert swept.dropped[0][0] == "The output of task 'load' of run 1 of flow 'big'"


def _outcome(run_id):
    try:
        open_store().history.states(run_id)["load"].result  # noqa: B018  # loads it
    except ResultGoneError as error:
        return "dropped" if "of flow 'big' (70.1 kB) was dropped" in str(error) else str(error)
    return "there"


def test_what_a_sweep_may_take_is_checked():
    for wrong in (
        {"older_than": "5 days"},
        {"older_than": -5},
        {"older_than": -HOUR},
        {"total_bytes": "1"},
        {"total_bytes": -1},
        {"total_bytes": True},
    ):
        with pytest.raises(DefinitionError):
            flowbook.cache.gc(**wrong)


def test_orphans_are_swept(home):
    _cached(b"a" * 100_000)
    orphan = home / "blobs" / "ab" / ("c" * 62)
    orphan.parent.mkdir(exist_ok=True)
    for path in (orphan, home / "blobs" / ".tmp-1-ff"):
        path.write_bytes(b"x" * 10)
    stranger = home / "blobs" / "ab" / "notes.txt"
    stranger.write_text("mine")

    swept = flowbook.cache.gc(older_than=dt.timedelta(0))

    assert (swept.orphans, swept.freed_bytes) == (2, 20)
    assert not orphan.exists()
    assert stranger.exists()


def test_an_output_that_is_made_again_after_a_sweep_is_there_again():
    (entry,) = _cached(b"a" * 100_000)
    flowbook.cache.expire(entry)
    flowbook.cache.gc(older_than=dt.timedelta(0))

    ref = open_store().values.put(b"a" * 100_000)  # noqa: PD011  # no table

    assert ref.load() == b"a" * 100_000


def test_states_that_a_flow_hands_on_are_plain():
    flow, between, _ = _two_versions()

    states = flow.as_of(between).states()

    assert {key: type(state) for key, state in states.items()} == dict.fromkeys(["load", "clean", "report"], Success)
    assert not any(isinstance(state, Cached | Paused) for state in states.values())
