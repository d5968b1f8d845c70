"""The graphs that everybody runs."""

import pytest

from benchmarks.shapes import SHAPES, chain, edges, fan, layers


def test_a_chain_has_each_task_below_the_one_before():
    assert chain(4) == [(), (0,), (1,), (2,)]


def test_a_fan_has_all_below_the_first():
    assert fan(4) == [(), (0,), (0,), (0,)]


def test_layers_have_three_parents_each_in_the_layer_above():
    shape = layers(30)

    assert len(shape) == 30
    assert shape[:10] == [()] * 10
    assert shape[10] == (0, 1, 2)
    assert shape[29] == (19, 10, 11)


def test_edges_are_as_many_as_asked_for():
    assert sum(map(len, edges(10_000))) == 10_000


@pytest.mark.parametrize("name", SHAPES)
def test_a_parent_always_comes_before_its_children(name):
    shape = SHAPES[name](100)

    assert all(parent < place for place, parents in enumerate(shape) for parent in parents)
