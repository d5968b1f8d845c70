"""Wrong uses of values, and of tasks as if they were their values, one row a case, with the whole message."""

from __future__ import annotations

import datetime as dt

import pytest

from flowbook import Flow, Parameter, Task, task, triggers
from flowbook import flow as flow_of
from flowbook.exceptions import (
    ArgumentError,
    DefinitionError,
    FlowbookError,
)
from tests.wrong_uses import add, one, small, table

HOUR = dt.timedelta(hours=1)
CASES, refused = table()


@refused(ArgumentError)
def a_task_name_that_is_no_text():
    """Task name 5 isn't a name. Give a text, e.g. name='load', or leave it out."""
    Task(name=5)


@refused(DefinitionError)
def a_task_named_like_a_child():
    """Task name 'a[0]' has brackets, which stand for a mapped task's children. Use e.g. '-' instead."""
    Task(name="a[0]")


@refused(DefinitionError)
def a_copy_named_like_a_child():
    """Task name 'a[0]' has brackets, which stand for a mapped task's children. Use e.g. '-' instead."""
    one.copy(name="a[0]")


@refused(ArgumentError)
def a_cache_key_that_is_no_text():
    """Task 'Task': cache_key=5 isn't a text. Give one that the flows share, e.g. cache_key='prices'."""
    Task(cache_for=HOUR, cache_key=5)


@refused(DefinitionError)
def a_cache_that_keeps_nothing():
    """Task 'Task': cache_for=0 s caches nothing. Give e.g. timedelta(hours=1), or leave it out."""
    Task(cache_for=0 * HOUR)


@refused(DefinitionError)
def a_trigger_that_was_not_called():
    """Task 'Task': trigger=some_failed doesn't say how many. Call it: trigger=some_failed(at_least=1)."""
    Task(trigger=triggers.some_failed)


@refused(ArgumentError)
def a_tag_that_is_no_text():
    """Task 'Task': tags=[5] holds 5, which isn't a text. Give e.g. tags=['db']."""
    Task(tags=[5])


@refused(ArgumentError)
def tags_that_are_no_list():
    """Task 'Task': tags=5 holds 5, which isn't a text. Give e.g. tags=['db']."""
    Task(tags=5)


@refused(ArgumentError)
def retrying_on_a_number():
    """Task 'one': retry_on has 5, which isn't an exception type. Give types, e.g. TimeoutError."""
    one.copy(max_retries=1, retry_delay=1, retry_on=5)


@refused(DefinitionError)
def a_copy_with_retries_and_no_delay():
    """Task 'one' has max_retries=2 and no retry_delay. Add retry_delay=10, in seconds."""
    one.copy(max_retries=2)


@refused(ArgumentError)
def a_copy_with_a_trigger_that_can_not_be_called():
    """Task 'one': trigger=5 can't be called. Give a function."""
    one.copy(trigger=5)


@refused(ArgumentError)
def a_copy_cached_for_a_truth_value():
    """Task 'one': cache_for=True isn't a duration. Give seconds or a timedelta, e.g. cache_for=timedelta(hours=1)."""
    one.copy(cache_for=True)


@refused()
def a_copy_cached_for_less_than_nothing():
    """Task 'one': cache_for=-5 s caches nothing. Give e.g. timedelta(hours=1), or leave it out."""
    one.copy(cache_for=-5)


@refused()
def a_run_name_with_brackets():
    """Task 'one': task_run_name='load[{x}]' has brackets, which stand for a mapped task's children. Use e.g. '-' instead."""
    task(lambda x: x, name="one", task_run_name="load[{x}]")


@refused()
def a_name_with_a_bracket_anywhere():
    """Task name 'raw [0] of' has brackets, which stand for a mapped task's children. Use e.g. '-' instead."""
    Task(name="raw [0] of")


@refused(AttributeError)
def an_attribute_of_a_result():
    """'one' is a task and has no attribute 'head'; its value comes when the flow runs. In another task use .head of its input;
    after a run of flow 'peng': its last_run['one-2'].result.head."""
    with Flow("peng"):
        one()
        report = one()
    report.head()


@refused(AttributeError)
def an_attribute_of_a_task_that_was_not_called():
    """'one' is a task and has no attribute 'columns'; its value comes when the flow runs. In another task use .columns of its
    input. No flow here has it: call it in one, with Flow('name') as flow: one(...); after a run:
    flow.last_run['one'].result.columns."""
    _ = one.columns


@refused(AttributeError)
def an_attribute_of_a_task_that_only_another_flow_of_that_name_has():
    """'one' is a task and has no attribute 'head'; its value comes when the flow runs. In another task use .head of its input;
    after a run of flow 'peng': its last_run['one'].result.head."""
    with Flow("peng"):
        report = one()
    with Flow("peng") as flow:
        task(lambda: 2, name="two")()
    assert flow
    report.head()


def not_a_text(name):
    return (
        f"Task {name!r} can't be made part of a text while the flow is written: its result is not there yet. "
        f"Make the text inside a task that takes {name} as an input. To show the task itself, use repr()."
    )


@refused()
def a_parameter_in_an_f_string():
    with Flow("f"):
        sym = Parameter("sym")
        add(f"data/{sym}.csv")


@refused()
def a_task_in_an_f_string_with_a_width():
    with Flow("f"):
        add(f"{one():>10}")


@refused()
def a_task_in_a_format():
    with Flow("f"):
        add("data/{}.csv".format(one()))  # noqa: UP032  # what people write


@refused()
def a_task_in_an_interpolation():
    with Flow("f"):
        add("data/%s.csv" % one())  # noqa: UP031  # what people write


@refused()
def a_task_made_a_text():
    with Flow("f"):
        add(str(one()))


a_parameter_in_an_f_string.__doc__ = not_a_text("sym")


for each in (a_task_in_an_f_string_with_a_width, a_task_in_a_format, a_task_in_an_interpolation, a_task_made_a_text):
    each.__doc__ = not_a_text("one")


@refused(ArgumentError)
def a_copy_with_one_handler():
    """Task 'one': state_handlers=<built-in function print> is one function. Give a list of functions."""
    one.copy(state_handlers=print)


@refused(ArgumentError)
def task_args_that_are_no_dict():
    """Task 'one': task_args=['name'] isn't a dict by name. Give e.g. task_args={'name': 'other'}."""
    one(task_args=["name"], flow=Flow("f"))


@refused(ArgumentError)
def one_upstream_task_without_a_list():
    """Task 'one': upstream_tasks=<Task: add> is one value. Give a list: upstream_tasks=[...]."""
    one(upstream_tasks=add, flow=Flow("f"))


@refused(ArgumentError)
def a_name_for_a_flow():
    """Task 'one': flow='f' isn't a flow. Give a Flow, or call the task inside `with Flow(...):`."""
    one(flow="f")


@refused(ArgumentError)
def a_task_of_a_task():
    """@task needs a function, got <Task: one>. It is a task already: call it in a flow."""
    task(one)


@refused(ArgumentError)
def a_task_of_a_class_of_tasks():
    """@task needs a function, got <class 'flowbook.core.task.Task'>. Make a task of it: Task()."""
    task(Task)


@refused(DefinitionError)
def a_flow_of_a_task():
    """@flow needs a function, got <Task: one>."""
    flow_of(one)


@refused(ArgumentError)
def a_flow_of_one_task_without_a_list():
    """Flow 'f': tasks=<Task: one> is one value. Give a list: tasks=[...]."""
    Flow("f", tasks=one)


@refused(DefinitionError)
def a_flow_with_pairs_as_edges():
    """Flow 'f': edges hold (1, 2), which isn't an Edge. Give e.g. Edge(a, b, key='x')."""
    Flow("f", edges=[(1, 2)])


@refused(ArgumentError)
def one_reference_task_without_a_list():
    """Flow 'f': reference_tasks=<Task: one> is one value. Give a list: reference_tasks=[...]."""
    Flow("f", tasks=[one], reference_tasks=one)


@refused(ArgumentError)
def a_flow_with_one_handler():
    """Flow 'f': state_handlers=<built-in function print> is one function. Give a list of functions."""
    Flow("f", state_handlers=print)


@refused(ArgumentError)
def a_flow_with_a_number_as_handler():
    """Flow 'f': state handler 5 can't be called. Give a function."""
    Flow("f", state_handlers=[5])


@refused(ArgumentError)
def a_flow_with_a_number_as_handlers():
    """Flow 'f': state_handlers=5 isn't a list. Give a list of functions."""
    Flow("f", state_handlers=5)


@refused(DefinitionError)
def a_flow_with_a_number_on_failure():
    """Flow 'f': on_failure=5 can't be called. Give a function."""
    Flow("f", on_failure=5)


@refused(DefinitionError)
def a_flow_with_a_number_at_its_end():
    """Flow 'f': terminal_state_handler=5 can't be called. Give a function."""
    Flow("f", terminal_state_handler=5)


@refused(ArgumentError)
def a_run_with_one_handler():
    """A run of flow 'small': state_handlers=<built-in function print> is one function. Give a list of functions."""
    small().run(state_handlers=print)


@refused(DefinitionError)
def a_run_with_a_text_as_context():
    """context='a' isn't a dict. Give e.g. context={'limit': 5}."""
    small().run(context="a")


@refused(DefinitionError)
def a_run_with_a_number_as_a_name_in_its_context():
    """context has 1, which isn't a name. Give names as text, e.g. context={'limit': 5}."""
    small().run(context={1: 2})


@refused(DefinitionError)
def a_run_with_a_list_of_states():
    """task_states=[1] isn't a dict. Give e.g. task_states={load: Success(result=1)}."""
    small().run(task_states=[1])


@refused(DefinitionError)
def a_run_with_a_list_of_parameters():
    """parameters=[1] isn't a dict. Give e.g. parameters={'origin': 'JFK'}."""
    small().run([1])


@pytest.mark.parametrize(("wrong", "kind"), CASES)
def test_wrong_use_is_refused_with_what_happened_and_what_to_do(wrong, kind):
    expected = " ".join(wrong.__doc__.split())

    with pytest.raises(kind) as caught:
        wrong()

    assert str(caught.value) == expected
    assert type(caught.value) is kind or not issubclass(kind, FlowbookError)
