from __future__ import annotations

import time
from typing import Any

import pandas as pd
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
        start = time.thread_time()
        with flow:
            for _ in range(count):
                before = one(upstream_tasks=[before] if before is not None else None)
        flow.compile()
        return time.thread_time() - start

    small, large = min(seconds(300) for _ in range(3)), min(seconds(1200) for _ in range(2))

    assert large < small * 4 * 4


def test_what_a_user_imports_is_there():
    assert [name for name in flowbook.__all__ if getattr(flowbook, name, None) is None] == []


def two_chains():
    with Flow("chains", tasks=[]) as flow:
        a, b = one(), one()
        c, d = add(a, 1), add(b, 2)
    return flow, a, b, c, d


def test_edges_of_all_tasks_are_told_at_once():
    flow, a, b, c, d = two_chains()

    assert flow.all_upstream_edges() == {a: set(), b: set(), c: {Edge(a, c, "x")}, d: {Edge(b, d, "x")}}
    assert flow.all_downstream_edges() == {a: {Edge(a, c, "x")}, b: {Edge(b, d, "x")}, c: set(), d: set()}


def test_sorted_tasks_may_begin_at_some():
    flow, a, b, c, d = two_chains()

    assert (flow.sorted_tasks([b]), flow.sorted_tasks(root_tasks=[a, c]), flow.sorted_tasks([])) == ((b, d), (a, c), ())


def test_tasks_are_found_by_their_class_too():
    with Flow("f") as flow:
        x = Parameter("x", default=1)
        total = add(x, one()) + 1

    assert flow.get_tasks(task_type=Parameter) == [x]
    assert flow.get_tasks(task_type=Task, name="Add") == [total]


def test_slugs_number_the_tasks_of_a_name_and_find_them():
    with Flow("f") as flow:
        x = Parameter("x", default=1)
        first, second = add(x, 1), add(x, 2)
        named = one(task_args={"slug": "start"})

    assert flow.slugs == {first: "add-1", x: "x", second: "add-2", named: "start-1"}
    assert [flow.get_tasks(slug=slug) for slug in ("add", "add-1", "add-2", "x", "start", "start-1", "add-3")] == [
        [first],
        [first],
        [second],
        [x],
        [named],
        [named],
        [],
    ]


def test_flows_are_equal_if_they_have_the_same_name_tasks_edges_and_inputs():
    flow, a, *_ = two_chains()
    others = [flow.copy() for _ in range(5)]
    others[1].add_task(one.copy())
    others[2].add_edge(a, flow.tasks[-1])
    others[3].set_reference_tasks([a])
    others[4].name = "other"

    assert [flow == each for each in others] == [True, False, False, False, False]
    assert (hash(flow) == hash(others[0]), flow == "chains", flow == FlowOfAnotherClass("chains")) == (
        True,
        False,
        False,
    )
    assert {flow: 1}[others[0]] == 1


class FlowOfAnotherClass(Flow):
    pass


def test_equality_of_flows_never_compares_values():
    frame = pd.DataFrame({"a": [1]})
    with Flow("f") as flow:
        add(frame, 1)

    assert flow == flow.copy()


def test_a_bar_between_tasks_means_then():
    with Flow("f") as flow:
        a, b, c, d, e = (one() for _ in range(5))
        last = a | b | c
        [d, e] | a
        5 | d

    assert last is c
    assert {(edge.upstream_task, edge.downstream_task, edge.key) for edge in flow.edges if edge.key is None} == {
        (a, b, None),
        (b, c, None),
        (flow.get_tasks("List")[0], a, None),
    }


def test_a_pipe_gives_a_result_on_as_the_first_input():
    with Flow("f") as flow:
        end = one().pipe(add, y=5).pipe(add, y=10)

    assert flow.run().result[end].result == 16


def test_a_constant_upstream_is_nothing_to_wait_for():
    with Flow("f") as flow:
        a = one(upstream_tasks=[5, [1, 2], one()])

    assert [edge.upstream_task.name for edge in flow.edges_to(a)] == ["one"]


def test_an_uncalled_task_upstream_is_added_itself_and_once():
    with Flow("f") as flow:
        add(1, 2, upstream_tasks=[one])
        add(one, 3)

    assert [edge.upstream_task for edge in flow.edges] == [one, one]


class Load(Task):
    def __init__(self, path="", **options):
        self.path = path
        super().__init__(**options)

    def run(self):
        self.logger.info("loading %s", self.path)
        return self.path


def test_a_task_made_in_a_flows_block_and_never_used_is_warned_of():
    with pytest.warns(UserWarning, match="Made in the block") as caught, Flow("f"):  # noqa: PT031  # its end warns
        Load("a.csv")
        Load("b.csv")()
        add(Load("c.csv"), Parameter("used"))
        Parameter("unused")

    (warning,) = caught
    assert str(warning.message) == (
        "Made in the block of flow 'f' and never used, so not part of it: <Task: Load>, <Parameter: unused>. "
        "Call a task to add it: Load()(path); use a parameter as an input. Or make it outside the block."
    )
    assert warning.filename == __file__


def test_tasks_that_are_used_in_an_inner_block_or_follow_an_error_are_not_warned_of():
    with Flow("outer") as outer:
        load, other = Load("a.csv"), Load("b.csv")
        with Flow("inner") as inner:
            load()
            inner.add_task(other)

        @task
        def for_later():
            return 1

    with pytest.raises(ZeroDivisionError), Flow("broken"):  # noqa: PT012  # the end of the block doesn't warn
        Load("c.csv")
        1 / 0  # noqa: B018

    assert (len(outer), len(inner)) == (0, 2)


def test_a_tasks_logger_is_the_runs():
    with Flow("f") as flow:
        load = Load("a.csv")()

    flow.start().wait()

    assert [(each.key, each.text) for each in flow.last_run.logs()] == [("Load", "loading a.csv")]
    assert load.logger.name == "flowbook.task_run"


def test_a_task_may_have_a_logger_of_its_own():
    load = Load("a.csv")

    load.logger = "mine"

    assert (load.logger, load.copy().logger) == ("mine", "mine")


def test_a_task_tells_the_types_of_its_inputs_and_its_output():
    @task
    def count(words: list[str], limit: int = 5, *, sep=","):
        return sep.join(words[:limit])

    def typed(x: int) -> float:
        return x / 2

    assert count.inputs() == {
        "words": {"type": list[str], "required": True},
        "limit": {"type": int, "required": False},
        "sep": {"type": Any, "required": False},
    }
    assert (count.outputs(), task(typed).outputs()) == (Any, float)
