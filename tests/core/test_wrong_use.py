"""What is done wrong, one row a case, with the whole message: what happened, with the value, and what to do."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from typing import NamedTuple

import pytest

import flowbook
from flowbook import Edge, Flow, Parameter, Task, flatten, task, triggers, unmapped
from flowbook import flow as flow_of
from flowbook.engine.cache_validators import partial_inputs_only
from flowbook.engine.machine import Machine
from flowbook.engine.state import Failed, Paused, Success
from flowbook.exceptions import (
    ArgumentError,
    ContextKeyError,
    CycleError,
    DefinitionError,
    ExecutorError,
    FlowbookError,
    ParameterError,
    RunClaimedError,
    StartTaskError,
    TransitionError,
    UnknownRunError,
    UnknownTaskError,
)
from flowbook.executors import LocalDaskExecutor
from tests.wrong_uses import add, one, small, table

HOUR = dt.timedelta(hours=1)
CASES, refused = table()


class Pair(NamedTuple):
    first: object
    second: object


# Tasks


@refused()
def a_subclass_that_is_not_set_up():
    """A task of class 'Load' wasn't set up. Call super().__init__(...) in the __init__ of Load."""

    class Load(Task):
        def __init__(self, path):
            self.path = path

        def run(self):
            return self.path

    with Flow("f"):
        Load("a.csv")()


@refused()
def a_validator_that_was_not_called():
    """Task 'a': cache_validator=partial_inputs_only doesn't say what to compare. Call it:
    partial_inputs_only(validate_on=['x'])."""
    task(lambda x: x, name="a", cache_for=HOUR, cache_validator=partial_inputs_only)


@refused()
def a_task_as_the_key_of_a_dict():
    """Task 'one' is the key of a dict, and keys must be known when the flow is written. Make the dict in a task."""
    with Flow("f"):
        add({one(): 1})


def in_a_value_of(kind):
    return (
        f"Task 'one' is in a value of type {kind}, and only plain lists, tuples, sets and dicts are gathered. "
        "Use one of these, or make it in a task."
    )


@refused()
def a_task_in_a_dict_of_another_kind():
    with Flow("f"):
        add([OrderedDict(a=one())])


a_task_in_a_dict_of_another_kind.__doc__ = in_a_value_of("OrderedDict")


@refused()
def a_task_in_a_named_tuple():
    with Flow("f"):
        add(Pair(1, one()))


a_task_in_a_named_tuple.__doc__ = in_a_value_of("Pair")


@refused(UnknownTaskError)
def a_task_of_which_the_flow_has_several():
    """Flow 'f' has several tasks named 'one': one, one-2. Name one by its key, or give what the call in the flow returned."""
    with Flow("f") as flow:
        one()
        one()
    flow.start()[one]


@refused(DefinitionError)
def run_takes_star_args():
    """Task 'gather' takes *args, so its inputs have no names. Give it named arguments or **kwargs."""

    @task
    def gather(*parts):
        return parts


@refused(DefinitionError)
def run_takes_by_position_only():
    """Task 'half' takes 'x' by position only; tasks get their inputs by name.
    Remove the '/', or wrap it in a function of your own."""

    @task
    def half(x, /):
        return x / 2


@refused(ArgumentError)
def run_whose_arguments_cannot_be_read():
    """Task 'max': the arguments of <built-in function max> can't be inspected. Wrap it in a function of your own."""
    task(max)


for _name in ("upstream_tasks", "mapped", "task_args", "flow"):

    def _reserved(name=_name):
        task(eval(f"lambda {name}: 1"), name="odd")

    _reserved.__name__ = f"run_has_an_argument_named_{_name}"
    _reserved.__doc__ = f"Task 'odd' has an argument {_name!r}, which flowbook uses when a task is called. Rename it."
    refused(DefinitionError)(_reserved)


@refused(DefinitionError)
def retries_without_a_delay():
    """Task 'one' has max_retries=3 and no retry_delay. Add retry_delay=10, in seconds."""
    task(one.run, max_retries=3)


@refused(DefinitionError)
def a_delay_without_retries():
    """Task 'one' has a retry_delay and no max_retries. Add max_retries=3, or remove the delay."""
    task(one.run, retry_delay=HOUR)


@refused(DefinitionError)
def a_delay_in_the_past():
    """Task 'one': retry_delay=-3600 s is less than nothing. Give zero or more."""
    task(one.run, max_retries=1, retry_delay=-HOUR)


@refused(ArgumentError)
def a_delay_that_is_no_time():
    """Task 'one': retry_delay='10s' isn't a duration. Give seconds or a timedelta, e.g. retry_delay=10."""
    task(one.run, max_retries=1, retry_delay="10s")


@refused(ArgumentError)
def retries_that_are_no_number():
    """Task 'one': max_retries='many' isn't a number of attempts. Give 0, 1, 2, ..."""
    task(one.run, max_retries="many", retry_delay=1)


@refused(ArgumentError)
def fewer_than_no_retries():
    """Task 'one': max_retries=-1 isn't a number of attempts. Give 0, 1, 2, ..."""
    task(one.run, max_retries=-1, retry_delay=1)


@refused(DefinitionError)
def retry_on_without_retries():
    """Task 'one' has retry_on and no max_retries. Add max_retries=3 and a retry_delay."""
    task(one.run, retry_on=OSError)


@refused(ArgumentError)
def retry_on_what_is_no_exception():
    """Task 'one': retry_on has 'OSError', which isn't an exception type. Give types, e.g. TimeoutError."""
    task(one.run, max_retries=1, retry_delay=1, retry_on=["OSError"])


@refused(ArgumentError)
def a_string_as_tags():
    """Task 'one': tags='db' is one text. Give a list: tags=['db']."""
    task(one.run, tags="db")


@refused(ArgumentError)
def a_trigger_that_cannot_be_called():
    """Task 'one': trigger='all_failed' can't be called. Write trigger=triggers.all_failed."""
    task(one.run, trigger="all_failed")


@refused(ArgumentError)
def a_handler_that_cannot_be_called():
    """Task 'one': state handler 'notify' can't be called. Give a function."""
    task(one.run, state_handlers=["notify"])


@refused(ArgumentError)
def on_failure_that_cannot_be_called():
    """Task 'one': on_failure='notify' can't be called. Give a function."""
    task(one.run, on_failure="notify")


@refused(DefinitionError)
def a_cache_validator_without_a_duration():
    """Task 'one' has a cache_validator and no cache_for. Add cache_for=timedelta(hours=1), or cache=True."""
    task(one.run, cache_validator=flowbook.engine.cache_validators.all_inputs)


@refused(ArgumentError)
def a_cache_duration_that_is_a_text():
    """Task 'one': cache_for='1 h' isn't a duration. Give seconds or a timedelta, e.g. cache_for=timedelta(hours=1)."""
    task(lambda: 1, name="one", cache_for="1 h")


@refused(ArgumentError)
def a_cache_switch_that_is_a_time():
    """Task 'one': cache=datetime.timedelta(seconds=3600) isn't a switch. Give True or False; how long is
    cache_for=timedelta(...)."""
    task(one.run, cache=HOUR)


@refused(ArgumentError)
def a_flows_cache_switch_that_is_a_time():
    """Flow 'f': cache=datetime.timedelta(seconds=3600) isn't a switch. Give True, False, or 'incremental'."""
    Flow("f", cache=HOUR)


@refused(DefinitionError)
def a_task_that_is_cached_and_not():
    """Task 'one' has cache=False and cache_for=1:00:00. Remove one."""
    task(one.run, cache=False, cache_for=HOUR)


@refused(DefinitionError)
def a_cached_task_whose_value_is_never_stored():
    """Task 'one' has cache=True and keep=False, which stores nothing. Remove one."""
    task(one.run, cache=True, keep=False)


@refused(ArgumentError)
def a_file_that_is_no_path():
    """File(5) isn't a path. Give e.g. File('data/delays.csv')."""
    flowbook.File(5)


@refused(ArgumentError)
def a_cache_validator_that_cannot_be_called():
    """Task 'one': cache_validator='all_inputs' can't be called. Give a function."""
    task(one.run, cache_for=HOUR, cache_validator="all_inputs")


@refused(ArgumentError)
def a_task_made_of_what_is_no_function():
    """@task needs a function, got 3."""
    task(3)


@refused(DefinitionError)
def a_copy_with_an_unknown_attribute():
    """Task 'one' has no attribute 'colour' to change in a copy."""
    one.copy(colour="red")


@refused(ArgumentError)
def a_copy_with_a_string_as_tags():
    """Task 'one': tags='db' is one text. Give a list: tags=['db']."""
    one.copy(tags="db")


# Calls


@refused(DefinitionError)
def a_task_called_outside_a_flow():
    """Task 'one' was called outside a flow. Call it inside `with Flow(...):` or a %%flow cell,
    or run its function alone with one.run(...)."""
    one()


@refused(ArgumentError)
def too_many_inputs():
    """Task 'add' takes 2 inputs by position, got 3. Remove some."""
    with Flow("f"):
        add(1, 2, 3)


@refused(ArgumentError)
def an_input_given_twice():
    """Task 'add' got 'x' twice, by position and by name. Give it once."""
    with Flow("f"):
        add(1, x=2)


@refused(ArgumentError)
def an_unknown_input():
    """Task 'add' has no input 'z'. Its inputs: x, y."""
    with Flow("f"):
        add(1, z=2)


@refused(ArgumentError)
def a_missing_input():
    """Task 'add' needs 'x'. Give a value or a task for it."""
    with Flow("f"):
        add()


@refused(ArgumentError)
def an_edge_to_an_argument_that_run_lacks():
    """Task 'add' has no input 'z'. Its inputs: x, y."""
    Flow("f").add_edge(one, add, "z")


@refused(DefinitionError)
def two_edges_to_one_argument():
    """Input 'x' of task 'add' is given twice. Remove one of the two."""
    flow = Flow("f")
    flow.add_edge(one, add, "x")
    flow.add_edge(one.copy(), add, "x")


@refused(DefinitionError)
def an_edge_to_an_argument_that_has_a_value():
    """Input 'x' of task 'add' is given twice. Remove one of the two."""
    with Flow("f") as flow:
        bound = add(1)
    flow.add_edge(one, bound, "x")


@refused(DefinitionError)
def a_constant_in_a_chain():
    """3 isn't a task, so nothing can wait for it. Give a task."""
    with Flow("f") as flow:
        flow.chain(one(), 3)


@refused(DefinitionError)
def the_truth_of_a_task():
    """Task 'one' has no truth value while the flow is written: its result is not there yet.
    Decide inside a task, or use flowbook.case(...)."""
    with Flow("f"):
        if one():
            pass


@refused(DefinitionError)
def the_length_of_a_task():
    """Task 'one' has no length while the flow is written: its result is not there yet.
    Take len() inside a task, or use flowbook.case(...)."""
    with Flow("f"):
        len(one())


@refused(ArgumentError)
def iterating_a_task():
    """Task 'one' can't be iterated while the flow is written: its result is not there yet.
    To unpack it, say how many results it has: @task(nout=2).
    Else use one.map(...) downstream, or iterate inside a task."""
    with Flow("f"):
        list(one())


# Values of another kind


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


# Options of other engines


@refused(ArgumentError)
def retries_as_elsewhere():
    """Task 'one' has no option 'retries'. Here it is max_retries=."""
    task(lambda: 1, name="one", retries=3)


@refused(ArgumentError)
def a_delay_as_elsewhere():
    """Task 'Load' has no option 'retry_delay_seconds'. Here it is retry_delay=."""

    class Load(Task):
        pass

    Load(retry_delay_seconds=3)


@refused(ArgumentError)
def prints_as_elsewhere():
    """Task 'one' has no option 'log_prints'. Here it is log_stdout=."""
    task(lambda: 1, name="one", log_prints=True)


@refused(ArgumentError)
def a_cache_policy_as_elsewhere():
    """Task 'one' has no option 'cache_policy'. Here it is cache_for= and cache_validator=."""
    task(lambda: 1, name="one", cache_policy="inputs")


@refused(ArgumentError)
def a_stored_result_as_elsewhere():
    """Task 'one' has no option 'persist_result'. Here it is target=, result= or checkpoint=."""
    task(lambda: 1, name="one", persist_result=True)


@refused(ArgumentError)
def a_description_as_elsewhere():
    """Task 'one' has no option 'description'. Write a docstring."""
    task(lambda: 1, name="one", description="one")


@refused(ArgumentError)
def an_option_with_a_slip():
    """Task 'one' has no option 'max_retry'. Did you mean max_retries=?"""
    task(lambda: 1, name="one", max_retry=True)


@refused(ArgumentError)
def a_flow_with_options_of_elsewhere():
    """Flow 'f' has no option 'task_runner'. Here it is executor=."""
    flow_of(lambda: None, name="f", task_runner="threads")


@refused(ArgumentError)
def a_flow_with_an_option_of_tasks_as_elsewhere():
    """Flow 'x' has no option 'retries'. Give it to the task: @task(max_retries=2, retry_delay=...)."""
    Flow("x", retries=2)


@refused(ArgumentError)
def a_flow_with_an_option_of_tasks():
    """Flow 'x' has no option 'timeout'. Give it to the task: @task(timeout=...)."""
    Flow("x", timeout=HOUR)


@refused(UnknownTaskError)
def a_state_of_a_child_that_there_is_not():
    """There is no 'one[3]': 'one' has 1 children."""
    with Flow("f") as flow:
        task(lambda x: x, name="one").map([1])
    flow.run().result["one[3]"]


@refused(AttributeError)
def an_attribute_of_a_task_as_if_it_were_its_value():
    """'table' is a task and has no attribute 'head'; its value comes when the flow runs. In another task use .head of its
    input; after a run: sums.last_run['table'].result.head."""
    with Flow("any name") as sums:
        rows = task(lambda: 1, name="table")()
    assert sums
    rows.head()


@refused(ArgumentError)
def a_flow_with_an_unknown_option():
    """Flow 'f' has no option 'schedule'. Its options: name, tasks, edges, executor, result, state_handlers, on_failure,
    terminal_state_handler, reference_tasks, cache, notify."""
    Flow("f", schedule="daily")


@refused(ArgumentError)
def a_parameter_with_an_unknown_option():
    """Parameter 'n' has no option 'type'. Its options: name, default, required, tags."""
    Parameter("n", type=int)


# A task is not its value


@refused(AttributeError)
def an_attribute_of_a_result():
    """'one' is a task and has no attribute 'head'; its value comes when the flow runs. In another task use .head of its input;
    after a run: flow.last_run['one-2'].result.head."""
    with Flow("peng"):
        one()
        report = one()
    report.head()


@refused(AttributeError)
def an_attribute_of_a_task_that_was_not_called():
    """'one' is a task and has no attribute 'columns'; its value comes when the flow runs. In another task use .columns of its
    input; after a run: flow.last_run['one'].result.columns."""
    _ = one.columns


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


# Flows


@refused(CycleError)
def a_ring_of_tasks():
    """Tasks wait on each other: one -> add -> one. Remove one of these edges, or split 'one' in two."""
    with Flow("f") as flow:
        flow.add_edge(one, add, "x")
        flow.add_edge(add, one)


@refused(CycleError)
def a_ring_made_outside_the_block():
    """Tasks wait on each other: one -> add -> one. Remove one of these edges, or split 'one' in two."""
    flow = Flow("f")
    flow.add_edge(one, add, "x")
    flow.add_edge(add, one)


@refused(CycleError)
def a_task_that_waits_for_itself():
    """Tasks wait on each other: one -> one. Remove one of these edges, or split 'one' in two."""
    Flow("f").add_edge(one, one)


@refused(DefinitionError)
def a_flow_with_an_empty_name():
    """Flow name '' isn't a name. Give a text, e.g. Flow('delays')."""
    Flow("")


@refused(DefinitionError)
def a_flow_whose_name_is_no_text():
    """Flow name 3 isn't a name. Give a text, e.g. Flow('delays')."""
    Flow(3)


@refused(DefinitionError)
def what_is_no_task_in_a_flow():
    """3 is not a task. Make one with @task, or subclass Task."""
    Flow("f").add_task(3)


def without_value(needed):
    return (
        f"Task 'add' of flow 'f' has no value for {needed}. Call it in the flow with its inputs, "
        "or bind them: flow.set_dependencies(add, keyword_tasks={'x': ...})."
    )


@refused(ArgumentError)
def a_task_that_was_added_without_its_inputs():
    flow = Flow("f")
    flow.add_task(add)
    flow.run()


a_task_that_was_added_without_its_inputs.__doc__ = without_value("'x'")


@refused(ArgumentError)
def a_task_that_only_comes_after_another():
    flow = Flow("f")
    flow.add_edge(one, add)
    flow.start()


a_task_that_only_comes_after_another.__doc__ = without_value("'x'")


@refused(ArgumentError)
def a_flow_that_lacks_an_input_and_is_validated():
    Flow("f", tasks=[add]).validate()


a_flow_that_lacks_an_input_and_is_validated.__doc__ = without_value("'x'")


@refused(DefinitionError)
def a_parameter_with_a_task_upstream():
    """Parameter 'n' can't have tasks upstream: its value is given when the flow is run."""
    Flow("f").add_edge(one, Parameter("n"))


@refused(DefinitionError)
def two_parameters_of_one_name():
    """Flow 'f' has a parameter 'n' already. Use that one, or give this one another name."""
    Flow("f", tasks=[Parameter("n"), Parameter("n")])


@refused(DefinitionError)
def a_parameter_whose_name_is_no_identifier():
    """Parameter name 'my key' isn't an identifier, so flow.run(my key=...) can't give it. Rename it."""
    Parameter("my key")


@refused(ArgumentError)
def a_parameter_with_a_slug_in_a_copy():
    """Parameter 'n': a parameter has no slug beside its name. Write copy(name=...)."""
    Parameter("n").copy(slug="m")


@refused()
def a_parameter_renamed_to_what_is_no_identifier():
    """Parameter name 'm n' isn't an identifier, so flow.run(m n=...) can't give it. Rename it."""
    Parameter("n").copy("m n")


@refused()
def an_uncalled_task_upstream_whose_copy_is_in_the_flow():
    """Task 'one' was called in flow 'f' already, and one by itself would run it a second time.
    Use what the call returned: x = one(...)."""
    with Flow("f"):
        one()
        add(1, upstream_tasks=[one])


@refused()
def an_uncalled_task_as_an_input_whose_copy_is_in_the_flow():
    """Task 'one' was called in flow 'f' already, and one by itself would run it a second time.
    Use what the call returned: x = one(...)."""
    with Flow("f"):
        one()
        add([1, one])


@refused(UnknownTaskError)
def a_reference_task_outside_the_flow():
    """<Task: add> is not in flow 'small'. Its tasks: one."""
    small().set_reference_tasks([add])


@refused(UnknownTaskError)
def edges_of_a_task_outside_the_flow():
    """<Task: add> is not in flow 'small'. Its tasks: one."""
    small().edges_to(add)


@refused(UnknownTaskError)
def a_key_with_a_slip():
    """Flow 'small' has no task 'onne'. Did you mean 'one'?"""
    small().key_of("onne")


@refused(UnknownTaskError)
def a_key_that_is_like_no_other():
    """Flow 'small' has no task 'xyz'. Its tasks: one."""
    small().key_of("xyz")


@refused(DefinitionError)
def the_tasks_of_two_flows_mixed():
    """Task 'one' belongs to flow 'outer', not to 'inner'. Call the task again inside this flow."""
    with Flow("outer"):
        mine = one()
        add(mine, flow=Flow("inner"))


@refused(DefinitionError)
def a_task_of_a_flow_used_in_another():
    """Task 'one' belongs to flow 'first', not to 'second'. Call the task again inside this flow."""
    with Flow("first"):
        mine = one()
    with Flow("second"):
        add(mine)


@refused(DefinitionError)
def a_flow_run_inside_anothers_block():
    """Flow 'small' was run inside the block of flow 'outer'. Run it after the block, or call it from inside a task."""
    inner = small()
    with Flow("outer"):
        inner()


# Triggers


@refused(DefinitionError)
def a_trigger_without_bounds():
    """some_failed() has no bound. Give at_least, at_most or both."""
    triggers.some_failed()


@refused(DefinitionError)
def a_bound_below_zero():
    """some_successful(at_least=-1): give a count (0, 1, 2, ...) or a fraction from 0.0 to 1.0."""
    triggers.some_successful(at_least=-1)


@refused(DefinitionError)
def a_fraction_above_one():
    """some_failed(at_most=1.5): give a count (0, 1, 2, ...) or a fraction from 0.0 to 1.0."""
    triggers.some_failed(at_most=1.5)


@refused(DefinitionError)
def a_bound_that_is_no_number():
    """some_failed(at_most='half'): give a count (0, 1, 2, ...) or a fraction from 0.0 to 1.0."""
    triggers.some_failed(at_most="half")


# Runs


@refused(ParameterError)
def a_missing_parameter():
    """Flow 'f' needs a value for 'n'. Give it: flow.run(n=...), or a default in Parameter."""
    Flow("f", tasks=[Parameter("n"), Parameter("m", 1)]).run()


@refused(ParameterError)
def an_unknown_parameter():
    """Flow 'f' has no parameter 'm'. Its parameters: n."""
    Flow("f", tasks=[Parameter("n", 1)]).run(m=1)


@refused(ParameterError)
def a_parameter_of_a_flow_that_has_none():
    """Flow 'small' has no parameter 'm'. Its parameters: none."""
    small().run({"m": 1})


@refused(StartTaskError)
def a_start_task_outside_the_flow():
    """Can't start at 'add'. Flow 'small' has no task 'add'. Its tasks: one."""
    small().run(start_tasks=[add])


def three():
    with Flow("f") as flow:
        add.map([1, 2, 3])
    return flow


@refused(StartTaskError)
def a_start_child_that_is_not_there():
    """There is no 'add[7]': 'add' was mapped over 3, and children count from 0. Name one below add[3]."""
    flow = three()
    flow.run(start_tasks=["add[7]"], task_states=flow.run().result)


@refused(StartTaskError)
def resuming_a_child_that_is_not_there():
    """There is no 'add[3]': 'add' was mapped over 3, and children count from 0. Name one below add[3]."""
    flow = three()
    flow.run()
    flow.last_run.resume("add[3]")


@refused(StartTaskError)
def a_child_that_is_not_there_yet():
    """'add[0]' has not been split off yet. Ask again when 'add' is Mapped."""
    with Flow("f") as flow:
        add.copy(trigger=triggers.manual_only).map(one.copy(trigger=triggers.manual_only)())
    flow.run()
    flow.last_run["add[0]"]


@refused(StartTaskError)
def a_start_task_whose_input_is_nowhere():
    """Can't start at 'add': its input 'x' is nowhere. Give the state of 'one' in task_states,
    or one of 'add' with cached_inputs."""
    with Flow("f") as flow:
        bound = add(one())
    flow.run(start_tasks=[bound])


@refused(StartTaskError)
def a_start_task_that_kept_only_some_of_its_inputs():
    """Can't start at 'add': its input 'y' is nowhere. Give the state of 'one-2' in task_states,
    or one of 'add' with cached_inputs."""
    with Flow("f") as flow:
        bound = add(one(), one())
    flow.run(start_tasks=[bound], task_states={bound: Paused(cached_inputs={"x": 1})})


@refused(DefinitionError)
def a_task_state_that_is_none():
    """task_states holds 3 for 'one', which is not a state. Give e.g. Success(result=...)."""
    small().run(task_states={"one": 3})


@refused(UnknownTaskError)
def the_state_of_a_task_outside_the_flow():
    """Flow 'small' has no task 'add'. Its tasks: one."""
    small().run(task_states={add: Success()})


@refused(ExecutorError)
def an_executor_that_is_none():
    """'threads' isn't an executor. Write executor=LocalDaskExecutor('threads') of flowbook.executors."""
    small().run(executor="threads")


@refused(ExecutorError)
def an_executor_of_a_flow_that_is_none():
    """'dask' isn't an executor. Write executor=DaskExecutor() of flowbook.executors."""
    Flow("small", executor="dask")


@refused(ExecutorError)
def a_class_where_an_executor_belongs():
    """<class 'flowbook.executors.local_dask.LocalDaskExecutor'> is a class.
    Make an executor of it: LocalDaskExecutor()."""
    small().run(executor=LocalDaskExecutor)


@refused(ExecutorError)
def a_scheduler_that_does_not_exist():
    """There is no scheduler 'cluster'. Use one of 'threads', 'processes', 'synchronous', or a Dask get."""
    LocalDaskExecutor("cluster")


@refused(ExecutorError)
def no_workers():
    """num_workers=0 isn't a number of workers. Give 1 or more, or leave it out."""
    LocalDaskExecutor(num_workers=0)


@refused(ExecutorError)
def workers_that_are_no_number():
    """num_workers='two' isn't a number of workers. Give 1 or more, or leave it out."""
    LocalDaskExecutor(num_workers="two")


@refused(StartTaskError)
def resuming_what_is_over():
    """Nothing waits in run 1 of 'small': it is Success."""
    flow = small()
    flow.run(record=True)
    flow.last_run.resume()


@refused(RunClaimedError)
def resuming_a_task_that_does_not_wait():
    """one does not wait any more: it is Success."""
    flow = small()
    flow.run()
    flow.last_run.resume("one")


@refused(StartTaskError)
def retrying_what_did_not_fail():
    """Nothing failed in run 1 of 'small': it is Success."""
    flow = small()
    flow.run(record=True)
    flow.last_run.retry()


@refused()
def a_subscriber_without_emit():
    """'screen' can't receive events: it has no emit. Give an object with a method emit(event)."""
    flow = small()
    flow.run()
    flow.last_run.subscribe("screen")


@refused(UnknownTaskError)
def the_state_of_a_task_that_a_run_lacks():
    """Flow 'small' has no task 'twoo'. Its tasks: one."""
    flow = small()
    flow.run()
    flow.last_run["twoo"]


@refused(StartTaskError)
def the_state_of_a_child_that_is_not_there():
    """There is no 'one[3]': 'one' has no children, it is Success. Name 'one' itself."""
    flow = small()
    flow.run()
    flow.last_run["one[3]"]


@refused(ContextKeyError)
def a_context_key_that_is_not_set():
    """The context has no 'key'. Run inside `with flowbook.context(key=...)`,
    or read it with context.get('key', default)."""
    flowbook.context.key  # noqa: B018


@refused(AttributeError)
def writing_to_the_context():
    """The context is read-only, 'key' was not set. Use `with flowbook.context(key=...)`."""
    flowbook.context.key = "abc"


@refused(TransitionError)
def an_event_that_does_not_exist():
    """No such event: 'go'. Please report this."""
    Machine(small().compile()).handle("go")


@pytest.mark.parametrize(("wrong", "kind"), CASES)
def test_wrong_use_is_refused_with_what_happened_and_what_to_do(wrong, kind):
    expected = " ".join(wrong.__doc__.split())

    with pytest.raises(kind) as caught:
        wrong()

    assert str(caught.value) == expected
    assert type(caught.value) is kind or not issubclass(kind, FlowbookError)


def test_a_run_that_is_not_recorded_is_unknown():
    with pytest.raises(UnknownRunError) as caught:
        flowbook.run("nonsense")

    assert "'nonsense'" in str(caught.value)


def test_nothing_has_run_when_a_run_is_refused():
    ran = []

    @task
    def work(n):
        ran.append(n)

    with Flow("f") as flow:
        work(Parameter("n"))

    with pytest.raises(ParameterError):
        flow.run()

    assert (ran, flow.last_run) == ([], None)


def test_a_flow_without_a_name_that_caches_warns():
    with Flow() as flow:
        task(lambda: 1, name="load", cache_for=HOUR)()

    with pytest.warns(UserWarning, match="has no name") as caught:
        flow.run()

    assert str(caught[0].message) == (
        "This flow caches outputs and has no name, so it shares them with other flows without one. "
        "Give it a name: Flow('...')."
    )


@pytest.mark.parametrize(
    "error",
    [
        CycleError("ring", ring=["a", "b"]),
        UnknownTaskError("no task", key="x"),
        ContextKeyError("no key", name="x"),
        ParameterError("missing", names=["x"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_home_from_elsewhere_with_their_data(error):
    import pickle  # noqa: PLC0415

    twin = pickle.loads(pickle.dumps(error))

    assert (type(twin), str(twin), twin.details) == (type(error), str(error), error.details)
    with pytest.raises(AttributeError):
        twin.nothing  # noqa: B018


def test_marks_and_edges_show_what_they_are():
    shown = [
        repr(each) for each in (unmapped(1), flatten([2]), Edge(one, add, "x"), Edge(one, add), Failed("x"), Task())
    ]

    assert shown == [
        "unmapped(1)",
        "flatten([2])",
        "<Edge x: one to add>",
        "<Edge: one to add>",
        "<Failed: 'x'>",
        "<Task: Task>",
    ]
