from __future__ import annotations

import collections
import datetime as dt
import pickle
import sys
import traceback

import cloudpickle
import pytest

from flowbook import Flow, Parameter, Task, case, flatten, mapped, task, triggers, unmapped
from flowbook import flow as flow_of
from flowbook.core.collections import Dict, List, Set, Tuple
from flowbook.engine import cache_validators
from flowbook.engine.state import Success
from flowbook.exceptions import DefinitionError, ExecutorError


@task
def add(x, y=1):
    """Add two numbers."""
    return x + y


@task
def one():
    return 1


def bindings(flow, key):
    return [(b.upstream, b.argument, b.mapped, b.flattened) for b in flow.compile().specs[key].bindings]


def test_a_decorated_function_is_a_task_and_can_still_be_run_alone():
    assert (add.name, list(add.inputs()), add.run(2), add.__doc__) == ("add", ["x", "y"], 3, "Add two numbers.")


def test_options_of_the_decorator_are_those_of_task():
    made = task(name="load", tags=["db"], max_retries=2, retry_delay=3, trigger=triggers.all_failed)(lambda: 1)

    assert (made.name, made.tags, made.max_retries) == ("load", frozenset({"db"}), 2)
    assert (made.retry_delay, made.trigger) == (dt.timedelta(seconds=3), triggers.all_failed)


def test_the_defaults_are_those_that_are_promised():
    made = Task()

    assert (made.name, made.trigger, made.skip_on_upstream_skip) == ("Task", triggers.all_successful, True)
    assert (made.cache_validator, made.keep, made.max_retries) == (cache_validators.never_use, True, 0)
    assert Task(cache_for=dt.timedelta(1)).cache_validator is cache_validators.duration_only


def test_calling_a_task_copies_it_so_that_it_can_be_used_twice():
    with Flow("f") as flow:
        first, second = add(1), add(2)

    assert len({first, second, add}) == 3
    assert list(flow.keys().values()) == ["add", "add-2"]


def test_a_call_may_change_the_copy():
    with Flow("f") as flow:
        renamed = add(1, task_args={"name": "plus", "tags": ["db"]})

    assert (renamed.name, renamed.tags, add.name, add.tags) == ("plus", {"db"}, "add", frozenset())
    assert flow.keys() == {renamed: "plus"}


def test_constants_and_tasks_are_bound_to_their_arguments():
    with Flow("f") as flow:
        add(one(), y=5)

    assert bindings(flow, "add") == [("one", "x", False, False)]
    assert flow.compile().specs["add"].constants == {"y": 5}


def test_map_binds_each_input_to_be_split_unless_it_is_marked():
    with Flow("f") as flow:
        add.map(one(), unmapped(one()))
        add(mapped(one()), flatten(one()))

    assert bindings(flow, "add") == [("one", "x", True, False), ("one-2", "y", False, False)]
    assert bindings(flow, "add-2") == [("one-3", "x", True, False), ("one-4", "y", True, True)]


def test_upstream_tasks_come_before_without_giving_a_value():
    with Flow("f") as flow:
        first = one()
        add(1, upstream_tasks=[first])
        one().set_upstream(first)
        first.set_downstream(one())

    assert bindings(flow, "add") == [("one", None, False, False)]
    assert flow.compile().children["one"] == ("add", "one-2", "one-3")


@pytest.mark.parametrize(
    ("make", "kind", "expected"),
    [
        (lambda a: [a, 2], List, [1, 2]),
        (lambda a: (a, 2), Tuple, (1, 2)),
        (lambda a: {a, 2}, Set, {1, 2}),
        (lambda a: {"k": a, "m": [a]}, Dict, {"k": 1, "m": [1]}),
    ],
    ids=["list", "tuple", "set", "dict"],
)
def test_a_collection_that_holds_tasks_is_gathered(make, kind, expected):
    same = task(lambda x: x, name="same")
    with Flow("f") as flow:
        found = same(make(one()))

    state = flow.run()

    assert state.result[found].result == expected
    assert any(isinstance(each, kind) for each in flow.tasks)


def test_a_collection_without_tasks_stays_a_constant():
    with Flow("f") as flow:
        add([1], y=[2])

    assert flow.compile().specs["add"].constants == {"x": [1], "y": [2]}


def test_a_task_takes_any_input_where_run_takes_keywords():
    gather = task(lambda **parts: sorted(parts), name="gather")
    with Flow("f") as flow:
        found = gather(b=1, a=one())

    state = flow.run()

    assert state.result[found].result == ["a", "b"]


def test_tasks_compare_and_hash_by_identity_and_pickle():
    assert add != add.copy()
    assert pickle.loads(cloudpickle.dumps(add)).run(1) == 2


def test_a_parameter_with_none_as_default_is_not_required():
    given, needed, optional = Parameter("a", None), Parameter("b"), Parameter("c", required=False)

    assert [p.required for p in (given, needed, optional)] == [False, True, False]


def test_a_parameter_is_itself_in_the_flow_and_takes_its_name_first():
    n = Parameter("one", 1)
    with Flow("f") as flow:
        one()
        add(n)

    assert flow.keys()[n] == "one"
    assert sorted(flow.keys().values()) == ["add", "one", "one-2"]


def test_what_can_be_known_before_a_run_is_worked_out_in_the_spec():
    with Flow("f") as flow:
        one(task_args={"trigger": triggers.all_successful})
        one(task_args={"trigger": triggers.manual_only})
    specs = flow.compile().specs

    assert [(spec.trigger, spec.is_manual) for spec in specs.values()] == [(None, False), (triggers.manual_only, True)]


def test_a_copy_in_a_flow_holds_values_of_attributes_but_not_their_names():
    @task
    def load():
        return 1

    with Flow("f"):
        copies = [load() for _ in range(10)]

    assert max(sys.getsizeof(vars(each)) for each in copies) < 500  # with the names, 1,500


def test_a_task_inside_a_task_is_called_by_its_run():
    outer = task(lambda: add.run(1), name="outer")
    with Flow("f") as flow:
        found = outer()

    assert flow.run().result[found] == Success(result=2)


@pytest.mark.parametrize("given", [90, 90.0, dt.timedelta(minutes=1, seconds=30)])
def test_durations_are_timedeltas_or_seconds_everywhere(given):
    made = Task(max_retries=1, retry_delay=given, timeout=given, cache_for=given)
    copied = Task().copy(max_retries=1, retry_delay=given, timeout=given, cache_for=given)

    expected = dt.timedelta(seconds=90)
    assert [(each.retry_delay, each.timeout, each.cache_for) for each in (made, copied)] == [(expected,) * 3] * 2


def test_a_task_in_a_text_is_shown_as_itself_where_no_flow_is_written():
    with Flow("f"):
        a = one()
        shown = repr(a)

    assert (shown, str(a), f"{a}", f"{one:>13}", "%s" % one) == (  # noqa: UP031  # each way
        "<Task: one>",
        "<Task: one>",
        "<Task: one>",
        "  <Task: one>",
        "<Task: one>",
    )


@pytest.mark.parametrize("value", ["a[0]", ["a", "b"], {"x": [1]}])
def test_a_case_of_a_value_with_brackets_has_a_name_without(value):
    with Flow("f") as flow:
        same = task(lambda x: x, name="same")
        with case(same(value), value):
            inside = one()

    assert flow.run().result[inside].result == 1
    assert [name for name in flow.keys().values() if "[" in name] == []


def writers_lines(error):
    return [each.name for each in traceback.extract_tb(error.__traceback__)]


def test_an_error_of_the_writers_shows_the_writers_lines_alone():
    def helper():
        add(nonsense=5)

    with pytest.raises(DefinitionError) as in_a_helper, Flow("f"):
        helper()
    with pytest.raises(DefinitionError) as in_a_case, Flow("f"), case(Parameter("p"), True):
        one().copy(name="a[0]")
    with pytest.raises(DefinitionError) as in_a_function:
        flow_of(helper)

    names = [writers_lines(each.value) for each in (in_a_helper, in_a_case, in_a_function)]
    assert names == [
        ["test_an_error_of_the_writers_shows_the_writers_lines_alone", "helper"],
        ["test_an_error_of_the_writers_shows_the_writers_lines_alone"],
        ["test_an_error_of_the_writers_shows_the_writers_lines_alone", "flow", "helper"],
    ]


def test_outside_a_block_an_error_of_the_writers_shows_no_more_than_what_was_called():
    flow = Flow("f", tasks=[one.copy()])
    calls = {
        "task": lambda: task(one.run, retries=3),
        "__call__": one,
        "map": one.map,
        "run": lambda: flow.run(nonsense=1),
        "start": lambda: flow.start(executor=5),
    }

    found = {}
    for name, call in calls.items():
        with pytest.raises((DefinitionError, ExecutorError)) as caught:
            call()
        found[name] = [each for each in writers_lines(caught.value) if not each.startswith(("test_", "<lambda>"))]

    assert found == {name: [name, "_new_run"] if name in {"run", "start"} else [name] for name in calls}


def test_an_error_of_a_library_in_a_block_keeps_its_frames():
    with pytest.raises(KeyError) as caught, Flow("f"):
        collections.ChainMap({})["x"]

    assert writers_lines(caught.value)[-1] == "__missing__"


@pytest.mark.parametrize("option", ["name", "slug"])
def test_a_task_can_not_be_renamed_to_a_childs_key_either(option):
    a = add.copy()

    with pytest.raises(DefinitionError, match="has brackets, which stand for a mapped task's children"):
        setattr(a, option, "add[0]")

    assert (a.name, a.slug) == ("add", None)
