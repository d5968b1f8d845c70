from __future__ import annotations

import pytest

from flowbook import Flow, Parameter, task, triggers, unmapped
from tests.executors_of import AWAY, HERE


@task
def fill(words, word):
    words["all"].append(word)
    return words


@task(trigger=triggers.manual_only)
def approve(words):
    return words


@pytest.mark.parametrize("make", [*HERE.values(), *AWAY.values()], ids=[*HERE, *AWAY])
def test_a_literal_stays_as_it_was_written_whatever_a_task_does_to_it(make):
    with Flow("literals") as flow:
        chosen = Parameter("chosen", default={"all": []})
        found = [
            fill({"all": []}, 1),
            fill.map([{"all": [0]}, {"all": []}], unmapped(1)),
            fill(chosen, 1),
        ]

    runs = [flow.run(executor=make()) for _ in range(2)]

    assert [[state.result[each].result for each in found] for state in runs] == [
        [{"all": [1]}, [{"all": [0, 1]}, {"all": [1]}], {"all": [1]}]
    ] * 2


def test_a_literal_that_a_task_filled_is_no_change_of_the_flow():
    with Flow("literals") as flow:
        approve(fill({"all": []}, 1))
    flow.run(record=True)
    flow.run(record=True)

    flow.last_run.resume("approve")

    assert type(flow.last_run.wait(30)).__name__ == "Success"
