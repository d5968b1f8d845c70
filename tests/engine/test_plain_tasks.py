"""Plain tasks take a short way. Whatever a flow does, its states and events are those of the usual way."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flowbook
from flowbook import Flow, Parameter, Task, task, triggers
from flowbook.engine import plain_tasks
from flowbook.engine.events import Logged, StateChanged
from flowbook.engine.plain_tasks import PlainTasks
from flowbook.engine.signals import LOOP, PAUSE, RETRY, SKIP, SUCCESS
from flowbook.engine.state import Cancelled, Failed, Paused, Success
from flowbook.executors import LocalDaskExecutor

#: What tasks of these flows do, by name; each takes the values of those above.
BODIES = {}


def body(function):
    BODIES[function.__name__] = function
    return function


@body
def returns(*values):
    return ("returns", *values)


@body
def returns_none(*_):
    return None


@body
def raises(*values):
    msg = f"no {len(values)}"
    raise ValueError(msg)


@body
def skips(*_):
    raise SKIP(message="not today")


@body
def pauses(*_):
    raise PAUSE(message="wait")


@body
def succeeds_early(*_):
    raise SUCCESS(message="done", result=7)


@body
def loops(*_):
    if flowbook.context.task_loop_count < 3:
        raise LOOP(result=flowbook.context.task_loop_count)
    return flowbook.context.task_loop_result


@body
def asks_again(*_):
    if flowbook.context.task_run_count < 2:
        raise RETRY
    return flowbook.context.task_run_count


@body
def exits(*_):
    raise SystemExit(3)


@body
def waits(*values):
    async def later():
        await asyncio.sleep(0)
        return values

    return later()


@body
def looks(*_):
    found = flowbook.context.to_dict()
    return {name: found[name] for name in sorted(found) if name.startswith("task_") or name in {"resume", "flow_name"}}


@body
def logs(*_):
    flowbook.context.logger.warning("a line of %s", flowbook.context.task_name)


@task
def same(x=1):
    return x


@body
def runs_a_flow(*_):
    with Flow("inner") as inner:
        found = same(2)
    return inner.run(record=False).result[found].result


@body
def cancels(*_):
    flowbook.context.cancel()


OPTIONS = {
    "plain": {},
    "retried": {"max_retries": 1, "retry_delay": 0},
    "always": {"trigger": triggers.all_finished},
    "on failure": {"trigger": triggers.any_failed},
    "handled": {"state_handlers": [lambda *_: None]},
    "captured": {"log_stdout": True},
    "not skipped": {"skip_on_upstream_skip": False},
    "limited": {"timeout": 60},
}


class Made(Task):
    """A task with any number of inputs."""

    def __init__(self, function, **options):
        self.function = BODIES[function]
        super().__init__(name=function, **options)

    def run(self, a=None, b=None, c=None):
        return self.function(*(each for each in (a, b, c) if each is not None))


@st.composite
def flows(draw):
    """Flows of up to eight tasks, most of them plain, each below up to three of those before."""
    with Flow("f") as flow:
        tasks = [Parameter("p", default=1)]
        flow.add_task(tasks[0])
        for _ in range(draw(st.integers(1, 8))):
            name = draw(st.sampled_from(["returns", *BODIES]))
            options = draw(st.sampled_from(["plain", "plain", "plain", *OPTIONS]))
            above = draw(st.lists(st.sampled_from(tasks), unique_by=id, max_size=3))
            if draw(st.integers(0, 9)) == 0 and above:
                tasks.append(same.map([1, 2], upstream_tasks=above[:1]))
            else:
                tasks.append(Made(name, **OPTIONS[options]).bind(**dict(zip("abc", above, strict=False))))
    return flow


@contextlib.contextmanager
def the_usual_way():
    with patch.object(PlainTasks, "run", lambda _, key: key):
        yield


def outcome(flow, **options):
    """Run a flow; return all that can be seen of it, without times."""
    state = flow.run(record=False, context={"cancel": lambda: flow.last_run.cancel(note="a task")}, **options)
    run = flow.last_run
    return {
        "flow": seen(state),
        "states": {key: seen(each) for key, each in run.states.items()},
        "events": [
            (event.seq, event.key, seen(event.state) if isinstance(event, StateChanged) else repr(event))
            for event in run.events()
        ],
    }


def seen(state):
    result = None if isinstance(state.raw_result, dict) and state.result and isinstance(state, Failed) else state.result
    if isinstance(result, dict) and any(isinstance(key, Task) for key in result):
        result = {key.name: type(each).__name__ for key, each in result.items()}
    cached = {name: repr(value) for name, value in state.cached_inputs.items()}
    return type(state).__name__, state.message, repr(result), cached, dict(state.context)


@settings(max_examples=150)
@given(flows())
def test_states_and_events_are_those_of_the_usual_way(flow):
    short = outcome(flow)
    with the_usual_way():
        usual = outcome(flow)

    assert short == usual


@settings(max_examples=25)
@given(flows())
def test_on_threads_every_task_ends_as_in_the_usual_way(flow):
    if any(each.name == "cancels" for each in flow.tasks):
        return

    short = outcome(flow, executor=LocalDaskExecutor("threads", num_workers=3))
    with the_usual_way():
        usual = outcome(flow)

    assert (short["flow"], short["states"]) == (usual["flow"], usual["states"])
    assert [seq for seq, _, _ in short["events"]] == list(range(1, len(short["events"]) + 1))


def chain(length):
    with Flow("chain") as flow:
        found = same()
        for _ in range(length - 1):
            found = same(found)
    return flow


def calls_of(flow, **options):
    """Run a flow; return how many calls were made the short way."""
    with patch.object(plain_tasks, "call_plainly", wraps=plain_tasks.call_plainly) as call:
        flow.run(record=False, **options)
    return call.call_count


def test_a_flow_of_plain_tasks_takes_the_short_way():
    assert calls_of(chain(5)) == 5


@pytest.mark.parametrize(
    "options",
    [
        {"state_handlers": [lambda *_: None]},
        {"context": {"secrets": {"password": "hunter22"}}},
        {"start_tasks": ["same"]},
    ],
    ids=["handlers", "secrets", "start"],
)
def test_a_run_with_anything_to_look_after_takes_the_usual_way(options):
    assert calls_of(chain(3), **options) == 0


def test_a_worker_that_found_nothing_to_do_looks_again():
    begun = threading.Barrier(2)

    def meets():
        begun.wait(30)

    with Flow("f") as flow:
        first = task(meets, name="first")()
        second = task(meets, name="second")()
        for name in ("third", "fourth"):
            task(meets, name=name)(upstream_tasks=[first, second])

    state = flow.run(record=False, executor=LocalDaskExecutor("threads", num_workers=2))

    assert [type(each) for each in state.result.values()] == [Success] * 4


def test_limits_hold_for_plain_tasks():
    running = []

    def enter():
        running.append(1)
        most.append(len(running))
        running.pop()

    most = []
    with Flow("f") as flow:
        for _ in range(6):
            task(enter, tags=["one"])()

    calls = calls_of(flow, executor=LocalDaskExecutor("threads", num_workers=3), limits={"one": 1})

    assert (calls, most) == (6, [1] * 6)


def test_a_run_that_somebody_listens_to_takes_the_usual_way_from_then_on():
    heard = []

    class Sink:
        def emit(self, event):
            heard.append((event.seq, event.key, type(event.state).__name__))

    def listens(x=None):
        if x is None:
            flow.last_run.subscribe(Sink())
        return 1

    with Flow("f") as flow:
        same(same(task(listens)()))
    calls = calls_of(flow)

    assert (calls, [name for _, _, name in heard]) == (
        1,
        ["Success", "Running", "Success", "Running", "Success", "Success"],
    )
    assert [seq for seq, _, _ in heard] == list(range(3, 9))


def test_a_plain_task_that_fails_is_retried_and_told_as_in_the_usual_way():
    with Flow("f") as flow:
        Made("raises", max_retries=1, retry_delay=0).bind()

    short = outcome(flow)

    names = [what[0] for _, key, what in short["events"] if key == "raises"]
    assert names == ["Running", "Failed", "Retrying", "Running", "Failed"]


def test_a_thread_that_outlives_a_plain_task_keeps_its_context_and_says_nothing_more():
    go_on, found = threading.Event(), []

    def starts():
        copied = flowbook._context.current_layer()

        def later():
            assert go_on.wait(30)
            with contextlib.ExitStack() as stack:
                token = flowbook._context.enter_layer(copied)
                stack.callback(flowbook._context.leave_layer, token)
                found.append(flowbook.context.task_name)
                flowbook.context.logger.warning("too late")

        thread = threading.Thread(target=later)
        thread.start()
        return thread

    with Flow("f") as flow:
        started = task(starts)()
        same(upstream_tasks=[started])
    state = flow.run(record=False)
    go_on.set()
    state.result[started].result.join()

    assert found == ["starts"]
    assert [event for event in flow.last_run.events() if isinstance(event, Logged)] == []


def test_a_plain_task_that_cancels_its_run_is_the_last_one():
    with Flow("f") as flow:
        Made("returns").bind(a=Made("cancels").bind())

    def cancel():
        flow.last_run.cancel()

    state = flow.run(record=False, context={"cancel": cancel})

    states = [type(each).__name__ for each in flow.last_run.states.values()]
    assert (type(state), states) == (Cancelled, ["Success", "Pending"])


def test_a_paused_plain_task_is_resumed_with_its_inputs():
    with Flow("f") as flow:
        Made("pauses").bind(a=Made("returns").bind())
    flow.run(record=False)

    paused = flow.last_run["pauses"]

    assert (type(paused), paused.cached_inputs) == (Paused, {"a": ("returns",)})


def test_values_pass_as_they_are():
    value = object()
    with Flow("f") as flow:
        first = task(lambda: value, name="first")()
        second = task(lambda x: x, name="second")(first)

    state = flow.run(record=False)

    assert state.result[second] == Success(result=value)
    assert state.result[second].result is value
