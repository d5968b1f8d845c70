from __future__ import annotations

import graphlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook import Flow, Parameter, Task, task
from flowbook.core.topological_order import TopologicalOrder
from flowbook.exceptions import CycleError

NODES = 9


@task
def inc(x):
    return x + 1


class Written:
    """Edges added one by one, and how many were looked at for it."""

    def __init__(self, count):
        self.order = TopologicalOrder()
        self.above = {node: [] for node in range(count)}
        self.below = {node: [] for node in range(count)}
        self.looks = 0
        for node in range(count):
            self.order.add(node)

    def add(self, before, after):
        if not self.order.admits(before, after, self.look(self.above), self.look(self.below)):
            return False
        self.above[after].append(before)
        self.below[before].append(after)
        return True

    def look(self, neighbours):
        def found(node):
            for each in neighbours[node]:
                self.looks += 1
                yield each

        return found


def is_ring_free(edges):
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError:
        return False
    return True


@given(st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=40))
def test_an_edge_is_admitted_where_it_closes_no_ring_and_the_order_follows(edges):
    written = Written(NODES)

    for before, after in edges:
        above = {node: [*ups, before] if node == after else ups for node, ups in written.above.items()}
        assert written.add(before, after) == is_ring_free(above)
        ranks = written.order._ranks
        assert all(ranks[up] < ranks[node] for node, ups in written.above.items() for up in ups)
        assert len(set(ranks.values())) == NODES


@pytest.mark.parametrize("way", ["forwards", "backwards", "shuffled", "ladder", "fan"])
def test_writing_a_flow_in_any_order_looks_at_few_edges(way):
    count = 2000
    chain = [(node, node + 1) for node in range(count - 1)]
    edges = {
        "forwards": chain,
        "backwards": chain[::-1],
        "shuffled": random.Random(1).sample(chain, len(chain)),
        "ladder": [*chain[: count // 2 - 1], *chain[count // 2 :], *((n, n + count // 2) for n in range(count // 2))],
        "fan": [(count - 1, node) for node in range(count - 1)],
    }[way]
    written = Written(count)

    assert all(written.add(*edge) for edge in edges)
    assert written.looks <= 20 * count


def test_a_ring_is_refused_at_the_edge_that_closes_it_and_the_flow_stays_as_it_was():
    with Flow("f") as flow:
        a = inc(1)
        b, c = inc(a), inc(2)

        with pytest.raises(CycleError) as caught:
            a.set_upstream(b)
        c.set_upstream(b)

    assert caught.value.ring == ["inc", "inc-2"]
    assert flow.run(record=False).result[c].is_successful()


def test_a_long_ring_is_not_named_in_full():
    flow = Flow("f")
    tasks = [Task(name=f"t{number}") for number in range(100)]
    flow.chain(*tasks)

    with pytest.raises(CycleError) as caught:
        flow.add_edge(tasks[-1], tasks[0])

    assert "t10 -> t11 -> (88 more) -> t0." in str(caught.value)
    assert caught.value.ring == [f"t{number}" for number in range(100)]


def test_a_copy_goes_on_in_an_order_of_its_own():
    with Flow("f") as flow:
        a, b = inc(Parameter("x", default=1)), inc(2)
    twin = flow.copy()

    twin.add_edge(b, a)
    flow.add_edge(a, b)

    with pytest.raises(CycleError):
        twin.add_edge(a, b)


def test_a_key_is_looked_up_and_not_searched_for():
    with Flow("f") as flow:
        tasks = [inc(number) for number in range(50)]
    graph = flow.compile()
    specs = dict(graph.specs)
    graph.key_of(tasks[0])

    graph.specs.clear()

    assert [graph.key_of(each) for each in tasks] == list(specs)
