"""Operators on tasks build tasks; unpacking takes nout."""

import pytest

from flowbook import Flow, Parameter, Task, task
from flowbook.core.operators import name_after_variables
from tests.executors_of import everywhere


@task
def number(x):
    return x


BINARY = {
    "+": (lambda a, b: a + b, 9),
    "-": (lambda a, b: a - b, 5),
    "*": (lambda a, b: a * b, 14),
    "/": (lambda a, b: a / b, 3.5),
    "//": (lambda a, b: a // b, 3),
    "%": (lambda a, b: a % b, 1),
    "**": (lambda a, b: a**b, 49),
    "<": (lambda a, b: a < b, False),
    "<=": (lambda a, b: a <= b, False),
    ">": (lambda a, b: a > b, True),
    ">=": (lambda a, b: a >= b, True),
    "&": (lambda a, b: a & b, True),
    "is_equal": (lambda a, b: a.is_equal(b), False),
    "is_not_equal": (lambda a, b: a.is_not_equal(b), True),
    "or_": (lambda a, b: a.or_(b), True),
}


@pytest.mark.parametrize("sign", BINARY)
@pytest.mark.parametrize("right", ["a task", "a value"])
def test_an_operator_builds_a_task_that_computes_it(sign, right):
    apply, expected = BINARY[sign]
    with Flow("sums") as flow:
        seven = number(7)
        answer = apply(seven, number(2) if right == "a task" else 2)

    state = flow.run()

    assert isinstance(answer, Task)
    assert state.result[answer].result == expected


@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "//", "%", "**", "&"])
def test_a_plain_value_may_stand_on_the_left(sign):
    apply, expected = BINARY[sign]
    with Flow("sums") as flow:
        answer = apply(7, number(2))

    state = flow.run()

    assert state.result[answer].result == expected


def test_signs_and_not_build_tasks():
    with Flow("sums") as flow:
        two = number(-2)
        answers = [-two, +two, abs(two), ~two, two.not_()]

    state = flow.run()

    assert [state.result[each].result for each in answers] == [2, -2, 2, False, False]


def test_indexing_builds_a_task_also_with_a_task_as_index():
    with Flow("index") as flow:
        letters = number(["a", "b", "c"])
        first, rest, last = letters[0], letters[1:], letters[number(2)]

    state = flow.run()

    assert [state.result[each].result for each in (first, rest, last)] == ["a", ["b", "c"], "c"]


def test_equals_compares_the_tasks_themselves_and_builds_nothing():
    with Flow("same") as flow:
        one, other = number(1), number(1)

    assert ([one, other].index(other), one == other, len(flow)) == (1, False, 2)


@everywhere
def test_operators_on_parameters_follow_the_value_of_the_run(executor):
    with Flow("sums") as flow:
        x = Parameter("x", 1)
        answer = (x + 1) * 10

    results = [flow.run(x=value, executor=executor).result[answer].result for value in (1, 4)]

    assert results == [20, 50]


def test_a_task_with_nout_unpacks_into_its_results():
    @task(nout=2)
    def split(text):
        return text.split()

    with Flow("unpack") as flow:
        first, second = split("to be")

    state = flow.run()

    assert (state.result[first].result, state.result[second].result) == ("to", "be")


def test_a_return_annotation_says_into_how_many_results_a_task_unpacks():
    @task
    def ends() -> tuple[int, str, float]:
        return 1, "b", 2.0

    with Flow("unpack") as flow:
        _, middle, _ = ends()

    state = flow.run()

    assert state.result[middle].result == "b"


def test_a_failing_operation_fails_its_task_with_the_operators_error():
    with Flow("sums") as flow:
        answer = number(1) / 0

    state = flow.run()

    assert state.result[answer].message == "ZeroDivisionError: division by zero"


@task(nout=2)
def split(text):
    return text.split()


def test_tasks_that_operators_make_are_named_for_the_variables_that_hold_them():
    with Flow("names") as flow:
        first, second = split("to be")
        total = number(1) + 2
        unheld = number([[7]])[0][0]
        same = total
    before = flow.keys()

    name_after_variables(
        flow, {"_": total, "first": first, "second": second, "total": total, "same": same, "x": 5, "unheld": unheld}
    )
    state = flow.run()

    assert [before[each] for each in (first, second, total, unheld)] == ["GetItem", "GetItem-2", "Add", "GetItem-4"]
    assert [flow.keys()[each] for each in (first, second, total, unheld)] == ["first", "second", "total", "unheld"]
    assert [state.result[each].result for each in (first, second, total, unheld)] == ["to", "be", 3, 7]
    assert (first._key_in(), flow.last_run["first"].result) == ("first", "to")


def test_a_name_that_a_task_has_of_its_own_is_kept():
    with Flow("names") as flow:
        total = number(1) + 2
        other = Flow("other")
        renamed = (number(1) + 2).copy(name="mine").bind(1, 2)
        foreign = number.copy().bind(1, flow=other)

    name_after_variables(flow, {"number": number, "renamed": renamed, "foreign": foreign, "total": total})

    assert [renamed.name, foreign.name, total.name, number.name] == ["mine", "number", "total", "number"]
