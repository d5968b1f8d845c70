"""Plans: what a run would do, said before it; and that the run then does it."""

import datetime as dt
import time

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, Parameter, task, triggers, unmapped
from flowbook.engine.cache_validators import all_parameters
from flowbook.exceptions import ParameterError, UnknownTaskError
from flowbook.flow_run.plan import PlannedTask
from flowbook.results import reference
from flowbook.store import open_store

RATES = {"EUR": 2}


@task
def load(month):
    return pd.DataFrame({"day": range(3), "month": month})


@task
def clean(frame, least=0):
    return frame[frame.day >= least]


@task
def total(frame):
    return int(frame.day.sum())


@task
def joined(frames):
    return pd.concat(frames)


def _flow(**options):
    with Flow("delays", cache=True, **options) as flow:
        total(clean(load(Parameter("month", default=7))))
    return flow


def _told(plan):
    return {each.key: (each.outcome, each.cause) for each in plan}


def test_before_the_first_run_everything_is_new():
    plan = _flow().plan()

    assert _told(plan) == {"load": ("run", "new"), "clean": ("run", "above"), "total": ("run", "above")}
    assert [each.why for each in plan] == ["no output of it is stored", "load runs", "clean runs"]
    assert plan.summary() == "3 of 3 will run (1 new, 2 below these)"
    assert (plan.number, plan.expected_s, plan.runs) == (1, None, 0)


def test_the_columns_of_a_plan_count_cells_so_that_wide_names_are_straight():
    with Flow("delays") as flow:
        total.copy(name="売上集計")(load("7"))

    lines = str(flow.plan()).splitlines()[1:]

    assert lines == ["  load      will run    it isn't cached", "  売上集計  will run    it isn't cached"]


def test_after_a_run_everything_comes_from_the_cache_and_says_which_run_made_it():
    flow = _flow()
    flow.run(record=True)

    plan = flow.plan()

    assert _told(plan) == {"load": ("hit", ""), "clean": ("hit", ""), "total": ("hit", "")}
    assert {each.made_by for each in plan} == {1}
    assert plan["load"].why.startswith("made ")
    assert plan["load"].why.endswith(" ago by run 1")
    assert plan.summary() == "0 of 3 will run, about < 1 ms; 3 from the cache"


def test_another_parameter_says_what_it_was():
    flow = _flow()
    flow.run(record=True)

    plan = flow.plan(month=8)

    assert plan["load"].why == "input month is 8, was 7"
    assert _told(plan) == {"load": ("run", "input"), "clean": ("run", "above"), "total": ("run", "above")}


def test_changed_code_is_the_reason_although_the_task_above_comes_from_the_cache():
    _flow().run(record=True)

    @task(name="clean")
    def cleaner(frame, least=0):
        return frame[frame.day > least]

    with Flow("delays", cache=True) as edited:
        total(cleaner(load(Parameter("month", default=7))))

    plan = edited.plan()

    assert _told(plan) == {"load": ("hit", ""), "clean": ("run", "code"), "total": ("run", "above")}
    assert plan["clean"].why == "its code changed"


def test_a_changed_variable_is_named(monkeypatch):
    @task
    def convert(amount):
        return amount * RATES["EUR"]

    with Flow("money", cache=True) as flow:
        convert(2)
    flow.run(record=True)
    monkeypatch.setitem(RATES, "EUR", 3)

    plan = flow.plan()

    assert (plan["convert"].cause, plan["convert"].why) == ("variable", "global RATES changed")


def test_expired_and_deleted_entries_are_told_apart():
    @task(cache_for=0.001)
    def short():
        return 1

    with Flow("short") as flow:
        short()
    flow.run(record=True)
    time.sleep(0.002)

    plan = flow.plan()

    assert plan["short"].cause == "expired"
    assert plan["short"].why.startswith("its output expired ")


def test_what_a_parameter_decides_is_compared_by_parameters():
    @task(cache_for=60, cache_validator=all_parameters)
    def read():
        return 1

    with Flow("read") as flow:
        flow.add_task(Parameter("n", default=1))
        read()
    flow.run(record=True)

    assert _told(flow.plan()) == {"read": ("hit", "")}
    assert flow.plan(n=2)["read"].why == "parameter n changed"


def test_an_output_that_duration_only_reuses_says_from_what_it_was_made():
    @task(cache_for=dt.timedelta(days=1))
    def slow(x):
        return x

    with Flow("stale") as flow:
        slow(Parameter("x", default=5))
    flow.run(record=True)

    assert flow.plan(x=77)["slow"].why.endswith("by run 1, from other inputs (x was 5, is 77)")


def test_an_uncached_task_is_expected_to_give_the_same_again():
    @task(cache=False)
    def fetch():
        return 3

    with Flow("fetching", cache=True) as flow:
        total(clean(load(7), fetch()))
    flow.run(record=True)

    plan = flow.plan()

    assert _told(plan) == {
        "load": ("hit", ""),
        "fetch": ("run", "not cached"),
        "clean": ("hit", ""),
        "total": ("hit", ""),
    }
    assert plan["clean"].why.endswith("if what runs above gives the same as before")
    assert plan["load"].why.endswith("by run 1")


def test_before_the_first_run_a_cached_task_may_lie_below_one_that_is_not():
    @task
    def fetch():
        return 3

    @task(cache=True)
    def kept(rows):
        return rows

    with Flow("fetching") as flow:
        kept(fetch())

    assert _told(flow.plan()) == {"fetch": ("run", "not cached"), "kept": ("run", "unknown")}


def test_what_waits_for_a_person_and_what_comes_after_it():
    @task(trigger=triggers.manual_only)
    def approve(n):
        return n

    @task
    def publish(n):
        return n

    @task(trigger=triggers.any_failed)
    def alarm(n):
        return n

    with Flow("approval", cache=True) as flow:
        counted = total(load(7))
        publish(approve(counted))
        alarm(counted)
    flow.run(record=True)

    plan = flow.plan()

    assert {each.key: (each.outcome, each.why) for each in plan if each.outcome != "hit"} == {
        "approve": ("wait", "until a person resumes it"),
        "publish": ("run", "after approve"),
        "alarm": ("if failed", "only if total fails"),
    }
    assert plan.keys("wait") == ("approve",)
    assert set(plan.waits_after_s) == {"approve"}


def test_children_of_a_mapped_task_are_foreseen_one_by_one():
    @task
    def square(x, k):
        return x * k

    @task
    def add_up(xs):
        return sum(xs)

    with Flow("squares", cache=True) as flow:
        add_up(square.map(Parameter("xs", default=(1, 2, 3)), k=unmapped(2)))
    flow.run(record=True)

    again, more = flow.plan(), flow.plan(xs=[2, 3, 4, 5])

    assert [(each.outcome, each.width, each.hits) for each in again] == [("hit", 3, 3), ("hit", None, 0)]
    assert [(each.words, each.width, each.hits) for each in more] == [("2 of 4 will run", 4, 2), ("will run", None, 0)]
    assert more["square"].why == "input x is 5, was 3"


def test_elements_of_a_stored_value_are_known_from_the_run_that_split_it():
    @task
    def months():
        return [1, 2, 3]

    @task
    def square(x):
        return x * x

    @task
    def double(x):
        return 2 * x

    @task
    def add_up(xs, ys):
        return sum(xs) + ys

    with Flow("months", cache=True) as flow:
        squares = square.map(months())
        add_up(double.map(squares), months()[0])
    flow.run(record=True)

    assert {each.outcome for each in flow.plan() if each.cause != "not cached"} == {"hit"}


def test_gathered_results_are_known_by_what_they_gather():
    @task
    def number(n):
        return n

    @task
    def add_up(xs):
        return sum(xs)

    with Flow("gathered", cache=True) as flow:
        add_up([number(1), number(2), 3])
    flow.run(record=True)

    assert flow.plan()["add_up"].outcome == "hit"


def test_an_output_that_another_run_made_is_found_too():
    flow = _flow()
    flow.run(month=1, record=True)
    flow.run(month=2, record=True)
    for month in (3, 4, 5, 6):
        flow.run(month=month, record=True)

    plan = flow.plan(month=1)

    assert [(each.outcome, each.made_by) for each in plan] == [("hit", 1)] * 3


def test_no_value_is_loaded(monkeypatch):
    flow = _flow()
    flow.run(record=True)
    open_store().close()

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(reference.ResultRef, "load", refuse)

    assert {each.outcome for each in flow.plan()} == {"hit"}


def test_the_plan_is_what_the_run_does():
    flow = _flow()
    flow.run(record=True)

    plan = flow.plan(month=9)
    flow.run(month=9, record=True)
    ran = {key for key, state in flow.last_run.states.items() if getattr(state, "made_here", False)}

    assert set(plan.keys("run")) == ran


def test_a_list_that_is_gathered_is_no_task_of_a_plan_nor_of_a_run():
    with Flow("totals", cache=True) as flow:
        total(joined([load(1), load(2)]))
    planned = {each.key: each.why for each in flow.plan()}
    flow.run(record=True)
    (run,) = open_store().runs.list("totals")

    assert planned["joined"] == "load and load-2 run"
    assert list(planned) == ["load", "load-2", "joined", "total"]
    assert run.counts == {"Success": 4}


def test_started_at_a_task_only_what_lies_below_it_runs():
    flow = _flow()
    flow.run(record=True)

    plan = flow.plan(start="clean")

    assert {each.key: (each.outcome, each.why) for each in plan} == {
        "load": ("keep", "it lies above or beside what was asked for"),
        "clean": ("run", "you asked for it"),
        "total": ("run", "clean runs"),
    }


def test_durations_come_from_earlier_runs():
    @task
    def wait(n):
        time.sleep(0.02)
        return n

    with Flow("slow") as flow:
        wait(wait(1))
        wait(3)
    flow.run(record=True)
    flow.run(record=True)

    plan = flow.plan()

    assert plan.runs == 2
    assert 0.06 <= plan.least_s <= plan.expected_s <= plan.most_s
    assert all(0.02 <= each.expected_s < 1 for each in plan)


def test_a_mapped_task_takes_as_many_calls_as_before_where_their_number_is_not_known():
    @task
    def numbers():
        return [1, 2, 3, 4]

    @task
    def wait(n):
        time.sleep(0.02)
        return n

    with Flow("slow") as flow:
        wait.map(numbers())
    flow.run(record=True)
    flow.run(record=True, only="wait[2]")

    plan = flow.plan()

    assert plan["wait"].width is None
    assert 0.08 <= plan["wait"].expected_s <= plan.expected_s


def test_a_table_and_plain_data():
    flow = _flow()
    flow.run(record=True)

    plan = flow.plan(month=8)
    frame, plain = plan.to_frame(), plan.plain()

    assert frame[["task", "outcome", "why"]].to_numpy().tolist() == [
        ["load", "run", "input month is 8, was 7"],
        ["clean", "run", "load runs"],
        ["total", "run", "clean runs"],
    ]
    assert list(plain["tasks"]) == ["load", "clean", "total"]
    assert plain["tasks"]["load"]["cause"] == "input"
    assert str(plan).startswith("delays, plan of run 2: 3 of 3 will run (1 with other inputs, 2 below these), about ")
    assert "data-task='clean'" in plan._repr_mimebundle_()["text/html"]


def test_wrong_parameters_and_tasks_are_refused():
    with pytest.raises(ParameterError, match=r"^Flow 'delays' has no parameter 'moon'\. Its parameters: month\.$"):
        _flow().plan(moon=1)
    with pytest.raises(UnknownTaskError, match=r"^Flow 'delays' has no task 'cleen'\. Did you mean 'clean'\?$"):
        _flow().plan(start="cleen")


def test_a_validator_of_ones_own_decides_when_it_runs():
    @task(cache_for=60, cache_validator=lambda *_: True)
    def own():
        return 1

    with Flow("own") as flow:
        own()

    assert list(flow.plan()) == [PlannedTask("own", "run", "its own cache validator decides when it runs", "unknown")]


def test_planning_runs_and_records_nothing():
    flow = _flow()
    flow.plan()

    assert len(flowbook.runs()) == 0
    assert flow.last_run is None


def test_a_plan_is_shown_as_a_picture_too():
    flow = _flow()
    flow.run(record=True)

    shown = flow.plan({"month": 8})._repr_mimebundle_()["text/html"]

    assert "<img" in shown
    assert "delays, plan of run 2: 3 of 3 will run" in shown


def test_a_long_name_does_not_widen_the_table_of_a_plan():
    name = "delays_by_carrier_and_month_without_the_cancelled_flights"
    with Flow("long") as flow:
        load(1, task_args={"name": name})

    shown = flow.plan()._repr_mimebundle_()["text/html"]

    assert f"<tr data-task='{name}' data-outcome='run'>" in shown
    assert f"title='{name}'>delays_by" in shown
    assert f">{name}<" not in shown


def test_a_picture_of_a_plan_says_what_will_become_of_each_task():
    flow = _flow()
    flow.run(record=True)

    drawn = [flow.plan({"month": month}).svg() for month in (7, 8)]

    said = [[word for word in ("Cache hit", "Will run", "Given") if f">{word}</text>" in each] for each in drawn]
    assert said == [["Cache hit", "Given"], ["Will run", "Given"]]
    assert "input month is 8, was 7" in drawn[1]


def test_a_picture_of_a_plan_of_many_tasks_has_groups():
    with Flow("many") as flow:
        for n in range(160):
            load(n, task_args={"name": f"load_{n}"})

    drawn = flow.plan().svg()

    assert ">Will run</text>" in drawn
    assert ">160</text>" in drawn
    assert "load_7" not in drawn
