"""An option that is set as an attribute is checked as in the constructor, and belongs to one task or flow alone."""

from __future__ import annotations

import copy
import datetime as dt
import pickle

import pytest

from flowbook import Edge, Flow, Task, task, triggers
from flowbook.engine import cache_validators
from flowbook.exceptions import DefinitionError, FlowbookError
from flowbook.executors import LocalExecutor
from flowbook.results import Result

SECOND = dt.timedelta(seconds=1)


@task
def same(x=1):
    return x


def constructors_words(kind, option, value, **beside):
    with pytest.raises(FlowbookError) as raised:
        kind(name="one", **{**beside, option: value})
    return type(raised.value), str(raised.value)


def words_when_set(target, option, value):
    with pytest.raises(FlowbookError) as raised:
        setattr(target, option, value)
    return type(raised.value), str(raised.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("tags", "db"),
        ("tags", ["dask-resource:GPU"]),
        ("max_retries", -1),
        ("max_retries", True),
        ("trigger", 5),
        ("trigger", "all_failed"),
        ("cache", 5),
        ("cache_for", -1),
        ("cache_for", "an hour"),
        ("cache_validator", cache_validators.all_inputs),
        ("cache_key", 5),
        ("state_handlers", print),
        ("state_handlers", [5]),
        ("on_failure", 5),
        ("timeout", "3"),
        ("timeout", 0),
        ("nout", -1),
        ("task_run_name", 5),
        ("target", "{"),
        ("result", "folder"),
        ("slug", "a[0]"),
    ],
)
def test_an_option_of_a_task_is_refused_in_the_constructors_words(option, value):
    made = Task(name="one")
    before = vars(made).copy()

    assert words_when_set(made, option, value) == constructors_words(Task, option, value)
    assert vars(made) == before


@pytest.mark.parametrize(("option", "value"), [("retry_delay", -1), ("retry_delay", "10"), ("retry_on", 5)])
def test_an_option_of_retries_is_refused_in_the_constructors_words(option, value):
    beside = {"max_retries": 1, "retry_delay": 1}
    made = Task(name="one", **beside)

    assert words_when_set(made, option, value) == constructors_words(Task, option, value, **beside)


@pytest.mark.parametrize(
    ("before", "option", "value"),
    [
        ({"keep": False}, "cache", True),
        ({"cache": True}, "keep", False),
        ({"cache_for": 5}, "cache", False),
        ({"keep": False}, "target", "x.bin"),
        ({"keep": False}, "result", Result("folder")),
        ({"target": "x.bin"}, "keep", False),
        ({"cache": True}, "cache_validator", cache_validators.partial_inputs_only),
        ({}, "deadline", 5),
        ({"trigger": triggers.manual_only}, "otherwise", "skip"),
        ({"trigger": triggers.manual_only}, "deadline", -5),
        ({"trigger": triggers.manual_only}, "asks", 5),
    ],
)
def test_options_that_depend_on_each_other_are_checked_together(before, option, value):
    made = Task(name="one", **before)
    own = vars(made).copy()

    assert words_when_set(made, option, value) == constructors_words(Task, option, value, **before)
    assert vars(made) == own


def test_a_value_is_stored_as_the_constructor_stores_it():
    made, other = Task(), Task()
    given = {
        "tags": ["db"],
        "max_retries": 2,
        "retry_delay": 1,
        "retry_on": ValueError,
        "trigger": None,
        "cache_for": 1,
        "timeout": 1,
        "state_handlers": (print,),
    }

    for option, value in given.items():
        setattr(made, option, value)

    assert {option: getattr(made, option) for option in given} == {
        "tags": frozenset({"db"}),
        "max_retries": 2,
        "retry_delay": SECOND,
        "retry_on": (ValueError,),
        "trigger": other.trigger,
        "cache_for": SECOND,
        "timeout": SECOND,
        "state_handlers": [print],
    }


def test_a_task_that_is_cached_from_now_on_gets_the_validator_that_goes_with_it():
    made = Task(name="one")
    found = []

    for option, value in (("cache", True), ("cache", None), ("cache_for", 60), ("cache_for", None)):
        setattr(made, option, value)
        found.append(made.cache_validator)

    assert found == [
        cache_validators.code_and_inputs,
        cache_validators.never_use,
        cache_validators.duration_only,
        cache_validators.never_use,
    ]


def test_how_a_task_waits_for_a_person_is_set_step_by_step_and_goes_with_its_trigger():
    made = Task(name="one")
    found = []

    for option, value in (
        ("trigger", triggers.manual_only),
        ("asks", "finance"),
        ("deadline", 60),
        ("otherwise", "skip"),
        ("trigger", None),
    ):
        setattr(made, option, value)
        found.append((made.asks, made.deadline, made.otherwise))

    minute = dt.timedelta(minutes=1)
    assert found == [
        (None, None, None),
        ("finance", None, None),
        ("finance", minute, "reject"),
        ("finance", minute, "skip"),
        (None, None, None),
    ]


def test_a_time_limit_that_was_set_as_a_number_holds():
    with Flow("f") as flow:
        found = same()
    found.timeout = 3

    assert flow.compile().specs["same"].timeout_s == 3
    assert flow.run(record=False).is_successful()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("executor", 5),
        ("executor", LocalExecutor),
        ("result", "folder"),
        ("state_handlers", print),
        ("on_failure", 5),
        ("terminal_state_handler", 5),
        ("cache", None),
    ],
)
def test_an_option_of_a_flow_is_refused_in_the_constructors_words(option, value):
    flow = Flow("one")
    before = vars(flow).copy()

    assert words_when_set(flow, option, value) == constructors_words(Flow, option, value)
    assert vars(flow) == before


@pytest.mark.parametrize("make", [same.copy, Task(name="one").copy])
def test_a_copy_has_handlers_of_its_own(make):
    before, after = make(), make()
    twin = after.copy()

    twin.state_handlers.append(print)

    assert (before.state_handlers, after.state_handlers, twin.state_handlers) == ([], [], [print])


def test_a_handler_of_one_call_is_not_called_for_another():
    seen = []

    def note(called, _, new):
        seen.append((called.slug, type(new).__name__))
        return new

    with Flow("f") as flow:
        first = same(task_args={"slug": "first"})
        same(first, task_args={"slug": "second"})
    first.state_handlers.append(note)
    flow.run(record=False)

    assert seen == [("first", "Running"), ("first", "Success")]


@pytest.mark.parametrize(("field", "value"), [("key", "y"), ("mapped", True), ("upstream_task", same)])
def test_an_edge_does_not_change(field, value):
    edge = Edge(Task(name="a"), same, "x")

    with pytest.raises(DefinitionError) as raised:
        setattr(edge, field, value)

    assert str(raised.value) == (
        f"<Edge x: a to same> doesn't change: {field}={value!r} was not set. Add another edge with flow.add_edge(...)."
    )
    assert edge == Edge(edge.upstream_task, same, "x")


def test_a_copied_or_pickled_edge_is_as_it_was():
    edge = Edge(Task(name="a"), Task(name="b"), "x", mapped=True, flattened=True)

    copied, pickled = copy.copy(edge), pickle.loads(pickle.dumps(edge))

    assert copied == edge
    assert (pickled.upstream_task.name, pickled.downstream_task.name, *pickled._fields()[2:], pickled._decides) == (
        "a",
        "b",
        "x",
        True,
        True,
        False,
    )
