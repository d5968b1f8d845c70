from __future__ import annotations

import asyncio
import datetime as dt
import pickle
import threading

import pytest

import flowbook
from flowbook import Flow, Parameter, context, task
from flowbook._context import current_layer
from flowbook.engine import signals
from flowbook.exceptions import ContextKeyError, DefinitionError
from flowbook.executors import LocalDaskExecutor
from tests.executors_of import everywhere
from tests.interpreters import restless


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


def test_each_thread_and_each_task_sees_its_own_values_however_often_threads_switch():
    def own(number):
        with context(number=number):
            return [context.number for _ in range(50)] == [number] * 50

    with Flow("own") as flow:
        seen = task(lambda number: (context.map_index, own(number)), name="see").map(list(range(100)))

    with restless():
        state = flow.run(executor=LocalDaskExecutor("threads", num_workers=4))

    assert state.result[seen].result == [(number, True) for number in range(100)]


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
    names = ["flow_name", "flow_run_id", "task_name", "task_full_name", "task_slug", "task_run_count", "map_index"]
    names += ["parameters", "resume"]

    @task(slug="look-here")
    def look():
        return {name: flowbook.context[name] for name in names}

    with Flow("f") as flow:
        Parameter("n", 1)()
        found = look()

    state = flow.run(executor=executor, n=4)

    assert state.result[found].result == {
        "flow_name": "f",
        "flow_run_id": flow.last_run.run_id,
        "task_name": "look",
        "task_full_name": "look",
        "map_index": None,
        "task_slug": "look-here",
        "task_run_count": 1,
        "parameters": {"n": 4},
        "resume": False,
    }


@everywhere
def test_each_child_knows_its_index(executor):
    @task
    def look(x):
        return x, flowbook.context.map_index, flowbook.context.task_run_key, flowbook.context.task_full_name

    with Flow("f") as flow:
        found = look.map(["a", "b"])

    state = flow.run(executor=executor)

    assert state.result[found].result == [("a", 0, "look[0]", "look[0]"), ("b", 1, "look[1]", "look[1]")]


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


def test_values_may_come_in_a_dict_and_keywords_win():
    with flowbook.context({"a": 1, "not a name": 2}, a=3):
        assert flowbook.context.to_dict() == {"a": 3, "not a name": 2}


@pytest.mark.parametrize("values", [5, "ab", [("a", 1)], {1: 2}])
def test_what_is_no_dict_by_name_is_refused_with_its_value(values):
    with pytest.raises(DefinitionError) as refused:
        flowbook.context(values)

    assert str(refused.value) == (
        f"context({values!r}) isn't a dict by name. Write context(key='abc') or context({{'key': 'abc'}})."
    )


@everywhere
@pytest.mark.parametrize(
    ("date", "days"),
    [
        ("2020-01-02 00:00:00", ("2020-01-02", "2020-01-01", "2020-01-03", "20200102")),
        ("2020-02-29", ("2020-02-29", "2020-02-28", "2020-03-01", "20200229")),
        (dt.date(2020, 1, 2), ("2020-01-02", "2020-01-01", "2020-01-03", "20200102")),
        (dt.datetime(2020, 1, 2, 23, tzinfo=dt.UTC), ("2020-01-02", "2020-01-01", "2020-01-03", "20200102")),
    ],
)
def test_the_days_are_those_around_the_date_that_a_run_is_given(executor, date, days):
    @task
    def look():
        return context.date, (context.today, context.yesterday, context.tomorrow, context.today_nodash)

    with Flow("f") as flow:
        found = look()

    with context(date=date):
        around = flow.run(executor=executor)
    given = flow.run(executor=executor, context={"date": date})

    assert [state.result[found].result for state in (around, given)] == [(date, days)] * 2


def test_a_day_around_the_run_is_seen_and_what_a_run_has_of_its_own_is_not():
    @task
    def look():
        return context.today, context.flow_name

    with Flow("f") as flow:
        found = look()

    with context(today="2020-01-02", flow_name="other"):
        state = flow.run()

    assert state.result[found].result == ("2020-01-02", "f")


def test_a_flow_within_a_task_has_the_date_of_the_run_around_and_its_own_name():
    with Flow("inner") as inner:
        look = task(lambda: (context.today, context.flow_name), name="look")()

    @task
    def outer():
        return inner.run().result[look].result

    with Flow("outer") as flow:
        found = outer()

    assert flow.run(context={"date": "2020-01-02"}).result[found].result == ("2020-01-02", "inner")


def in_a_thread(call):
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


@everywhere
def test_a_tasks_logger_works_in_a_thread_of_the_tasks_own(executor):
    @task
    def works():
        logger = context.logger
        in_a_thread(lambda: logger.warning("from the thread"))

    with Flow("f") as flow:
        works()
    flow.run(executor=executor)

    assert [(line.key, line.text) for line in flow.last_run.logs()] == [("works", "from the thread")]


def test_a_thread_that_asks_for_the_context_itself_is_told_how_to_get_it():
    def ask():
        try:
            return context.logger
        except ContextKeyError as error:
            return str(error)

    assert in_a_thread(ask) == (
        "The context is empty here, so it has no 'logger'. It holds values inside a run and inside `with "
        "flowbook.context(logger=...)`, but not in a thread that a task starts itself: read the value first and hand it to the "
        "thread, or start the thread with target=contextvars.copy_context().run."
    )


def test_a_tasks_logger_can_be_pickled_as_the_logger_of_its_name():
    with Flow("f") as flow:
        found = task(lambda: pickle.loads(pickle.dumps(context.logger)).name, name="one")()

    assert flow.run().result[found].result == "flowbook.task.one"
