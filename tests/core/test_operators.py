"""Operators on tasks build tasks; unpacking takes nout."""

import pytest

from flowbook import Flow, Parameter, Task, task
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
