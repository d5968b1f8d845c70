from __future__ import annotations

import asyncio
import datetime as dt
import threading

import pytest

import flowbook
from flowbook import Flow, Parameter, context, task
from flowbook._context import current_layer
from flowbook.engine import signals
from flowbook.exceptions import ContextKeyError
from tests.executors_of import everywhere


def test_the_context_is_an_object_of_the_package_and_no_module():
    assert repr(flowbook.context) == "<flowbook.context: empty>"


def test_values_are_read_by_attribute_by_key_and_with_a_default():
    with flowbook.context(key="abc") as seen:
        read = seen.key, flowbook.context["key"], flowbook.context.get("key"), flowbook.context.get("no", 3)

    assert read == ("abc", "abc", "abc", 3)
    assert "key" not in flowbook.context


def test_the_innermost_value_is_seen_and_the_outer_one_comes_back():
    with flowbook.context(key="outer", other=1):
        with flowbook.context(key="inner"):
            inside = flowbook.context.to_dict()
        after = flowbook.context.key

    assert (inside, after) == ({"key": "inner", "other": 1}, "outer")


def test_names_are_listed_for_completion():
    with flowbook.context(key="abc"):
        assert "key" in dir(flowbook.context)
        assert repr(flowbook.context) == "<flowbook.context: key>"


def test_another_thread_does_not_see_it():
    seen = []

    with flowbook.context(key="abc"):
        thread = threading.Thread(target=lambda: seen.append("key" in flowbook.context))
        thread.start()
        thread.join()

    assert seen == [False]


def test_async_tasks_each_see_their_own():
    async def one(value, meeting):
        with flowbook.context(key=value):
            await meeting.wait()
            return flowbook.context.key

    async def both():
        meeting = asyncio.Barrier(2)
        return await asyncio.gather(one("a", meeting), one("b", meeting))

    assert asyncio.run(both()) == ["a", "b"]


def test_a_key_that_is_not_set_is_an_attribute_and_a_key_that_is_missing():
    with pytest.raises(ContextKeyError) as caught:
        flowbook.context["key"]

    assert isinstance(caught.value, KeyError)
    assert not hasattr(flowbook.context, "key")


@everywhere
def test_inside_a_task_the_run_and_the_task_are_described(executor):
    names = ["flow_name", "flow_run_id", "task_name", "task_slug", "task_run_count", "parameters", "resume"]

    @task(slug="look-here")
    def look():
        return {name: flowbook.context[name] for name in names}, "map_index" in flowbook.context

    with Flow("f") as flow:
        Parameter("n", 1)()
        found = look()

    state = flow.run(executor=executor, n=4)

    seen, has_index = state.result[found].result
    assert seen == {
        "flow_name": "f",
        "flow_run_id": flow.last_run.run_id,
        "task_name": "look",
        "task_slug": "look-here",
        "task_run_count": 1,
        "parameters": {"n": 4},
        "resume": False,
    }
    assert has_index is False


@everywhere
def test_each_child_knows_its_index(executor):
    @task
    def look(x):
        return x, flowbook.context.map_index, flowbook.context.task_run_key

    with Flow("f") as flow:
        found = look.map(["a", "b"])

    state = flow.run(executor=executor)

    assert state.result[found].result == [("a", 0, "look[0]"), ("b", 1, "look[1]")]


@everywhere
def test_values_around_the_run_and_given_to_it_are_seen_by_its_tasks(executor):
    @task
    def look():
        return flowbook.context.around, flowbook.context.given

    with Flow("f") as flow:
        found = look()

    with flowbook.context(around=1, given="hidden"):
        state = flow.run(executor=executor, context={"given": 2})

    assert state.result[found].result == (1, 2)


def test_days_are_given_with_and_without_dashes():
    @task
    def look():
        c = flowbook.context
        return c.today, c.yesterday, c.tomorrow, c.today_nodash, c.date, c.scheduled_start_time

    with Flow("f") as flow:
        found = look()

    state = flow.run()

    today, yesterday, tomorrow, nodash, date, scheduled = state.result[found].result
    day = dt.date.fromisoformat(today)
    assert dt.date.fromisoformat(yesterday) + dt.timedelta(days=2) == dt.date.fromisoformat(tomorrow)
    assert (nodash, date.date()) == (today.replace("-", ""), day)
    assert scheduled.tzinfo is dt.UTC


@everywhere
def test_a_run_leaves_nothing_behind_in_the_context(executor):
    with Flow("f") as flow:
        task(lambda: 1, name="one")()

    flow.run(executor=executor)

    assert current_layer() is None


def test_the_context_can_be_made_a_dict():
    with context(key="abc", other=1):
        assert dict(context) == {"key": "abc", "other": 1}
        assert (list(context), len(context)) == (["key", "other"], 2)


def test_setting_an_item_says_how_values_are_set():
    with pytest.raises(AttributeError, match=r"Use `with flowbook.context\(key=\.\.\.\)`"):
        context["key"] = "abc"


@everywhere
def test_the_first_round_of_a_loop_has_no_result_so_far_so_that_a_default_is_taken(executor):
    @task
    def fibonacci(limit):
        payload = context.get("task_loop_result", {"n": 1, "below": 0})
        n, below = payload["n"], payload["below"]
        if n > limit:
            return below
        raise signals.LOOP(result={"n": n + below, "below": n})

    with Flow("f") as flow:
        found = fibonacci(100)

    assert flow.run(executor=executor).result[found].result == 89


def test_a_loop_whose_result_so_far_is_none_says_so():
    seen = []

    @task
    def twice():
        seen.append("task_loop_result" in context)
        if context.task_loop_count < 2:
            raise signals.LOOP

    with Flow("f") as flow:
        twice()
    flow.run()

    assert seen == [False, True]


@everywhere
def test_handlers_and_triggers_see_what_their_task_sees(executor):
    seen = []

    def see(_subject, _old, _new):
        seen.append((context.flow_name, context.get("task_slug"), context.get("map_index"), context.get("key")))

    def look(_states):
        seen.append((context.task_slug, context.parameters["origin"]))
        return True

    with Flow("f", state_handlers=[see]) as flow:
        task(lambda x: x, name="one", state_handlers=[see]).map([1])
        task(lambda x: x, name="two", trigger=look)(Parameter("origin", default="EWR"))
    with context(key="abc"):
        flow.run(executor=executor)

    assert set(seen) == {
        ("f", None, None, "abc"),
        ("f", "one", None, "abc"),
        ("f", "one", 0, "abc"),
        ("two", "EWR"),
    }
    assert current_layer() is None


@everywhere
def test_what_a_handler_logs_is_a_line_of_its_task(executor):
    def note(_subject, _old, new):
        if new.is_failed():
            context.logger.warning("attempt %d failed", context.task_run_count)

    with Flow("f") as flow:
        task(lambda: 1 / 0, name="one", state_handlers=[note], max_retries=1, retry_delay=0.001)()
    flow.run(executor=executor)

    assert [(line.key, line.text) for line in flow.last_run.logs()] == [
        ("one", "attempt 1 failed"),
        ("one", "attempt 2 failed"),
    ]
