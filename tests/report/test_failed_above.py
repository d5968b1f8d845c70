"""What a task that waits would get, though something above it failed."""

import pytest

from flowbook import Flow, task, triggers
from flowbook.report.failed_above import failed_above, failed_for, instead


@task
def good(n=1):
    return n


@task
def top(n=1):
    if n == 1:
        raise ValueError("80 flights have no weather")
    return n


@task
def mid(x):
    return x


@task(trigger=triggers.manual_only)
def approve(x, y=None):
    return x, y


@task(trigger=triggers.all_finished)
def count(x):
    return x


def _run(write):
    with Flow("f") as flow:
        write()
    flow.run()
    run = flow.last_run
    return run.graph, run.states.get


@pytest.mark.parametrize(
    ("write", "above", "said"),
    [
        (
            lambda: approve(top(), good()),
            "top failed",
            "top failed. If resumed, approve gets the error ValueError: 80 flights have no weather for x.",
        ),
        (lambda: approve(mid(top())), "mid did not run", "mid did not run. If resumed, approve gets None for x."),
        (
            lambda: approve([good(), top(), [mid(top())]]),
            "top failed, mid did not run",
            "top failed, mid did not run. If resumed, approve gets an error or None within x.",
        ),
        (
            lambda: approve(top.map([0, 1])),
            "top[1] failed",
            "top[1] failed. If resumed, approve gets an error or None within x.",
        ),
        (
            lambda: approve(1, upstream_tasks=[top()]),
            "top failed",
            "top failed. If resumed, approve runs all the same.",
        ),
        (lambda: approve(good()), "", ""),
    ],
)
def test_a_task_that_waits_says_what_failed_above_it_and_what_it_would_get(write, above, said):
    graph, states = _run(write)

    assert (failed_above(graph, "approve", states), instead(graph, "approve", states)) == (above, said)


def test_a_child_that_waits_is_told_of_its_own_element_alone():
    graph, states = _run(lambda: approve.map([top(0), top(1)]))

    assert [failed_above(graph, f"approve[{n}]", states) for n in (0, 1)] == ["", "top-2 failed"]
    assert failed_for(graph, "approve[1]", states) == {"x": "top-2 failed"}


def test_a_child_below_a_child_that_failed_says_so():
    graph, states = _run(lambda: approve.map(top.map([0, 1])))

    assert [failed_above(graph, f"approve[{n}]", states) for n in (0, 1)] == ["", "top[1] failed"]


def test_of_a_task_that_runs_whatever_failed_nothing_is_said():
    graph, states = _run(lambda: count(top()))

    assert instead(graph, "count", states) == ""
