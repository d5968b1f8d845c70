"""What a run took from the cache, and why the rest ran."""

import threading

from flowbook import Flow, Parameter, task
from flowbook.flow_run.reuse import RanTask, Reuse, reuse_of


@task
def load(month):
    return [month]


@task
def clean(rows):
    return rows


@task
def report(rows):
    return sum(rows)


def _flow(load=load, clean=clean):
    with Flow("reuse", cache=True) as flow:
        report(clean(load(Parameter("month", default=7))))
    return flow


def _reuse(flow, **options):
    flow.run(record=True, **options)
    run = flow.last_run
    return reuse_of(run.run_id, run.graph, run.states)


def test_the_first_run_ran_everything():
    found = _reuse(_flow())

    assert found.sentence() == "All 3 ran: none of their outputs was cached yet."
    assert found == Reuse(
        3,
        (
            RanTask("load", "no output of it is stored"),
            RanTask("clean", "no output of it is stored"),
            RanTask("report", "no output of it is stored"),
        ),
    )


def test_nothing_ran_again():
    _flow().run(record=True)

    assert _reuse(_flow()).sentence() == "None of 3 ran: all came from the cache."


def test_what_ran_below_a_task_is_counted_and_not_explained():
    _flow().run(record=True)

    found = _reuse(_flow(), month=8)

    assert found.ran == (
        RanTask("load", "input month is 8, was 7"),
        RanTask("clean", "", ("load",)),
        RanTask("report", "", ("clean",)),
    )
    assert found.sentence() == "3 of 3 ran: load, input month is 8, was 7; 2 below it."


def test_of_a_run_from_some_tasks_on_only_what_it_may_run_is_counted():
    flow = _flow()
    flow.run(record=True)
    kept = {"load": flow.last_run.states["load"], "month": flow.last_run.states["month"]}

    flow.run(start_tasks=["clean"], task_states=kept, record=True)
    run = flow.last_run

    assert run.only == ("clean", "report")
    assert reuse_of(run.run_id, run.graph, run.states, run.only).total == 2


def test_a_mapped_task_whose_code_changed_names_no_element_of_another_child():
    @task
    def parse(row):
        return row

    @task(name="parse")
    def other(row):
        return [row]

    for each in (parse, other):
        with Flow("reuse", cache=True) as flow:
            each.map([1, 2, 3])
        found = _reuse(flow)

    assert found.sentence() == "parse ran: its code changed."


def test_that_an_output_can_not_be_cached_is_the_reason():
    lock = threading.RLock()
    held = [lock]

    @task
    def clean(rows):
        return rows[: len(held)]

    flow = _flow(clean=clean)
    _reuse(flow)

    found = _reuse(flow)

    assert found.sentence() == "1 of 3 ran: clean, its output can't be cached."


def test_changed_code_is_the_reason():
    _flow().run(record=True)

    @task(name="clean")
    def other(rows):
        return [*rows, 1]

    assert _reuse(_flow(clean=other)).sentence() == "2 of 3 ran: clean, its code changed; 1 below it."


def test_tasks_that_are_not_cached_are_not_counted_as_if_there_were_no_others():
    @task(cache=True)
    def first(month):
        return month

    @task(cache=True)
    def second(month):
        return month

    sentences = []
    for last in (report, second):
        with Flow("reuse") as flow:
            clean(last([first(Parameter("month", default=7))]))
        sentences += [_reuse(flow, month=month).sentence() for month in (7, 7, 8)]

    assert sentences == [
        "",
        "first came from the cache.",
        "first ran: input month is 8, was 7.",
        "1 of 2 cached tasks ran: second, no output of it is stored.",
        "None of 2 cached tasks ran: all came from the cache.",
        "1 of 2 cached tasks ran: second, input month changed.",
    ]
