from __future__ import annotations

import datetime as dt
import threading
from collections import Counter

import pytest

from flowbook import Flow, Parameter, task, unmapped
from flowbook.engine import cache_validators
from flowbook.engine.ports import OutputCache
from flowbook.engine.state import Cached, Failed, Success
from flowbook.engine.task_runner import TaskRunner
from flowbook.exceptions import StoreError
from flowbook.store import MemoryStore
from tests.executors_of import everywhere

HOUR = dt.timedelta(hours=1)


class _Failing:
    """An index whose disk is full, for finding or for recording."""

    def __init__(self, step, error):
        self.step = step
        self.error = error

    def find(self, *_):
        if self.step == "find":
            raise self.error
        return []

    def record(self, _):
        raise self.error

    def used(self, _):
        raise self.error


@pytest.mark.parametrize("step", ["find", "record"])
@pytest.mark.parametrize("error", [StoreError("The disk is full."), OSError("disk full")], ids=["ours", "the system's"])
def test_a_cache_that_does_not_work_costs_the_cache_and_not_the_task(step, error):
    runner = TaskRunner(task(lambda: 5, name="load", cache_for=HOUR))
    runner.cache = OutputCache(MemoryStore().values, _Failing(step, error), "test")

    found = runner.run()

    assert (found.is_successful(), found.result) == (True, 5)
    assert found.message == f"Not cached: {error}"


def cached_flow(name, ran, **options):
    @task(cache_for=HOUR, **options)
    def load(x=1):
        ran.append(x)
        return x

    with Flow(name) as flow:
        load(1)
    return flow


def test_a_second_run_uses_the_output_of_the_first_and_stores_nothing_again():
    ran = []
    flow = cached_flow("f", ran)

    first = flow.run()
    second = flow.run()

    (one,), (two,) = first.result.values(), second.result.values()
    assert (ran, type(one), type(two), two.result) == ([1], Cached, Cached, 1)
    assert (two.entry, two.expiry) == (one.entry, one.expiry)
    assert [type(event.state).__name__ for event in flow.last_run.events() if event.key == "load"] == ["Cached"]


def test_a_flow_of_another_name_has_outputs_of_its_own_unless_a_cache_key_is_shared():
    ran, shared = [], []

    for name in ("a", "b"):
        cached_flow(name, ran).run()
        cached_flow(name, shared, cache_key="everywhere").run()

    assert (ran, shared) == ([1, 1], [1])


def test_a_validator_of_the_users_gets_values_and_decides():
    seen, ran = [], []

    def mine(entry, inputs, parameters):
        seen.append((entry.result, inputs, parameters))
        return False

    flow = cached_flow("f", ran, cache_validator=mine)
    flow.run()
    flow.run()

    assert (seen, ran) == ([(1, {"x": 1}, {})], [1, 1])


def test_a_validator_that_raises_fails_the_task_with_its_name():
    def broken(*_):
        raise KeyError("x")

    ran = []
    flow = cached_flow("f", ran, cache_validator=broken)
    flow.run()

    state = flow.run(record=False)

    (found,) = state.result.values()
    assert (type(found), found.message) == (Failed, "Cache validator broken raised KeyError: 'x'")
    assert ran == [1]


def test_an_output_that_cannot_be_pickled_is_not_cached_and_says_so():
    @task(cache_for=HOUR)
    def load():
        return threading.Lock()

    with Flow("f") as flow:
        x = load()

    state = flow.run()

    found = state.result[x]
    assert (type(found), found.message.split(":")[0]) == (Success, "Not cached")


def test_an_input_that_has_no_content_hash_keeps_the_output_from_the_cache_and_not_the_task_from_its_run():
    @task
    def lock():
        return threading.Lock()

    @task(cache_for=HOUR, cache_validator=cache_validators.all_inputs)
    def load(x):
        return x.locked()

    with Flow("f") as flow:
        found = load(lock())

    first, second = flow.run(record=False), flow.run(record=False)

    assert [each.result[found].is_successful() for each in (first, second)] == [True, True]
    assert first.result[found].message.split(":")[0] == "Not cached"


def test_a_validator_that_says_what_it_compares_is_asked_about_nothing_else():
    asked, ran = [], []

    def same_x(entry, *_):
        asked.append(entry.input_hashes)
        return True

    same_x.compares = ("x",)

    @task(cache_for=HOUR, cache_validator=same_x)
    def load(x, y):
        ran.append((x, y))
        return x

    for x, y in ((1, 1), (2, 1), (1, 2)):
        with Flow("f") as flow:
            load(x, y)
        flow.run()

    assert ran == [(1, 1), (2, 1)]
    assert len(asked) == 1


def test_what_never_serves_is_not_even_looked_for(monkeypatch):
    ran = []
    flow = cached_flow("f", ran, cache_validator=cache_validators.never_use)
    monkeypatch.setattr("flowbook.store.cache_lookup.CacheLookup.find", lambda *_: pytest.fail("It was looked for."))

    flow.run()
    flow.run()

    assert ran == [1, 1]


@everywhere
def test_children_are_given_outputs_of_the_same_element_only(executor):
    runs = Counter()

    @task(cache_for=HOUR)
    def square(x, scale):
        runs[x] += 1
        return x * x * scale

    with Flow("squares") as flow:
        items = Parameter("items")
        squares = square.map(items, unmapped(1))

    found = [
        flow.run(items=given, executor=executor, record=False).result[squares].result
        for given in ([1, 2, 3], [3, 2, 1], [1, 4])
    ]

    assert found == [[1, 4, 9], [9, 4, 1], [1, 16]]
    assert runs == {1: 1, 2: 1, 3: 1, 4: 1}


def test_a_copy_that_is_cached_uses_its_cache():
    runs = []

    @task
    def one():
        runs.append(1)
        return 1

    with Flow("copies") as flow:
        one(task_args={"cache_for": HOUR})
    flow.run(record=False)
    flow.run(record=False)

    assert len(runs) == 1


@everywhere
def test_what_a_task_makes_of_its_inputs_changes_nothing_at_the_next_look_up(executor):
    ran = Counter()

    @task
    def rows():
        return [1, 2]

    @task(cache_for=HOUR, cache_validator=cache_validators.all_inputs)
    def extend(rows):
        ran["extend"] += 1
        rows.append(3)
        return rows

    with Flow("extended") as flow:
        extended = extend(rows())

    found = [flow.run(executor=executor, record=False).result[extended].result for _ in range(2)]

    assert found == [[1, 2, 3], [1, 2, 3]]
    assert ran == {"extend": 1}
