"""Any moment of a run, and outputs as they were at a time."""

from __future__ import annotations

import datetime as dt
import time

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, task
from flowbook.engine.state import Mapped, Pending, Success
from flowbook.exceptions import (
    DefinitionError,
    ResultGoneError,
    UnknownRunError,
    UnknownTaskError,
)
from tests.core.versions import HOUR, two_versions


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
    flow, *_ = two_versions()

    states = flow.last_run.states

    assert list(states) == ["day", "load", "clean", "report"]
    assert len(states) == 4
    assert "clean" in states
    assert states.get("nothing") is None
    assert [key for key, state in states.items() if state.is_successful()] == list(states.keys())
    assert all(state.is_finished() for state in states.values())


@pytest.mark.parametrize("at", ["tomorrow", "2026-13-01", 17, None.__class__, pd.NaT, "", "0001-01-01T00:00+14:00"])
def test_what_is_not_a_time_is_refused(at):
    flow, *_ = two_versions()

    with pytest.raises(DefinitionError, match=r"isn't a time|out of reach of the clock"):
        flow.last_run.states(at=at)
    with pytest.raises(DefinitionError, match=r"isn't a time|out of reach of the clock"):
        flow.as_of(at)


def test_a_naive_moment_is_local_time():
    flow, between, _ = two_versions()
    local = between.astimezone().replace(tzinfo=None)

    values = [flow.as_of(moment)["report"] for moment in (between, local, local.isoformat(" "), between.isoformat())]

    assert values == [8] * 4


def test_a_moment_of_pandas_may_be_naive_as_well():
    flow, between, _ = two_versions()

    then = flow.as_of(pd.Timestamp(between.astimezone().replace(tzinfo=None)))

    assert then.at == between
    assert list(then["load"]["delay"]) == [1, 2, 5]


def test_as_of_gives_the_value_that_a_task_had_produced_last():
    flow, between, _ = two_versions()

    then, now = flow.as_of(between), flow.as_of(dt.datetime.now())  # noqa: DTZ005  # a person's clock

    assert list(then["clean"]["delay"]) == [1, 2, 5]
    assert list(now["clean"]["delay"]) == [8, 5]
    assert (then["report"], now["report"]) == (8, 13)


def test_as_of_a_moment_before_anything_says_so():
    flow, between, _ = two_versions()

    with pytest.raises(ResultGoneError, match="had no stored result at"):
        flow.as_of(between - HOUR)["clean"]
    with pytest.raises(UnknownTaskError, match="clean"):
        flow.as_of(between)["cleam"]


def test_a_value_from_the_past_is_a_copy():
    flow, between, _ = two_versions()
    first = flow.as_of(between)["load"]

    first.loc[0, "delay"] = 99

    assert flow.as_of(between)["load"].loc[0, "delay"] == 1


def test_a_flow_runs_on_from_an_old_version():
    flow, between, ran = two_versions()
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
    flow, _, _ = two_versions()
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
