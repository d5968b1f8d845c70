"""Runs of what lies below a task, with an earlier output of it."""

from __future__ import annotations

import pytest

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.core.run_below import below_entry, below_run
from flowbook.exceptions import DefinitionError, ResultGoneError, StartTaskError
from flowbook.store import open_store

CALLS: list[str] = []


@task(cache=True)
def load(n):
    CALLS.append("load")
    return [n] * 3


@task
def other():
    CALLS.append("other")
    return "other"


@task
def total(rows, text):
    CALLS.append("total")
    return f"{sum(rows)} {text}"


@task
def publish(text):
    CALLS.append("publish")
    return f"published {text}"


@pytest.fixture
def flow():
    with Flow("delays") as flow:
        publish(total(load(Parameter("n", default=1)), other()))
    for n in (1, 2):
        flow.run(record=True, n=n)
    CALLS.clear()
    return flow


def test_what_lies_below_runs_with_the_output_of_a_run_and_says_so(flow):
    first = flowbook.run("delays 1").run_id

    options = below_run(flow, "load", first)

    plan = flow.plan(n=2, **options)
    state = flow.run(record=True, n=2, **options)

    assert state.is_successful()
    assert CALLS == ["total", "publish"]
    assert flow.last_run["publish"].result == "published 3 other"
    kept = flow.last_run["load"].message
    assert kept.startswith("Kept from ")
    assert kept.endswith(" (load of run 1).")
    assert {plan[key].why for key in plan.keys("keep")} == {"kept from run 1"}
    assert flowbook.run("delays 3")["load"].message == kept


def test_mapped_tasks_above_keep_the_outputs_of_all_their_children():
    with Flow("mapped", cache=True) as flow:
        publish(total(load.map([1, 2])[0], load(5)))
    flow.run(record=True)
    entry = open_store().cache.entries(flow="mapped", task="total")[0]
    CALLS.clear()

    plan = flow.plan(**below_entry(flow, entry))
    state = flow.run(record=True, **below_entry(flow, entry))

    assert plan["load"].outcome == "keep"
    assert state.is_successful()
    assert CALLS == ["publish"]
    assert flow.last_run["load[1]"].result == [2, 2, 2]


def _one_of_three(record):
    """Return a flow whose mapped task has three children, run once, and the entry of one of these."""
    with Flow("thirds") as flow:
        publish(load.map([1, 2, 3]))
    flow.run(record=record)
    entry = open_store().cache.entries(flow="thirds", task="load")[1]
    CALLS.clear()
    return flow, entry


def test_an_entry_of_a_child_stands_for_the_mapped_task_as_that_run_left_it():
    flow, entry = _one_of_three(record=True)

    flow.run(record=True, **below_entry(flow, entry))
    by_entry = flow.last_run["publish"].result
    flow.run(record=True, **below_run(flow, "load[1]", flowbook.run("thirds 1").run_id))

    assert by_entry == "published [[1, 1, 1], [2, 2, 2], [3, 3, 3]]"
    assert flow.last_run["publish"].result == by_entry
    assert CALLS == ["publish", "publish"]


def test_an_entry_of_a_child_of_an_unrecorded_run_is_refused_in_words():
    flow, entry = _one_of_three(record=False)

    with pytest.raises(
        StartTaskError, match="is mapped, this is the output of one of its children, and the run that made it"
    ):
        below_entry(flow, entry)


def test_a_child_is_no_version_of_its_task():
    flow, _ = _one_of_three(record=True)

    with pytest.raises(DefinitionError, match=r"load\[1\] is a child of a mapped task. Name the task, 'load'"):
        flow.as_of("now").run_below("load[1]")


def test_the_same_with_an_entry_of_the_cache_and_with_a_time(flow):
    oldest = open_store().cache.entries(flow="delays", task="load")[0]

    flow.run(record=True, **below_entry(flow, oldest))
    by_entry = flow.last_run["publish"].result
    then = flow.as_of(run=1)
    plan = then.plan_below("load")
    then.run_below("load", record=True)

    assert by_entry == "published 3 other"
    assert flow.last_run["publish"].result == "published 3 other"
    assert CALLS == ["total", "publish"] * 2
    assert [each.key for each in plan.tasks if each.outcome == "run"] == ["total", "publish"]
    assert plan["load"].outcome == "keep"


def test_children_of_a_mapped_task_keep_their_results():
    with Flow("mapped") as mapped:
        found = other.copy(name="names")()
        parts = publish.copy(name="parts").map(load.copy(name="rows")(2))
        total.copy(name="both")([1], parts)
        del found
    mapped.run(record=True)
    run_id = mapped.last_run.run_id
    CALLS.clear()

    mapped.run(record=True, **below_run(mapped, "parts", run_id))

    assert CALLS == ["total"]
    assert mapped.last_run["both"].result == "1 ['published 2', 'published 2', 'published 2']"


def test_what_has_nothing_below_it_or_gave_nothing_is_refused_in_words(flow):
    first = flowbook.run("delays 1").run_id
    with Flow("delays") as longer:
        again = publish(total(load(1), other()))
        publish.copy(name="more")(again)

    with pytest.raises(StartTaskError, match="Nothing lies below publish, so there is nothing to run"):
        below_run(flow, "publish", first)
    with pytest.raises(ResultGoneError, match="has no output in that run: it is Pending"):
        below_run(longer, "more", first)
