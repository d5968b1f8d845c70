from __future__ import annotations

import time

import pytest

import flowbook
from flowbook import Edge, Flow, Parameter, Task, task


@task
def one():
    return 1


@task
def add(x, y=1):
    return x + y


def diamond():
    with Flow("diamond") as flow:
        top = one()
        left, right = add(top), add(top)
        bottom = add(left, right)
    return flow, top, left, right, bottom


def test_the_tasks_around_a_task_are_found():
    flow, top, left, right, bottom = diamond()

    assert flow.root_tasks() == {top}
    assert flow.terminal_tasks() == flow.reference_tasks() == {bottom}
    assert flow.downstream_tasks(top) == flow.upstream_tasks(bottom) == {left, right}
    assert [edge.key for edge in flow.edges_to(bottom)] == ["x", "y"]
    assert [edge.key for edge in flow.edges_from(top)] == ["x", "x"]
    assert (len(flow), top in flow, one in flow, list(flow)) == (4, True, False, [top, left, right, bottom])


def test_tasks_are_sorted_so_that_each_comes_after_its_upstream():
    flow = Flow("f")
    last, first = one.copy(), one.copy()
    flow.add_edge(first, last)

    assert flow.sorted_tasks() == (first, last)
    assert list(flow.tasks) == [first, last]


def test_tasks_are_found_by_name_slug_and_tags():
    flow = Flow("f")
    slow, fast = Task(name="load", tags=["db", "slow"]), Task(name="load", slug="quick", tags=["db"])
    flow.add_task(slow)
    flow.add_task(fast)

    assert flow.get_tasks(name="load") == [slow, fast]
    assert flow.get_tasks(slug="quick") == flow.get_tasks(slug="quick", tags=["db"]) == [fast]
    assert flow.get_tasks(tags=["db", "slow"]) == [slow]


def test_edges_given_to_a_flow_keep_how_they_map():
    nested, flat = one.copy(), add.copy()

    flow = Flow("f", edges=[Edge(nested, flat, "x", mapped=True, flattened=True)])

    (edge,) = flow.edges
    assert (edge.key, edge.mapped, edge.flattened) == ("x", True, True)


def test_a_flow_written_by_hand_runs():
    flow, first, second = Flow("f"), one.copy(), add.copy()
    flow.set_dependencies(second, keyword_tasks={"x": first, "y": 10}, downstream_tasks=[last := one.copy()])

    state = flow.run()

    assert (state.result[second].result, state.result[last].result) == (11, 1)


def test_parameters_are_given_by_keyword_or_in_a_mapping():
    with Flow("f") as flow:
        found = add(Parameter("a"), Parameter("b", 2))

    results = [
        flow.run(a=1).result[found].result,
        flow.run({"a": 1}, b=5).result[found].result,
        flow(a=3).result[found].result,
    ]

    assert results == [3, 6, 5]


def test_a_block_left_by_an_error_is_not_checked_and_is_left():
    flow = Flow("f")

    with pytest.raises(KeyError), flow:  # noqa: PT012  # the block is what is tested
        one()
        raise KeyError("x")

    with Flow("g") as other:
        mine = one()
    assert (mine in other, mine in flow) == (True, False)


def test_a_graph_has_keys_children_and_references():
    flow, *_ = diamond()

    graph = flow.compile()

    assert list(graph.specs) == ["one", "add", "add-2", "add-3"]
    assert graph.children == {"one": ("add", "add-2"), "add": ("add-3",), "add-2": ("add-3",), "add-3": ()}
    assert (graph.terminal, graph.reference, graph.flow) == (("add-3",), ("add-3",), flow)


def test_a_task_is_named_by_itself_its_key_or_a_childs_key():
    flow, top, *_ = diamond()

    assert [flow.key_of(each) for each in (top, "add-2", "add[3]")] == ["one", "add-2", "add[3]"]


def test_checking_is_linear():
    def seconds(count):
        flow = Flow("chain")
        before = None
        start = time.perf_counter()
        with flow:
            for _ in range(count):
                before = one(upstream_tasks=[before] if before is not None else None)
        flow.compile()
        return time.perf_counter() - start

    small, large = min(seconds(300) for _ in range(3)), min(seconds(1200) for _ in range(2))

    assert large < small * 4 * 4


def test_what_a_user_imports_is_there():
    assert all(getattr(flowbook, name) is not None for name in flowbook.__all__)
