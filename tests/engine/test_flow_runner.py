"""`FlowRunner` and `TaskRunner` as code for the seeds' system calls them."""

from __future__ import annotations

import pytest

import flowbook.engine
from flowbook import Edge, Flow, Parameter, context, task
from flowbook.engine import FlowRunner, TaskRunner
from flowbook.engine.state import Failed, Pending, Success
from flowbook.exceptions import DefinitionError
from tests.executors_of import everywhere


@task
def add(x, y=1):
    return x + y


def small():
    with Flow("small") as flow:
        x = Parameter("x", default=1)
        flow.end = add(add(x))
    return flow


def test_a_flow_is_run_without_a_store():
    flow = small()

    state = FlowRunner(flow=flow).run(parameters={"x": 5}, return_tasks=[flow.end])

    assert (type(state), {each: result.result for each, result in state.result.items()}) == (Success, {flow.end: 7})


def test_a_finished_state_is_returned_as_it_is():
    given = Failed("before")

    assert FlowRunner(small()).run(given) is given


def test_handlers_of_the_runner_are_called_for_the_flow_and_its_tasks():
    seen = []

    def note(each, *states):
        del states
        seen.append(each.name)

    FlowRunner(small(), state_handlers=[note]).run()

    assert set(seen) == {"small", "x", "add"}


@everywhere
def test_each_task_may_see_a_context_of_its_own(executor):
    @task
    def look():
        return context.get("limit"), context.task_name

    with Flow("f") as flow:
        one, other = look(), look()
    contexts = {one: {"limit": 5, "task_name": "no"}}

    state = FlowRunner(flow).run(executor=executor, context={"limit": 1}, task_contexts=contexts)

    assert [state.result[each].result for each in (one, other)] == [(5, "look"), (1, "look")]


@pytest.mark.parametrize(
    ("contexts", "message"),
    [
        (5, "task_contexts=5 isn't a dict. Give e.g. task_contexts={load: {'limit': 5}}."),
        ({"add": 5}, "task_contexts has 5 for 'add', which isn't a dict by name. Give e.g. {'limit': 5}."),
        (
            {"add[0]": {}},
            "task_contexts has 'add[0]', one child of a mapped task. Give the mapped task: its children share a context.",
        ),
    ],
)
def test_what_is_no_context_of_a_task_is_refused(contexts, message):
    with pytest.raises(DefinitionError) as refused:
        small().run(task_contexts=contexts)

    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: FlowRunner(add),
            "FlowRunner can't run <Task: add>, which is not a flow. Give a flowbook.Flow; TaskRunner runs a task.",
        ),
        (
            lambda: TaskRunner(5),
            "TaskRunner can't run 5, which is not a task. Give a flowbook.Task, e.g. a function under @task.",
        ),
        (
            lambda: TaskRunner(add).run("Pending"),
            "'Pending' is not a state. Give task 'add' one, e.g. Pending() of flowbook.engine.state, or none.",
        ),
        (
            lambda: TaskRunner(add).run(upstream_states={"x": Success()}),
            "upstream_states={'x': <Success>} are not states by edge. Give e.g. {Edge(up, add, key='x'): Success(result=1)}.",
        ),
        (
            lambda: TaskRunner(add).run(upstream_states={Edge(add, add, "x", mapped=True): Success(result=[1])}),
            "Edge to 'x' is mapped: TaskRunner runs one child. Give it one element, or run a flow.",
        ),
    ],
)
def test_a_runner_refuses_what_it_can_not_run(call, message):
    with pytest.raises(DefinitionError) as refused:
        call()

    assert str(refused.value) == message


def test_a_task_is_run_by_state_and_states_upstream():
    state = TaskRunner(task=add).run(state=Pending(), upstream_states={Edge(add, add, key="x"): Success(result=4)})

    assert (type(state), state.result) == (Success, 5)


def test_the_package_names_both_and_nothing_else():
    assert (flowbook.engine.__all__, "FlowRunner" in dir(flowbook.engine)) == (["FlowRunner", "TaskRunner"], True)
    with pytest.raises(AttributeError, match=r"module 'flowbook\.engine' has no attribute 'Nothing'"):
        flowbook.engine.Nothing  # noqa: B018  # to be looked up
