"""apply_map, flatten and nested maps."""

import pytest

from flowbook import Flow, Parameter, apply_map, case, flatten, mapped, merge, task, unmapped
from tests.executors_of import everywhere


@task
def inc(x):
    return x + 1


@task
def add(x, y):
    return x + y


@task
def numbers():
    return [1, 2, 3]


@task
def is_even(x):
    return x % 2 == 0


@task
def up_to(x):
    return list(range(x))


def collatz(x):
    with case(is_even(x), True):
        half = x // 2
    with case(is_even(x), False):
        more = inc(x * 3)
    return merge(half, more)


@everywhere
def test_a_function_with_cases_is_mapped_as_a_whole(executor):
    with Flow("collatz") as flow:
        end = apply_map(collatz, numbers())

    state = flow.run(executor=executor)

    assert state.is_successful()
    assert state.result[end].result == [4, 1, 10]


def test_a_written_list_is_mapped_over_as_well():
    with Flow("collatz") as flow:
        end = apply_map(collatz, [6, 7])

    state = flow.run()

    assert state.result[end].result == [3, 22]


def test_what_is_unmapped_or_not_given_goes_whole_to_every_child():
    with Flow("whole") as flow:
        base, extra = inc(9), Parameter("extra", 1000)

        def body(x, y, z):
            return add(add(x, y), add(z, extra))

        end = apply_map(body, numbers(), unmapped(base), z=unmapped(100))

    state = flow.run()

    assert state.result[end].result == [1111, 1112, 1113]


def test_several_results_and_the_argument_itself_come_back_as_written():
    with Flow("several") as flow:
        given = numbers()
        more, same = apply_map(lambda x: (inc(x), x), given)

    state = flow.run()

    assert state.result[more].result == [2, 3, 4]
    assert same is given


def test_a_task_in_the_function_that_needs_no_element_runs_once():
    with Flow("once") as flow:
        end = apply_map(lambda x: add(x, inc(100)), numbers())

    state = flow.run()

    assert state.result[end].result == [102, 103, 104]
    assert [key for each, key in flow.keys().items() if state.result[each].is_mapped()] == ["add"]


@everywhere
def test_flatten_takes_one_level_off_results_of_children_and_written_lists(executor):
    with Flow("flat") as flow:
        lists = up_to.map(numbers())
        flat = inc.map(flatten(lists))
        written = inc.map(flatten([[1, 2], [], [3]]))
        both = apply_map(inc, flatten(lists))

    state = flow.run(executor=executor)

    assert state.result[flat].result == state.result[both].result == [1, 1, 2, 1, 2, 3]
    assert state.result[written].result == [2, 3, 4]


@everywhere
def test_a_map_over_a_map_goes_child_by_child_and_a_plain_task_gathers(executor):
    @task
    def total(xs):
        return sum(xs)

    with Flow("nested") as flow:
        end = total(inc.map(inc.map(numbers())))

    state = flow.run(executor=executor)

    assert state.result[end].result == 3 + 4 + 5


@task
def same(x):
    return x


@everywhere
def test_a_case_decides_on_a_task_that_first_uses_an_element_in_its_block(executor):
    def body(c, x, y):
        with case(c, True):
            first = inc(x)
            second = add(y, x)
        return first, second

    with Flow("cases") as flow:
        ends = apply_map(body, same([True, False]), [1, 2], unmapped(10))

    state = flow.run(executor=executor)

    assert [state.result[end].result for end in ends] == [[2, None], [11, None]]


@everywhere
@pytest.mark.parametrize("taken", [True, False])
def test_apply_map_in_a_case_is_skipped_or_runs_as_a_whole(executor, taken):
    with Flow("cases") as flow:
        extra = same(100)

        def body(x):
            with case(is_even(x), True):
                even = add(x, extra)
            return merge(even, same(x))

        with case(Parameter("p"), True):
            end = apply_map(body, [1, 2])
            other = apply_map(collatz, numbers())

    state = flow.run(p=taken, executor=executor)

    assert [state.result[each].result for each in (end, other)] == ([[1, 102], [4, 1, 10]] if taken else [None, None])
    assert (state.is_successful(), state.result[extra].result) == (True, 100)


def test_a_task_of_the_flow_that_the_function_names_goes_whole_to_every_child_and_runs_once():
    with Flow("whole") as flow:
        base = inc(9)
        end = apply_map(lambda x: add(x, base), numbers())

    state = flow.run()

    assert (state.result[end].result, len(flow)) == ([11, 12, 13], 3)


def test_the_function_gets_the_flow_to_write_into_where_that_is_given_and_it_takes_one():
    flow = Flow("imperative")

    end = apply_map(lambda x, flow: inc.copy().bind(x, flow=flow), [1, 2], flow=flow)
    with flow:
        other = apply_map(inc, [5])

    state = flow.run()

    assert [state.result[each].result for each in (end, other)] == [[2, 3], [6]]


@everywhere
def test_flatten_leaves_a_list_that_is_not_nested_as_it_is(executor):
    with Flow("flat") as flow:
        ends = [
            inc.map(flatten([1, 2, 3])),
            inc(flatten([[1], [2]])),
            inc(mapped(flatten([[1], [2]]))),
            inc(flatten(mapped(up_to.map(numbers())))),
        ]

    state = flow.run(executor=executor)

    assert [state.result[end].result for end in ends] == [[2, 3, 4], [2, 3], [2, 3], [1, 1, 2, 1, 2, 3]]


@everywhere
def test_a_map_with_everything_unmapped_runs_once(executor):
    with Flow("once") as flow:
        ends = [inc.map(unmapped(1)), add.map(unmapped(numbers()[0]), unmapped(2))]

    state = flow.run(executor=executor)

    assert [state.result[end].result for end in ends] == [2, 3]
