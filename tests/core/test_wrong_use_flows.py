"""Wrong uses of flows, triggers, runs and the context, one row a case, with the whole message."""

from __future__ import annotations

import pytest

import flowbook
from flowbook import Flow, Parameter, triggers
from flowbook.engine.machine import Machine
from flowbook.engine.state import Paused, Success
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
    UnknownTaskError,
)
from flowbook.executors import LocalDaskExecutor
from tests.wrong_uses import add, one, small, table

CASES, refused = table()


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
    """one doesn't wait for a decision: it is Success."""
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
