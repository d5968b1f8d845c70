"""Wrong uses of tasks and their options, one row a case, with the whole message: what happened, with the value; what to do."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from typing import NamedTuple

import pytest

import flowbook
from flowbook import Edge, Flow, Parameter, Task, flatten, task, unmapped
from flowbook import flow as flow_of
from flowbook.engine.cache_validators import partial_inputs_only
from flowbook.engine.state import Failed
from flowbook.exceptions import (
    ArgumentError,
    ContextKeyError,
    CycleError,
    DefinitionError,
    FlowbookError,
    ParameterError,
    UnknownRunError,
    UnknownTaskError,
)
from tests.wrong_uses import add, one, table

HOUR = dt.timedelta(hours=1)


CASES, refused = table()


class Pair(NamedTuple):
    first: object
    second: object


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
