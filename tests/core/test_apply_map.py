"""apply_map, flatten and nested maps."""

from flowbook import Flow, Parameter, apply_map, case, flatten, merge, task, unmapped
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
