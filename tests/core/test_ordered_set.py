"""An ordered set equals any set of the same members, and keeps their order."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from flowbook import Edge, Flow, Parameter, Task, task
from flowbook.core.ordered_set import OrderedSet

numbers = st.lists(st.integers(0, 9))


@task
def inc(x):
    return x + 1


@given(numbers, numbers)
def test_it_answers_as_a_set_does_and_iterates_as_a_dict_does(first, second):
    one, other = OrderedSet(first), OrderedSet(second)

    assert (one == other, one == set(second), set(second) == one) == (set(first) == set(second),) * 3
    assert (one | other, one & other, one - other, one ^ other) == (
        set(first) | set(second),
        set(first) & set(second),
        set(first) - set(second),
        set(first) ^ set(second),
    )
    assert (list(one), len(one), list(reversed(one))) == (
        list(dict.fromkeys(first)),
        len(set(first)),
        list(dict.fromkeys(first))[::-1],
    )
    assert hash(one) == hash(frozenset(first))
    assert pickle.loads(pickle.dumps(one)) == one  # our own bytes


def test_it_takes_an_index_and_a_slice():
    letters = OrderedSet("banana")

    assert (letters[0], letters[-1], letters[:2], repr(letters)) == ("b", "n", ("b", "a"), "{'b', 'a', 'n'}")


def test_what_a_flow_tells_of_its_tasks_equals_sets_and_keeps_the_order_of_definition():
    with Flow("f") as flow:
        x = Parameter("x", default=1)
        first = inc(x)
        last = inc(first)
        alone = inc(5)

    assert [list(flow.tasks), list(flow.root_tasks()), list(flow.terminal_tasks()), list(flow.reference_tasks())] == [
        [first, x, last, alone],
        [x, alone],
        [last, alone],
        [last, alone],
    ]
    assert flow.tasks == {alone, last, first, x}
    assert flow.edges == {Edge(first, last, "x"), Edge(x, first, "x")}
    assert (flow.parameters(), flow.upstream_tasks(last), flow.downstream_tasks(first)) == ({x}, {first}, {last})
    assert (flow.edges_to(first), flow.edges_from(first)) == ({Edge(x, first, "x")}, {Edge(first, last, "x")})


def test_edges_are_equal_if_all_their_fields_are():
    a, b = Task(name="a"), Task(name="b")
    edges = [
        Edge(a, b),
        Edge(b, a),
        Edge(a, b, "x"),
        Edge(a, b, mapped=True),
        Edge(a, b, flattened=True),
    ]

    twins = [Edge(e.upstream_task, e.downstream_task, e.key, mapped=e.mapped, flattened=e.flattened) for e in edges]

    assert (edges == twins, set(edges) == set(twins), len(set(edges + twins))) == (True, True, 5)
    assert (edges[0] == "a", edges[0].tasks, list(edges[1].tasks)) == (False, {a, b}, [b, a])


def test_the_same_edge_twice_is_one():
    a, b = inc.copy(), inc.copy(name="b")
    flow = Flow("f")

    edges = [flow.add_edge(a, b), flow.add_edge(a, b), flow.add_edge(a, b, "x"), flow.add_edge(a, b, "x")]
    b.set_upstream(a, flow=flow)
    flow.set_dependencies(b, upstream_tasks=[a], keyword_tasks={"x": a})

    assert (edges[0] is edges[1], edges[2] is edges[3], len(flow.edges)) == (True, True, 2)


def test_the_same_edge_twice_is_one_also_where_a_task_has_many():
    flow = Flow("f")
    last, sources = Task(name="last"), [Task(name=f"t{number}") for number in range(50)]

    for _ in range(2):
        flow.set_dependencies(last, upstream_tasks=sources)

    assert [edge.upstream_task for edge in flow.edges_to(last)] == sources
