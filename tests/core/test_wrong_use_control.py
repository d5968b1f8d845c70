"""Wrong uses of operators, control flow, options and runs, one row a case, with the whole message."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from flowbook import (
    DateTimeParameter,
    Flow,
    Parameter,
    Secret,
    Task,
    apply_map,
    case,
    flatten,
    flow,
    merge,
    resource_manager,
    switch,
    tags,
    task,
    unmapped,
)
from flowbook.exceptions import ArgumentError, ParameterError, UnknownTaskError
from flowbook.results import Result
from tests.wrong_uses import add, one, small, table

CASES, refused = table()


# Operators and unpacking


@refused()
def an_operator_outside_a_flow():
    """Task 'Add' was called outside a flow. Call it inside `with Flow(...):` or a %%flow cell, or run its function alone
    with Add.run(...)."""
    _ = Parameter("x") + 1


@refused(ArgumentError)
def looking_for_a_value_in_a_task():
    """Task 'one' can't be iterated while the flow is written: its result is not there yet. To unpack it, say how many
    results it has: @task(nout=2). Else use one.map(...) downstream, or iterate inside a task."""
    with Flow("f"):
        _ = 1 in one()


@refused()
def sorting_tasks():
    """Task 'LessThan' has no truth value while the flow is written: its result is not there yet. Decide inside a task, or
    use flowbook.case(...)."""
    with Flow("f"):
        sorted([one(), one()])


@refused()
def chaining_comparisons():
    """Task 'GreaterThan' has no truth value while the flow is written: its result is not there yet. Decide inside a task, or
    use flowbook.case(...)."""
    with Flow("f"):
        _ = 0 < one() < 2


@refused(ArgumentError)
def nout_that_is_no_number():
    """Task 'one': nout='2' isn't a number of results. Give 1, 2, 3, ..."""
    task(lambda: 1, name="one", nout="2")


@refused(ValueError)
def unpacking_into_the_wrong_number():
    """too many values to unpack (expected 2)"""
    with Flow("f"):
        _, _ = task(lambda: (1, 2, 3), name="three", nout=3)()


# Options of a task


@refused()
def a_slug_with_brackets():
    """Task 'one': slug='a[0]' has brackets, which stand for a mapped task's children. Use e.g. '-' instead."""
    task(lambda: 1, name="one", slug="a[0]")


@refused(ArgumentError)
def an_empty_slug():
    """Task 'one': slug=' ' isn't a name. Give a text, e.g. slug='load-2024', or leave it out."""
    task(lambda: 1, name="one", slug=" ")


@refused(ArgumentError)
def a_wrong_slug_in_a_copy():
    """Task 'one': slug=3 isn't a name. Give a text, e.g. slug='load-2024', or leave it out."""
    with Flow("f"):
        one(task_args={"slug": 3})


@refused()
def a_timeout_of_no_time():
    """Task 'one': timeout=0 s leaves it no time. Give more than zero."""
    task(lambda: 1, name="one", timeout=0)


@refused()
def a_negative_timeout():
    """Task 'one': timeout=-1 s leaves it no time. Give more than zero."""
    task(lambda: 1, name="one", timeout=dt.timedelta(seconds=-1))


@refused(ArgumentError)
def a_timeout_that_is_text():
    """Task 'one': timeout='1s' isn't a duration. Give seconds or a timedelta, e.g. timeout=0.5."""
    task(lambda: 1, name="one", timeout="1s")


@refused(ArgumentError)
def a_timeout_without_end():
    """Task 'one': timeout=nan isn't a duration. Give seconds or a timedelta, e.g. timeout=0.5."""
    task(lambda: 1, name="one", timeout=float("nan"))


@refused(ArgumentError)
def a_run_name_that_is_a_number():
    """Task 'one': task_run_name=3 is neither a text nor a function. Give e.g. task_run_name='{task_name}-{today}'."""
    task(lambda: 1, name="one", task_run_name=3)


@refused()
def a_target_with_an_open_brace():
    """Task 'one': target='{x' can't be filled in: expected '}' before end of string. Write {{ and }} for plain braces."""
    task(lambda: 1, name="one", target="{x")


@refused(ArgumentError)
def a_result_that_is_a_path():
    """'one': result='folder' can't store values. Give flowbook.results.Result('folder')."""
    task(lambda: 1, name="one", result="folder")


@refused(ArgumentError)
def a_flows_result_that_is_a_path():
    """'f': result='folder' can't store values. Give flowbook.results.Result('folder')."""
    Flow("f", result="folder")


@refused()
def keeping_what_must_not_be_kept():
    """Task 'one' has keep=False and a target, which would keep its value. Remove one."""
    task(lambda: 1, name="one", target="out", keep=False)


@refused()
def children_that_share_a_target():
    """Task 'all' is mapped, and its children would all write 'out.bin'. Put {map_index} or an input into the name."""
    with Flow("f") as made:
        task(lambda x: x, name="all", target="out.bin").map([1, 2])
    made.run()


@refused()
def a_result_in_no_folder():
    """Result(dir=3) isn't a folder's path. Give e.g. Result(dir='outputs')."""
    Result(3)


@refused()
def a_result_without_a_name():
    """Result(location='') isn't a file name. Give a text, e.g. '{today}/{task_name}.bin'."""
    Result("folder", location="")


@refused(ArgumentError)
def tags_in_a_list():
    """tags(['db']): a tag is a text. Write tags('db', 'slow')."""
    tags(["db"])


# Control flow


@refused()
def a_case_outside_a_flow():
    """case(True) belongs to no flow, and no task was added to one in its block. Write it inside `with Flow(...):`, or give
    the flow: case(task, True, flow=flow)."""
    with case(one, True):
        pass


@refused(ArgumentError)
def a_case_of_a_plain_value():
    """A case decides by a task's result, and 1 is known already. Give a task, or use a plain if."""
    with Flow("f"), case(1, True):
        pass


@refused(ArgumentError)
def a_case_that_compares_with_a_task():
    """A case compares with a plain value, not with task 'one'. Compare the two with is_equal: case(x.is_equal(one), True)."""
    with Flow("f"), case(one(), one()):
        pass


@refused()
def a_switch_without_cases():
    """switch(...) has no cases. Give a dict of value to task: switch(x, {'a': task_a, 'b': task_b})."""
    with Flow("f"):
        switch(one(), {})


@refused(ArgumentError)
def a_switch_by_a_list():
    """switch chooses by a dict of value to task, not by [3]. Write switch(x, {'a': task_a, 'b': task_b})."""
    with Flow("f"):
        switch(one(), [3])


@refused()
def merging_nothing():
    """merge() has nothing to join. Give the last task of each branch: merge(a, b)."""
    with Flow("f"):
        merge()


@refused()
def a_map_inside_apply_map():
    """Task 'add' is mapped inside apply_map, which maps it already, and maps don't nest. Let the inner list be a task's result,
    and map over flatten(...) of it after apply_map: add.map(flatten(lists))."""
    with Flow("f"):
        apply_map(add.map, [[1], [2]])


@refused()
def an_apply_map_inside_apply_map():
    """Task 'add' is mapped inside apply_map, which maps it already, and maps don't nest. Let the inner list be a task's result,
    and map over flatten(...) of it after apply_map: add.map(flatten(lists))."""
    with Flow("f"):
        apply_map(lambda xs: apply_map(add, xs), [[1], [2]])


# Maps


@refused(ArgumentError)
def a_map_over_a_number():
    """Task 'add' is mapped, and its input 'y' is 10, which isn't a sequence. Give a list, or unmapped(...) for each
    child to get it whole."""
    with Flow("f"):
        add.map([1, 2], y=10)


@refused(ArgumentError)
def a_map_over_a_dict():
    """Task 'add' is mapped, and its input 'x' is {'a': 1}, which isn't a sequence. Give a list, or unmapped(...) for
    each child to get it whole."""
    with Flow("f"):
        add.map({"a": 1})


@refused(ArgumentError)
def a_map_over_a_frame():
    """Task 'add' is mapped, and its input 'x' is a DataFrame, which isn't a sequence. Give a list, or unmapped(...) for
    each child to get it whole."""
    with Flow("f"):
        add.map(pd.DataFrame({"a" * 70: [1]}))


@refused()
def a_map_over_lists_of_different_lengths():
    """Task 'add' is mapped over inputs of different lengths: x has 3, y has 2. Make them equal, or use unmapped(...)."""
    with Flow("f"):
        add.map([1, 2, 3], y=[1, 2])


@refused()
def a_map_without_inputs():
    """Task 'one' has nothing to map over. Give it a list or a task, or call it plainly."""
    with Flow("f"):
        one.map()


@refused()
def apply_map_outside_a_flow():
    """Task 'add' was called outside a flow. Call it inside `with Flow(...):` or a %%flow cell, or run its function alone
    with add.run(...)."""

    def add(x):
        return x

    apply_map(add, [1])


@refused()
def apply_map_over_nothing():
    """apply_map has nothing to map over. Give it a task or a sequence that isn't unmapped(...)."""
    with Flow("f"):
        apply_map(add, unmapped(1))


@refused()
def flattening_and_not_mapping():
    """unmapped(flatten([[1]])) is to be mapped and not to be. Write unmapped(x), or mapped(x), or flatten(x)."""
    with Flow("f"):
        add(unmapped(flatten([[1]])))


@refused()
def a_resource_that_can_not_be_set_up():
    """Resource 'Thing' has no cleanup. Write cleanup(self, resource)."""

    @resource_manager
    class Thing:
        pass


@refused(ArgumentError)
def a_resource_with_an_unknown_option():
    """Resource 'Thing' has no option 'setup_kwargs'. Did you mean setup_task_kwargs=?"""

    @resource_manager(setup_kwargs={})
    class Thing:
        def cleanup(self, thing):
            pass


@refused(ArgumentError)
def a_resource_with_an_option_of_another_engine():
    """Resource 'Thing' has no option 'description'. Write a docstring."""

    @resource_manager(description="a cluster")
    class Thing:
        def cleanup(self, thing):
            pass


@refused()
def a_resource_outside_a_flow():
    """Task 'Thing' was called outside a flow. Call it inside `with Flow(...):` or a %%flow cell, or run its function alone
    with Thing.run(...)."""

    @resource_manager
    class Thing:
        def setup(self):
            pass

        def cleanup(self, thing):
            pass

    Thing()


# @flow, parameters, secrets


@refused()
def a_flow_of_a_class():
    """@flow needs a function, got <class 'flowbook.core.task.Task'>."""
    flow(Task)


@refused()
def a_flow_of_an_async_function():
    """Flow 'later': its function is async, so calling it writes no flow. Make it a plain function; the tasks it calls may be
    async."""

    @flow
    async def later():
        pass


@refused()
def a_flow_of_a_generator():
    """Flow 'many': its function is a generator, so calling it writes no flow. Make it a plain function; the tasks it calls
    may be async."""

    @flow
    def many():
        yield one()


@refused()
def a_flow_with_unnamed_arguments():
    """Flow 'many': argument '*xs' has no name that flow.run could give. Write out plain arguments."""

    @flow
    def many(*xs):
        pass


@refused()
def a_flow_with_a_reserved_argument():
    """Flow 'work' has an argument 'executor', which flow.run uses itself. Rename it."""

    @flow
    def work(executor):
        pass


@refused(ParameterError)
def too_many_values_for_a_flow():
    """Flow 'work' has 1 parameters, got 2 values. Remove some."""

    @flow
    def work(x):
        pass

    work(1, 2)


@refused(ParameterError)
def a_value_given_twice_to_a_flow():
    """Flow 'work' got 'x' twice, by position and by name. Give it once."""

    @flow
    def work(x):
        pass

    work(1, x=2)


@refused(ParameterError)
def a_moment_that_is_none():
    """Parameter 'at': 'soon' isn't a time. Give a datetime, or ISO text such as '2024-02-29T12:00'."""
    with Flow("f") as made:
        DateTimeParameter("at")()
    made.run(at="soon")


@refused(ParameterError)
def a_moment_beyond_the_clock():
    """Parameter 'at': '9999-12-31T23:59-14:00' is out of reach of the clock. Give a time between the years 2 and 9998."""
    with Flow("f") as made:
        DateTimeParameter("at")()
    made.run(at="9999-12-31T23:59-14:00")


@refused(ParameterError)
def a_default_moment_that_is_none():
    """Parameter 'at': 7 isn't a time. Give a datetime, or ISO text such as '2024-02-29T12:00'."""
    DateTimeParameter("at", 7)


@refused()
def a_secret_without_a_name():
    """A Secret needs a name, a text: Secret('db-password'). Its value is looked up by that."""
    Secret("")


# Flows


@refused()
def a_chain_of_one():
    """chain needs two tasks or more, got 1. Write flow.chain(a, b, c)."""
    with Flow("f") as made:
        made.chain(one())


@refused(UnknownTaskError)
def replacing_a_task_that_is_not_there():
    """<Task: add> is not in flow 'small'. Its tasks: one."""
    small().replace(add, one.copy())


@refused()
def replacing_by_a_task_that_is_there():
    """Task 'one' is in flow 'small' already. Replace 'one' by a task that is not."""
    made = small()
    made.replace(made.tasks[0], made.tasks[0])


@refused()
def replacing_by_a_task_that_needs_more():
    """Task 'add' needs 'x', which 'one' doesn't have. Replace it by a task with the same inputs."""
    made = small()
    made.replace(made.tasks[0], add.copy())


@refused(ArgumentError)
def replacing_by_a_task_that_takes_less():
    """Task 'one' has no input 'x'. Its inputs: none."""
    with Flow("f") as made:
        found = add(1)
    made.replace(found, one.copy())


# Runs


@refused()
def no_concurrency():
    """max_concurrency=0 is not a number of tasks. Give 1 or more, or leave it out."""
    small().run(max_concurrency=0)


@refused()
def limits_in_a_list():
    """limits=['db'] isn't a dict. Give the number of tasks by tag, e.g. limits={'db': 2}."""
    small().run(limits=["db"])


@refused()
def a_limit_of_none_at_all():
    """limits has 'db': 0. Give a tag and a number of tasks, 1 or more, e.g. limits={'db': 2}."""
    small().run(limits={"db": 0})


@refused()
def raising_in_the_background():
    """raise_on_exception has nobody to raise to in the background. Use flow.run(raise_on_exception=True)."""
    small().start(raise_on_exception=True)


@pytest.mark.parametrize(("wrong", "kind"), CASES)
def test_wrong_use_is_refused_with_what_happened_and_what_to_do(wrong, kind):
    expected = " ".join(wrong.__doc__.split())

    with pytest.raises(kind) as caught:
        wrong()

    assert str(caught.value) == expected
