"""Runs of a part of a flow: from a task on, one task alone, up to one; and without the cache."""

import re
from datetime import timedelta

import pytest

import flowbook
from flowbook import Flow, Parameter, flatten, task, triggers
from flowbook.exceptions import DefinitionError, StartTaskError
from flowbook.store import open_store


class Flights:
    """A flow that notes what ran: load, cached, then double for each, total, publish; side beside them."""

    def __init__(self):
        self.ran = []
        numbers = iter(range(1_000_000))

        @task(cache_for=timedelta(days=1))
        def load(n):
            self.ran.append("load")
            return list(range(n))

        @task
        def double(x):
            self.ran.append(f"double {x}")
            return 2 * x

        @task
        def total(xs, k):
            self.ran.append("total")
            return sum(xs) + k

        @task
        def publish(value):
            self.ran.append("publish")
            return value, next(numbers)

        @task
        def side(n):
            self.ran.append("side")
            return n

        with Flow("flights") as flow:
            n = Parameter("n", default=3)
            publish(total(double.map(load(n)), Parameter("k", default=0)))
            side(n)
        self.flow = flow

    def run(self, **options):
        """Run it recorded; return what ran, and the run as the store has it."""
        self.ran.clear()
        self.flow.run(record=True, **options)
        return list(self.ran), flowbook.run(self.flow.last_run.run_id)


@pytest.fixture
def flights():
    made = Flights()
    made.run()
    return made


def _outcomes(plan):
    return {each.key: each.outcome for each in plan}


def test_from_a_task_on_it_runs_anew_with_all_below_it_and_the_rest_keeps_its_results(flights):
    plan = flights.flow.plan(start_at="total")
    ran, run = flights.run(start_at="total")

    assert _outcomes(plan) == {"load": "keep", "double": "keep", "total": "run", "publish": "run", "side": "keep"}
    assert plan.title == "plan of run 2, from total on"
    assert ran == ["total", "publish"]
    assert run.only == ("total", "publish")
    assert run["load"].message == "Kept from run 1."
    assert run["publish"].result == (6, 1)


def test_a_cached_task_at_which_a_run_starts_runs_anew(flights):
    plan = flights.flow.plan(start_at="load")
    ran, run = flights.run(start_at="load")

    assert plan["load"].why == "you asked for it"
    assert ran == ["load", "double 0", "double 1", "double 2", "total", "publish"]
    assert run["side"].result == 3


def test_only_a_task_runs_and_what_lies_below_is_left_out(flights):
    plan = flights.flow.plan(only="total")
    ran, run = flights.run(only="total")

    assert _outcomes(plan) == {"load": "keep", "double": "keep", "total": "run", "publish": "out", "side": "keep"}
    assert ran == ["total"]
    assert run.state.is_successful()
    assert (run["publish"].is_skipped(), run["publish"].message) == (
        True,
        "Left out: the run goes no further than total.",
    )


def test_up_to_a_task_runs_what_it_needs_and_nothing_else(flights):
    plan = flights.flow.plan(up_to="double")
    ran, run = flights.run(up_to="double")

    assert _outcomes(plan) == {"load": "hit", "double": "run", "total": "out", "publish": "out", "side": "out"}
    assert ran == ["double 0", "double 1", "double 2"]
    assert run["side"].message == "Left out: the run goes up to double."


def test_what_was_left_out_is_no_result_to_go_by_and_so_runs_too(flights):
    flights.run(up_to="double")

    ran, run = flights.run(start_at="publish")

    assert ran == ["total", "publish"]
    assert run["double[1]"].message == "Kept from run 2."


def test_a_plan_of_one_child_counts_the_others_as_kept(flights):
    plan = flights.flow.plan(start_at="double[1]")

    assert [(plan["double"].words, plan["double"].width, plan["double"].keeps)] == [("1 of 3 will run", 3, 2)]
    assert plan.plain()["tasks"]["double"]["keeps"] == 2
    assert plan["total"].words == "will run"
    assert plan.svg().count("1 of 3") == 1


def test_one_child_runs_alone_or_with_what_lies_below(flights):
    ran_alone, alone = flights.run(only="double[1]")
    ran_on, run_on = flights.run(start_at="double[1]")

    assert ran_alone == ["double 1"]
    assert [state.result for state in alone["double"].map_states] == [0, 2, 4]
    assert ran_on == ["double 1", "total", "publish"]
    assert run_on["publish"].result[0] == 6


@pytest.mark.parametrize("asked", ["double[1]", ["double[1]", "side"]])
@pytest.mark.parametrize("flattens", [False, True])
def test_one_child_of_a_task_over_a_list_of_tasks_runs_though_the_list_is_made_again(asked, flattens):
    ran = []

    @task
    def load(n):
        ran.append("load")
        return [n] if flattens else n

    @task
    def double(x):
        ran.append(f"double {x}")
        return 2 * x

    @task
    def side():
        ran.append("side")
        return 100

    @task
    def total(xs, more):
        ran.append("total")
        return sum(xs) + more

    with Flow("gathered") as flow:
        loaded = [load(1), load(2)]
        total(double.map(flatten(loaded) if flattens else loaded), side())
    flow.run()
    ran.clear()

    state = flow.run(start_at=asked)

    assert ran == [*(["side"] if "side" in asked else []), "double 2", "total"]
    assert (state.is_successful(), flow.last_run["total"].result) == (True, 106)


def test_one_child_waits_for_what_never_ran_beside_it():
    @task
    def load():
        return [1, 2]

    @task
    def double(x):
        return 2 * x

    @task
    def side():
        return 100

    @task
    def total(xs, more):
        return sum(xs) + more

    with Flow("beside") as flow:
        total(double.map(load()), side())
    flow.run(up_to="double")

    state = flow.run(start_at="double[1]")

    assert (state.is_successful(), flow.last_run["total"].result) == (True, 106)


def test_parameters_are_those_of_the_new_run(flights):
    _, run = flights.run(start_at="total", k=100)

    assert run["total"].result == 106


def test_a_run_may_be_based_on_an_earlier_one(flights):
    flights.run(n=5)

    _, run = flights.run(only="total", based_on=flowbook.run(1, flow=flights.flow))

    assert run["total"].result == 6


def test_without_the_cache_every_task_runs_and_is_stored_again(flights):
    plan = flights.flow.plan(use_cache=False)
    ran, _ = flights.run(use_cache=False)
    ran_after, _ = flights.run()

    assert plan["load"].why == "without the cache"
    assert "load" in ran
    assert "load" not in ran_after


def test_why_a_task_cannot_run_alone_is_said():
    flights = Flights()

    with pytest.raises(
        StartTaskError, match=r"total, above it, has not run yet\. Run up to publish, or from total on\."
    ):
        flights.flow.plan(only="publish")
    with pytest.raises(StartTaskError, match="known once double is split"):
        flights.flow.plan(up_to="double[1]")
    with pytest.raises(StartTaskError, match="There is no double\\[7\\] in an earlier run"):
        flights.flow.plan(only="double[7]")


def test_a_value_that_is_gone_is_named(flights):
    flights.flow.last_run = None
    run = flowbook.run(1, flow=flights.flow)
    gone = bytes.fromhex(run.states["total"].raw_result.digest)
    open_store()._database.write(lambda connection: connection.execute("DELETE FROM value WHERE digest = ?", (gone,)))

    with pytest.raises(StartTaskError, match="total, above it, lost its value of run 1"):
        flights.flow.plan(only="publish", based_on=run)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"only": "total", "up_to": "total"}, "only and up_to don't go together"),
        ({"only": "total", "start_tasks": ["total"]}, "only and start_tasks don't go together"),
        ({"only": "total", "based_on": 3}, "based_on=3 isn't a run"),
        ({"use_cache": "no"}, "use_cache='no' isn't True or False"),
    ],
)
def test_options_that_do_not_fit_are_refused(flights, options, words):
    with pytest.raises(DefinitionError, match=words):
        flights.flow.run(**options)


def test_a_parameter_of_the_same_name_keeps_its_value():
    @task
    def double(x):
        return 2 * x

    with Flow("named") as flow:
        result = double(Parameter("only", default=1))

    assert flow.run(only=4).result[result].result == 8


def test_a_failure_decides_a_run_of_one_task_and_a_retry_stays_within_it():
    attempts = iter(range(1_000_000))
    ran = []

    @task
    def shaky():
        ran.append("shaky")
        if next(attempts) == 1:
            raise ValueError

    @task
    def below(_):
        ran.append("below")

    with Flow("shaky") as flow:
        below(shaky())
    flow.run(record=True)
    ran.clear()

    state = flow.run(record=True, only="shaky")
    again = flowbook.run(flow.last_run.run_id, flow=flow).retry().wait()

    assert (state.is_failed(), again.is_successful()) == (True, True)
    assert ran == ["shaky", "shaky"]


def test_a_task_that_asks_a_person_asks_again():
    @task(trigger=triggers.manual_only)
    def approve():
        return "yes"

    with Flow("asks") as flow:
        approve()
    flow.run(record=True)
    flow.last_run.resume("approve", by="ada").wait()

    state = flow.run(record=True, start_at="approve")

    assert state.is_paused()


def test_a_retry_may_name_a_child_or_the_failed_children_of_one_mapped_task():
    broken, ran = {1, 2}, []

    @task
    def parse(x):
        ran.append(x)
        if x in broken:
            raise ValueError(x)
        return x

    @task
    def other():
        raise OSError

    with Flow("several") as flow:
        parse.map([0, 1, 2])
        other()
    flow.run(record=True)
    run = flow.last_run
    broken.clear()
    ran.clear()

    run.retry(tasks=["parse[2]"]).wait()
    one = list(ran)
    run.retry(tasks=["parse"]).wait()

    assert one == [2]
    assert ran == [2, 1]
    assert [state.is_failed() for state in (run["parse[1]"], run["other"])] == [False, True]
    again = "Name what has: other. To run what hasn't, start there: flow.run(start_at='parse')."
    with pytest.raises(StartTaskError, match=re.escape(f"parse has not failed in run 1 of 'several'. {again}")):
        run.retry(tasks=["parse"])
