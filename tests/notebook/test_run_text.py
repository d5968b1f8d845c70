"""A run in words, for a cell without a panel."""

from __future__ import annotations

from flowbook import Flow, task
from flowbook.notebook.run_text import summary


@task
def load() -> int:
    return 1


@task
def fail() -> None:
    raise ValueError


def test_only_where_a_task_failed_a_success_says_which_tasks_decide() -> None:
    with Flow("good") as good:
        load()
    with Flow("mixed") as mixed:
        decides = load()
        fail()
    mixed.set_reference_tasks([decides])

    for flow in (good, mixed):
        flow.run()
    heads = [summary(flow.last_run).splitlines()[0] for flow in (good, mixed)]

    assert ["All tasks that decide the run succeeded." in head for head in heads] == [False, True]
    assert all("Success" in head for head in heads)


@task
def half(x: int) -> float:
    return 1 / x


def test_of_many_tasks_some_are_listed_first_of_all_those_that_failed_and_the_others_counted() -> None:
    with Flow("many") as flow:
        for x in range(100):
            half(x, task_args={"name": f"half_{x}"})
        half(0, task_args={"name": "last"})

    flow.run()
    lines = summary(flow.last_run).splitlines()[1:]

    assert len(lines) == 41
    assert [line.split()[0] for line in lines if "ZeroDivisionError" in line] == ["half_0", "last"]
    assert lines[-2:] == ["  last     Failed  ZeroDivisionError: division by zero", "  and 61 more: 61 Success"]
