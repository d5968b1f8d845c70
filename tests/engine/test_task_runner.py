from __future__ import annotations

import datetime as dt

import pytest

import flowbook
from flowbook import Edge, Flow, Task, task, triggers
from flowbook.engine import signals
from flowbook.engine.state import (
    Failed,
    Mapped,
    Paused,
    Pending,
    Resume,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    Submitted,
    Success,
    TriggerFailed,
)
from flowbook.engine.state_handlers import call_handlers
from flowbook.engine.task_call import is_in_user_code
from flowbook.engine.task_runner import TaskRunner
from tests.executors_of import everywhere


@task
def source():
    return 0


@task
def double(x):
    return 2 * x


def kinds(runner):
    return [type(state).__name__ for state in runner.history]


def above(state, target=double, key="x"):
    return {Edge(source, target, key): state}


def test_a_task_runs_by_itself_without_flow_store_or_notebook():
    runner = TaskRunner(double)

    state = runner.run(upstream_states=above(Success(result=4)))

    assert (type(state), state.result, kinds(runner)) == (Success, 8, ["Running", "Success"])


@pytest.mark.parametrize(
    ("state", "upstream", "expected"),
    [
        (Pending(), Running(), "Pending"),
        (Pending(), Pending(), "Pending"),
        (Success(result=3), Success(result=1), "Success"),
        (Failed(), Success(result=1), "Failed"),
        (Running(), Success(result=1), "Running"),
        (Paused(), Success(result=1), "Paused"),
        (Scheduled(start_time=dt.datetime(2999, 1, 1, tzinfo=dt.UTC)), Success(result=1), "Scheduled"),
        (Pending(), Skipped(), "Skipped"),
        (Pending(), Failed(), "TriggerFailed"),
        (Submitted(state=Pending()), Success(result=1), "Success"),
        (Retrying(), Success(result=1), "Success"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_run_ends_where_it_may_not_go_on(state, upstream, expected):
    found = TaskRunner(double).run(state, above(upstream))

    assert type(found).__name__ == expected


def test_a_state_that_rests_is_returned_as_it_is_and_not_told():
    state, runner = Success(result=3), TaskRunner(double)

    found = runner.run(state, above(Success(result=1)))

    assert (found is state, runner.history) == (True, [])


def test_inputs_kept_on_the_state_win_over_upstream_values():
    found = TaskRunner(double).run(Pending(cached_inputs={"x": 10}), above(Success(result=1)))

    assert found.result == 20


def test_an_input_that_cannot_be_loaded_fails_the_task():
    class Broken(Success):
        @property
        def result(self):
            raise OSError("gone")

    found = TaskRunner(double).run(upstream_states=above(Broken()))

    assert repr(found) == "<Failed: 'OSError: gone'>"


def test_the_trigger_is_asked_with_the_edges():
    seen = []

    @task(trigger=lambda states: seen.append(states) or True)
    def held(x):
        return x

    states = above(Failed(result=1), held)
    found = TaskRunner(held).run(upstream_states=states)

    assert (seen, type(found)) == ([states], Success)


def test_a_paused_task_keeps_its_inputs_and_goes_on_with_them():
    @task(trigger=triggers.manual_only)
    def approve(x):
        return x

    found = TaskRunner(approve).run(upstream_states=above(Success(result=4), approve))

    assert (type(found), found.cached_inputs) == (Paused, {"x": 4})


def test_attempts_are_counted_and_the_last_failure_stays():
    work = task(lambda: 1 / 0, name="work", max_retries=1, retry_delay=0)
    runner = TaskRunner(work)

    first = runner.run()
    told = kinds(runner)
    second = runner.run(first)

    assert (told, first.run_count) == (["Running", "Failed", "Retrying"], 1)
    assert first.message == "ZeroDivisionError: division by zero. Attempt 2 of 2 follows."
    assert (type(second), kinds(runner)) == (Failed, ["Running", "Failed"])


def test_a_round_of_a_loop_says_how_many_were_made():
    @task
    def thrice():
        if flowbook.context.task_loop_count < 3:
            raise signals.LOOP(result=flowbook.context.task_loop_count)
        return flowbook.context.task_loop_result

    runner = TaskRunner(thrice)

    found = runner.run()

    assert found.result == 2
    assert [(s.loop_count, s.result) for s in runner.history if s.is_looped()] == [(1, 1), (2, 2)]


def test_the_context_that_is_given_is_seen_inside_and_only_there():
    look = task(lambda: (flowbook.context.key, flowbook.context.task_name), name="look")

    found = TaskRunner(look).run(context={"key": "abc"})

    assert found.result == ("abc", "look")
    assert "key" not in flowbook.context


def test_handlers_of_the_runner_come_after_the_tasks_own():
    order = []
    work = task(lambda: 1, name="work", state_handlers=[lambda *_: order.append("own")])

    TaskRunner(work, state_handlers=[lambda *_: order.append("runner")]).run()

    assert order == ["own", "runner"] * 2


def test_a_handler_that_raises_a_signal_asks_for_its_state():
    def skip(_, __, new):
        if new.is_running():
            raise signals.SKIP("not now")

    found = call_handlers((skip,), None, Pending(), Running())

    assert repr(found) == "<Skipped: 'not now'>"


def test_the_border_around_user_code_is_found_on_the_stack():
    import sys  # noqa: PLC0415

    look = task(lambda: is_in_user_code(sys._getframe()), name="look")

    inside = TaskRunner(look).run().result

    assert (inside, is_in_user_code(sys._getframe())) == (True, False)


def test_a_subclass_with_a_run_is_a_task():
    class Add(Task):
        def __init__(self, amount, **options):
            super().__init__(**options)
            self.amount = amount

        def run(self, x):
            return x + self.amount

    add = Add(5)
    found = TaskRunner(add).run(upstream_states={Edge(source, add, "x"): Success(result=1)})

    assert (found.result, add.name, list(add.inputs())) == (6, "Add", ["x"])


def test_a_trigger_that_asks_to_be_asked_again_counts_how_often():
    def later(_):
        raise signals.RETRY

    work = task(lambda: 1, name="work", trigger=later)
    first = TaskRunner(work).run()
    second = TaskRunner(work).run(first)
    third = TaskRunner(work).run(second)

    assert [state.run_count for state in (first, second, third)] == [1, 2, 3]
    assert (third.start_time - third.timestamp).total_seconds() == pytest.approx(1, abs=0.5)


def test_a_failed_trigger_is_told_once():
    runner = TaskRunner(double)

    found = runner.run(upstream_states=above(Failed()))

    assert (type(found), kinds(runner)) == (TriggerFailed, ["TriggerFailed"])


# A state that is resumed, retried or looped


@everywhere
def test_a_resume_state_passes_the_trigger_that_holds_the_task_back(executor):
    @task(trigger=triggers.manual_only)
    def ok(x):
        return x, flowbook.context.resume

    with Flow("f") as flow:
        found = ok(3)

    state = flow.run(task_states={found: Resume()}, executor=executor)

    assert (type(state), state.result[found].result) == (Success, (3, True))


@everywhere
def test_a_handler_that_makes_resume_of_paused_lets_the_task_run_once(executor):
    seen = []

    def go_on(_task, _old, new):
        seen.append(type(new).__name__)
        return Resume() if isinstance(new, Paused) else None

    with Flow("f") as flow:
        found = task(lambda: 1, name="ok", trigger=triggers.manual_only, state_handlers=[go_on])()

    state = flow.run(executor=executor)

    assert (type(state), state.result[found].result) == (Success, 1)
    assert seen == ["Paused", "Running", "Success"]


@everywhere
@pytest.mark.parametrize("ask", ["raise", "return"])
def test_attempts_are_counted_however_a_handler_asks_for_another(executor, ask):
    seen = []

    def again(_task, _old, new):
        if not new.is_failed():
            return None
        if ask == "raise":
            raise signals.RETRY("again", start_time=new.timestamp)
        return Retrying("again", start_time=new.timestamp)

    @task(state_handlers=[again])
    def works():
        seen.append(flowbook.context.task_run_count)
        if len(seen) < 5:
            raise ValueError

    with Flow("f") as flow:
        works()

    assert (type(flow.run(executor=executor)), seen) == (Success, [1, 2, 3, 4, 5])


@everywhere
@pytest.mark.parametrize("how", ["retry", "signal", "pause"])
def test_a_retry_within_a_loop_begins_with_the_round_that_failed(executor, how):
    seen = []

    @task(max_retries=1, retry_delay=dt.timedelta(0))
    def counts():
        number, before = flowbook.context.task_loop_count, flowbook.context.get("task_loop_result")
        seen.append((number, before))
        if len(seen) == 3:
            if how == "pause":
                raise signals.PAUSE(start_time=Success().timestamp)
            raise signals.RETRY if how == "signal" else ValueError
        if number < 4:
            raise signals.LOOP(result=f"round {number}")
        return before

    with Flow("f") as flow:
        found = counts()

    state = flow.run(executor=executor)

    rounds = [(1, None), (2, "round 1"), (3, "round 2"), (3, "round 2"), (4, "round 3")]
    assert (type(state), state.result[found].result, seen) == (Success, "round 3", rounds)


def test_the_runner_waits_for_children_of_a_mapped_task_above():
    state = TaskRunner(double).run(upstream_states=above(Mapped(map_states=[Retrying(), Success()])))

    assert repr(state) == "<Pending: 'Waits for children of a mapped task above.'>"
