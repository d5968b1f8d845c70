from collections import Counter

import pytest

from flowbook import Flow, task, triggers
from flowbook.cli.listed_tasks import counted, left_out, listed_tasks
from flowbook.cli.main import main
from flowbook.engine.state import Failed, Mapped, Paused, Pending, Running, Success
from flowbook.flow_run.task_facts import TaskFacts

MANY = 10_000


def facts(key, state):
    return TaskFacts(key, state, took_s=None, attempt=0, error=None, preview=None)


def mapped(key, states):
    return [facts(key, Mapped(map_states=states)), *(facts(f"{key}[{i}]", state) for i, state in enumerate(states))]


def test_of_few_tasks_all_are_listed_but_children_that_went_well():
    tasks = [*mapped("read", [Success(), Failed(), Running()]), facts("report", Pending())]

    listed = listed_tasks(tasks, None)

    assert [each.key for each in listed] == ["read", "read[1]", "read[2]", "report"]
    assert counted(tasks) == ""
    assert left_out(tasks, listed, "all of them") == "1 child that went well is left out: --all"


def test_of_very_many_tasks_those_that_failed_wait_or_run_are_listed_first_and_in_their_order():
    states = {5000: Failed(), 7000: Running(), 9999: Paused()}
    tasks = [facts(f"t{i}", states.get(i, Success())) for i in range(MANY)]

    listed = [each.key for each in listed_tasks(tasks, None)]

    assert listed == [*(f"t{i}" for i in range(37)), "t5000", "t7000", "t9999"]


def test_very_many_children_that_failed_leave_room_for_the_other_tasks():
    tasks = [*mapped("read", [Failed()] * MANY), *(facts(f"t{i}", Success()) for i in range(20))]

    listed = Counter(each.key.partition("[")[0] for each in listed_tasks(tasks, None))

    assert listed == {"read": 20, **{f"t{i}": 1 for i in range(20)}}


def test_what_is_left_out_is_counted_by_state():
    children = [Failed()] * 100 + [Success()] * 2 + [Pending()]
    tasks = [*mapped("read", children)[:-1], facts("report", Success())]  # the last child has no state of its own yet

    assert counted(tasks) == "104 tasks and children: 3 Success, 100 Failed, 1 Pending"
    assert left_out(tasks, listed_tasks(tasks, None), "flowbook run inspect last --all") == (
        "64 more (2 Success, 62 Failed): flowbook run inspect last --all"
    )


def test_of_one_task_some_children_are_listed():
    tasks = mapped("read", [Failed()] * 8)

    listed = listed_tasks(tasks, "read")

    assert [each.key for each in listed] == ["read", *(f"read[{i}]" for i in range(5))]
    assert left_out(tasks, listed, "the command") == "3 more (3 Failed): the command"


@pytest.mark.usefixtures("home")
def test_a_run_in_which_very_many_wait_is_told_on_a_screen(capsys):
    @task(trigger=triggers.manual_only)
    def check(number):
        return number

    with Flow("pages of a book") as flow:
        check.map(list(range(60)))
    flow.run(record=True, progress=False)
    capsys.readouterr()

    code = main(("run", "inspect", "pages of a book"))
    lines = capsys.readouterr().out.splitlines()

    assert code == 0
    assert "  60 tasks and children: 60 Paused" in lines
    assert "  21 more (21 Paused): flowbook run inspect 'pages of a book' --all" in lines
    assert sum(line.startswith("  check[") and "Paused" in line for line in lines) == 39
