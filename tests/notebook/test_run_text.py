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
