"""A flow is compiled once, until it or one of its tasks changes."""
# ruff: noqa: ARG001, ARG005  # each change takes the flow and a task of it

from __future__ import annotations

from dataclasses import replace

import cloudpickle
import pytest

from flowbook import Edge, Flow, Parameter, Task, case, task
from flowbook.core import compiler
from flowbook.exceptions import ArgumentError
from flowbook.results import Result


@task
def inc(x):
    return x + 1


def written():
    with Flow("f") as flow:
        first = inc(Parameter("x", default=1))
        inc(first)
    return flow, first


def test_a_flow_that_does_not_change_is_compiled_once():
    flow, first = written()
    graph = flow.compile()

    flow.run(record=False)
    flow.visualize()
    flow.key_of(first)

    assert flow.compile() is graph


def add_a_task(flow, first):
    flow.add_task(Task(name="new"))


def add_an_edge(flow, first):
    flow.add_edge(Task(name="new"), first)


def add_an_edge_between_tasks_that_are_there(flow, first):
    flow.add_edge(flow.tasks[0], flow.tasks[2])


def add_a_constant(flow, first):
    first.copy().bind(5, flow=flow)


def replace_a_task(flow, first):
    flow.replace(first, inc.copy())


def take_another_flow(flow, first):
    with Flow("g") as other:
        inc(5)
    flow.update(other)


def choose_reference_tasks(flow, first):
    flow.set_reference_tasks([first])


def rename_the_flow(flow, first):
    flow.name = "g"


def give_the_flow_a_result(flow, first):
    flow.result = Result("{task_name}.bin")


def give_the_flow_a_handler(flow, first):
    flow.state_handlers.append(lambda flow, old, new: new)


def let_the_flow_notice_its_failure(flow, first):
    flow.on_failure = lambda flow, state: None


def let_the_flow_change_its_end(flow, first):
    flow.terminal_state_handler = lambda flow, state, reference: None


def write_a_case(flow, first):
    with flow, case(first, 2):
        inc(1)


def change_an_option_of_a_task(flow, first):
    first.log_stdout = True


def rename_a_task(flow, first):
    first.name = "other"


def append_a_handler(flow, first):
    first.state_handlers.append(lambda task, old, new: new)


def put_a_handler_in_the_place_of_another(flow, first):
    first.state_handlers[:] = [lambda task, old, new: new]


@pytest.mark.parametrize(
    "change",
    [
        add_a_task,
        add_an_edge,
        add_an_edge_between_tasks_that_are_there,
        add_a_constant,
        replace_a_task,
        take_another_flow,
        choose_reference_tasks,
        rename_the_flow,
        give_the_flow_a_result,
        give_the_flow_a_handler,
        let_the_flow_notice_its_failure,
        let_the_flow_change_its_end,
        write_a_case,
        change_an_option_of_a_task,
        rename_a_task,
        append_a_handler,
    ],
    ids=lambda each: each.__name__,
)
def test_a_flow_that_changed_is_compiled_anew(change):
    flow, first = written()
    before = flow.compile()

    change(flow, first)

    assert flow.compile() is not before
    assert flow.compile() is flow.compile()


def counted(monkeypatch):
    """Return a list that grows whenever a flow is compiled."""
    compiled = []
    compile_graph = compiler.compile_graph

    def count(graph, *rest):
        compiled.append(graph.flow_name)
        return compile_graph(graph, *rest)

    monkeypatch.setattr(compiler, "compile_graph", count)
    return compiled


def test_a_flow_is_compiled_at_the_end_of_its_block(monkeypatch):
    compiled = counted(monkeypatch)
    flow, _ = written()
    before = compiled.copy()

    flow.run(record=False)

    assert (before, compiled) == (["f"], ["f"])


def test_blocks_that_are_opened_again_compile_nothing(monkeypatch):
    compiled = counted(monkeypatch)
    flow, first = written()
    for _ in range(5):
        with flow:
            first = inc(first)
    before = compiled.copy()

    flow.run(record=False)

    assert (before, compiled) == (["f"], ["f", "f"])


def test_a_block_may_leave_an_input_for_later():
    with Flow("f") as flow:
        flow.add_task(inc)

    with pytest.raises(ArgumentError, match="Task 'inc' of flow 'f' has no value for 'x'"):
        flow.run(record=False)
    flow.set_dependencies(inc, keyword_tasks={"x": 1})

    assert flow.run(record=False).result[inc].result == 2


def test_a_flow_that_was_kept_since_before_it_had_all_its_attributes_can_be_written_on():
    flow = Flow("f")
    kept = cloudpickle.loads(cloudpickle.dumps(flow))

    with kept:
        found = inc(1)

    assert "_is_compiled_ahead" not in vars(flow)
    assert kept.run(record=False).result[found].result == 2


def test_what_the_compiler_knows_of_all_tasks_is_what_their_specs_say():
    with Flow("f", cache=True) as flow:
        first = inc(Parameter("x", default=1))
        inc.map([first, inc(first)])
    graph = flow.compile()

    facts = graph.facts

    assert facts == replace(graph, _facts=[]).facts


def test_a_handler_in_the_place_of_another_is_seen():
    flow, first = written()
    first.state_handlers.append(lambda task, old, new: new)
    before = flow.compile()

    put_a_handler_in_the_place_of_another(flow, first)

    assert flow.compile().specs["inc"].handlers == tuple(first.state_handlers)
    assert flow.compile() is not before


def handler(task, old, new):
    return new


@pytest.mark.parametrize(
    "change",
    [
        lambda handlers: handlers.append(handler),
        lambda handlers: handlers.extend([handler]),
        lambda handlers: handlers.insert(0, handler),
        lambda handlers: handlers.__iadd__([handler]),
        lambda handlers: handlers.__imul__(2),
        lambda handlers: handlers.__setitem__(0, handler),
        lambda handlers: handlers.__delitem__(0),
        lambda handlers: handlers.pop(),
        lambda handlers: handlers.remove(print),
        lambda handlers: handlers.reverse(),
        lambda handlers: handlers.sort(key=lambda each: each.__name__),
        lambda handlers: handlers.clear(),
    ],
)
@pytest.mark.parametrize("is_stored_by_an_older_flowbook", [False, True])
def test_each_change_of_a_list_of_handlers_is_seen(change, is_stored_by_an_older_flowbook):
    flow, first = written()
    first.state_handlers = [repr, print]
    if is_stored_by_an_older_flowbook:
        vars(first)["state_handlers"] = [repr, print]
    before = [flow.compile(), flow.compile()]

    change(first.state_handlers)

    assert before == [before[0]] * 2
    assert flow.compile().specs["inc"].handlers == tuple(first.state_handlers)
    assert tuple(first.state_handlers) != (repr, print)


def test_a_change_elsewhere_compiles_nothing(monkeypatch):
    flow, _ = written()
    compiled = counted(monkeypatch)

    other = inc.copy()
    other.timeout = 5
    flow.compile()

    assert compiled == []


class Counts:
    """A handler that is equal to every other one, as those of a dataclass may be."""

    def __init__(self):
        self.calls = 0

    def __call__(self, *_):
        self.calls += 1

    def __eq__(self, other):
        return isinstance(other, Counts)

    __hash__ = None


def test_a_handler_in_the_place_of_an_equal_one_is_called():
    one, other = Counts(), Counts()
    with Flow("f") as flow:
        first = inc(1, task_args={"state_handlers": [one]})
    flow.run(record=False)

    first.state_handlers[:] = [other]
    flow.run(record=False)

    assert (one.calls, other.calls) == (2, 2)


def test_copies_of_a_task_with_equal_handlers_call_their_own():
    one, other = Counts(), Counts()
    with Flow("f") as flow:
        inc(1, task_args={"state_handlers": [one]})
        inc(2, task_args={"state_handlers": [other]})

    flow.run(record=False)

    assert (one.calls, other.calls) == (2, 2)


class Returns(Task):
    def run(self):
        return "its class's"


def test_another_run_of_a_task_or_its_class_is_seen(monkeypatch):
    with Flow("f") as flow:
        returns = Returns()()

    def result():
        return flow.run(record=False).result[returns].result

    found = [result()]
    returns.run = lambda: "its own"
    found.append(result())
    del returns.run
    found.append(result())
    monkeypatch.setattr(Returns, "run", lambda self: "new")
    found.append(result())

    assert found == ["its class's", "its own", "its class's", "new"]


def test_an_edge_that_becomes_a_case_s_is_seen():
    with Flow("f") as flow:
        condition = case(inc(1), 1)
        with condition:
            inc(5)
        below = inc(7)
    decides = next(task for task in flow.tasks if task.name.startswith("case"))
    flow.add_edge(decides, below)
    before = flow.compile()

    flow._graph.add_edge(Edge.deciding(decides, below))

    assert flow.compile() is not before


def test_a_copy_and_a_pickle_of_a_flow_are_compiled_for_themselves():
    flow, _ = written()
    graph = flow.compile()

    twin, again = flow.copy(), cloudpickle.loads(cloudpickle.dumps(flow))

    assert (twin.compile().flow, again.compile().flow) == (twin, again)
    assert (twin.compile() is graph, again.compile() is graph) == (False, False)
