"""Flows put together and changed: chain, update, replace, copy."""

import pytest

from flowbook import Flow, Parameter, flatten, task
from flowbook.exceptions import CycleError, DefinitionError


@task
def inc(x):
    return x + 1


@task
def double(x):
    return 2 * x


@task
def add(x, y):
    return x + y


@task
def same(x):
    return x


@task
def say():
    return "said"


def ends(flow, **parameters):
    state = flow.run(**parameters)
    return {key: state.result[each].result for each, key in flow.keys().items()}


def test_chain_lets_tasks_come_one_after_the_other_without_values():
    with Flow("chain") as flow:
        a, b, c = say(), say(), say()
        edges = flow.chain(a, b, c)

    assert [(e.upstream_task, e.downstream_task, e.key) for e in edges] == [(a, b, None), (b, c, None)]
    assert flow.sorted_tasks() == (a, b, c)


def test_a_chain_in_a_ring_is_refused():
    flow = Flow("chain")
    a, b = say.copy(), say.copy()

    with pytest.raises(CycleError, match="Tasks wait on each other: say"):
        flow.chain(a, b, a)


def test_update_takes_over_tasks_edges_constants_and_maps():
    with Flow("one") as one:
        x = Parameter("x")
        start = inc(x)
    with Flow("two") as two:
        add(inc(10), double.map([1, 2])[0])

    one.update(two)

    assert ends(one, x=1) == {"x": 1, "inc": 2, "inc-2": 11, "double": [2, 4], "GetItem": 2, "add": 13}
    assert start in one
    assert len(two) == 4


def test_update_twice_adds_nothing_more():
    with Flow("one") as one:
        inc(1)
    with Flow("two") as two:
        add(inc(10), 3)
    one.update(two)
    before = one.tasks, one.edges

    one.update(two)

    assert (one.tasks, one.edges) == before


def test_update_takes_the_others_parameter_of_one_name_when_they_are_merged():
    with Flow("one") as one:
        inc(Parameter("x", 1))
    with Flow("two") as two:
        double(Parameter("x", 2))

    with pytest.raises(DefinitionError) as refused:
        one.update(two)
    one.update(two, merge_parameters=True)

    assert str(refused.value) == (
        "Flows 'one' and 'two' both have a parameter 'x'. If they are one, write flow.update(..., merge_parameters=True)."
    )
    assert ends(one) == {"inc": 3, "x": 2, "double": 4}


def test_replace_puts_a_task_in_anothers_place_with_its_inputs_and_edges():
    with Flow("flow") as flow:
        old = inc(4)
        end = add(old, 1)
    flow.set_reference_tasks([old])

    new = flow.replace(old, double.copy())

    assert ends(flow) == {"add": 9, "double": 8}
    assert (old in flow, flow.reference_tasks(), flow.upstream_tasks(end)) == (False, {new}, {new})


def test_replace_keeps_a_map_a_map():
    with Flow("flow") as flow:
        src = Parameter("src", [1, 2])
        old = inc.map(src)

    flow.replace(old, double.copy())

    assert ends(flow) == {"src": [1, 2], "double": [2, 4]}


def test_a_collection_may_take_a_tasks_place():
    with Flow("flow") as flow:
        old = say()
        end = same(old)
        one, two = inc(1), inc(2)

    flow.replace(old, [one, two])

    assert flow.run().result[end].result == [2, 3]


def test_a_parameter_may_be_replaced_by_a_task():
    with Flow("flow") as flow:
        x = Parameter("x")
        inc(x)

    flow.replace(x, task(lambda: 41, name="constant"))

    assert ends(flow) == {"inc": 42, "constant": 41}


def test_a_copy_has_the_same_tasks_and_grows_by_itself():
    with Flow("flow") as flow:
        first = inc(1)

    twin = flow.copy()
    with twin:
        double(first)

    assert (len(flow), len(twin), flow.edges) == (1, 2, set())
    assert ends(twin) == {"inc": 2, "double": 4}
    assert ends(flow) == {"inc": 2}


def test_updating_by_a_wide_flow_grows_linearly():
    with Flow("wide") as wide:
        for _ in range(2000):
            inc(inc(1))
    flow = Flow("flow")

    flow.update(wide)

    assert (len(flow), len(flow.edges)) == (4000, 2000)


def test_gathering_many_tasks_looks_at_each_once():
    with Flow("wide") as flow:
        found = same([say() for _ in range(3000)])

    class Counted(list):
        looks = 0

        def __iter__(self):
            Counted.looks += 1
            return super().__iter__()

    gathered = flow.upstream_tasks(found)[0]
    flow._graph.incoming[gathered] = Counted(flow._graph.incoming[gathered])
    flow.add_edge(say, gathered, "item_3000")

    assert Counted.looks == 0
    assert len(flow.edges_to(gathered)) == 3001


def test_without_reference_tasks_the_terminal_ones_decide_again():
    with Flow("f") as flow:
        start = inc(4)
        end = add(start, 1)
    flow.set_reference_tasks([start])

    flow.set_reference_tasks([])

    assert flow.reference_tasks() == {end}


@task
def gather(**parts):
    return sorted(parts)


@pytest.mark.parametrize("inputs", [3, 30])
def test_an_input_of_a_task_that_gathers_few_or_many_is_given_once_also_after_changes(inputs):
    with Flow("gathering") as flow:
        sources = [say() for _ in range(inputs)]
        last = gather(**{f"part{place}": source for place, source in enumerate(sources)})
    with pytest.raises(DefinitionError, match=f"'part{inputs - 1}' of task 'gather' is given twice"):
        flow.add_edge(sources[0], last, f"part{inputs - 1}")

    other = flow.replace(sources[1], say.copy(name="other"))
    flow.add_edge(sources[0], last, "late")

    for name in ("part0", "part1", "late"):
        with pytest.raises(DefinitionError, match=f"'{name}' of task 'gather' is given twice"):
            flow.add_edge(sources[2] if name != "part2" else other, last, name)
    assert flow.run(record=False).result[last].result == sorted([*(f"part{place}" for place in range(inputs)), "late"])


def test_update_may_let_the_others_reference_tasks_decide_too():
    with Flow("one") as one:
        mine = inc(Parameter("x", 1))
        inc(mine)
    with Flow("two") as two:
        theirs = double(Parameter("x", 2))
        double(theirs)
    one.set_reference_tasks([mine, one.parameters()[0]])
    two.set_reference_tasks([theirs])
    plain = one.copy()

    plain.update(two, merge_parameters=True)
    one.update(two, merge_parameters=True, merge_reference_tasks=True)

    (x,) = two.parameters()
    assert (plain.reference_tasks(), one.reference_tasks()) == ({mine, x}, {mine, x, theirs})


def test_replace_by_a_plain_value_makes_it_a_constant_downstream():
    with Flow("flow") as flow:
        p = Parameter("p")
        plain, mapped_, flat = inc(p), inc.map(p), inc.map(flatten(p))
        after = say(upstream_tasks=[p])
    flow.set_reference_tasks([p, after])

    replaced = [flow.replace(old, new) for old, new in ((p, [[1], [2]]),)]

    assert (replaced, p in flow, flow.reference_tasks(), flow.upstream_tasks(after)) == ([None], False, {after}, set())
    assert flow.constants == {plain: {"x": [[1], [2]]}}
    assert flow.run(record=False).result[flat].result == [2, 3]
    assert mapped_ in flow


def test_a_copied_parameter_has_a_name_of_its_own():
    p = Parameter("p", default=1)
    with Flow("flow") as flow:
        ends = [inc(p), inc(p.copy("q")), inc(p.copy(name="r", default=5))]

    state = flow.run({"p": 1, "q": 2}, record=False)

    assert [state.result[end].result for end in ends] == [2, 3, 6]
    assert flow.keys()[flow.parameters()[1]] == "q"
