"""What the engine promises, over every executor whose workers are other processes (engine.md, sections 4 to 7)."""

import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from flowbook import Flow, Parameter, context, run, task, triggers, unmapped
from flowbook.engine import signals
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Failed, RemoteError
from flowbook.executors import DaskExecutor

SOON = timedelta(milliseconds=1)


class TroubleError(ValueError):
    """An exception of the user's own module."""


def _endless(depth):
    return _endless(depth + 1)


class Fatal(BaseException):
    """One that `except Exception` does not see."""


@task
def numbers():
    return [1, 2, 3]


@task
def inc(x):
    return x + 1


@task
def add(x, y):
    return x + y


@task
def total(xs):
    return sum(xs)


@task
def fail():
    raise TroubleError("no luck")


def names_of(run, key):
    return [type(e.state).__name__ for e in run.events() if isinstance(e, StateChanged) and e.key == key]


def test_a_chain_a_map_and_a_reduce_give_their_values(executor):
    with Flow("delays") as flow:
        start = Parameter("start", default=5)
        mapped = add.map(numbers(), unmapped(inc(start)))
        result = total(inc.map(mapped))

    state = flow.run(executor=executor, start=10)

    assert state.is_successful()
    assert state.result[mapped].result == [12, 13, 14]
    assert state.result[result].result == 42
    assert names_of(flow.last_run, "total") == ["Running", "Success"]


def test_an_exception_comes_home_as_itself_with_the_workers_traceback(executor):
    with Flow("delays") as flow:
        failed = fail()
        below = inc(failed)

    state = flow.run(executor=executor)

    error = state.result[failed].result
    assert isinstance(error, TroubleError)
    assert str(error) == "no luck"
    assert "raise TroubleError" in error.__cause__.formatted
    assert type(state.result[below]).__name__ == "TriggerFailed"


def test_a_failed_attempt_is_made_again_and_only_for_what_is_retried(executor):
    @task(max_retries=2, retry_delay=SOON, retry_on=TroubleError)
    def flaky():
        if context.task_run_count < 3:
            raise TroubleError(context.task_run_count)
        return context.task_run_count

    with Flow("delays") as flow:
        found = flaky()

    state = flow.run(executor=executor)

    assert state.result[found].result == 3
    expected = ["Running", "Failed", "Retrying", "Running", "Failed", "Retrying", "Running", "Success"]
    assert names_of(flow.last_run, "flaky") == expected


@pytest.mark.parametrize(
    ("signal", "name"),
    [
        (signals.SKIP("not today"), "Skipped"),
        (signals.FAIL("bad"), "Failed"),
        (signals.SUCCESS("good", result=7), "Success"),
        (signals.VALIDATIONFAIL("wrong"), "ValidationFailed"),
        (signals.PAUSE("look"), "Paused"),
    ],
)
def test_signals_become_their_states(cluster, signal, name):
    @task
    def raise_it():
        raise signal

    with Flow("delays") as flow:
        raised = raise_it()

    state = flow.run(executor=DaskExecutor(cluster.scheduler_address)).result[raised]

    assert (type(state).__name__, state.message) == (name, signal.message)
    assert state.result == signal.options.get("result")


def test_a_loop_goes_on_with_its_result_so_far(executor):
    @task
    def count():
        if context.task_loop_count < 4:
            raise signals.LOOP(result=context.get("task_loop_result", 0) + context.task_loop_count)
        return context.task_loop_result

    with Flow("delays") as flow:
        counted = count()

    state = flow.run(executor=executor)

    assert state.result[counted].result == 6
    assert names_of(flow.last_run, "count") == ["Running", "Looped", "Looped", "Looped", "Success"]


def test_triggers_and_handlers_run_here_in_the_usual_order(executor):
    seen = []

    def handler(_, old, new):
        seen.append((type(old).__name__, type(new).__name__, os.getpid()))

    @task(trigger=triggers.any_failed, state_handlers=[handler])
    def tidy():
        return os.getpid()

    with Flow("delays") as flow:
        tidied = tidy(upstream_tasks=[fail()])

    state = flow.run(executor=executor)

    assert state.result[tidied].is_successful()
    here = os.getpid()
    assert seen == [("Pending", "Running", here), ("Running", "Success", here)]


def test_a_handler_may_stop_a_task_before_its_body_runs(executor, tmp_path):
    def stop(_, __, new):
        return Failed("Not now.") if new.is_running() else new

    @task(state_handlers=[stop])
    def write(path):
        Path(path).touch()

    with Flow("delays") as flow:
        written = write(str(tmp_path / "mark"))

    state = flow.run(executor=executor)

    assert state.result[written].message == "Not now."
    assert not (tmp_path / "mark").exists()


def test_prints_logs_and_the_context_are_those_of_the_task(executor):
    @task(log_stdout=True)
    def speak(x):
        print(f"{context.task_name} {context.map_index} {context.flow_name} {context.colour} {x}")  # noqa: T201
        context.logger.warning("careful")
        return context.flow_run_id

    with Flow("delays") as flow:
        spoken = speak.map(["a", "b"])

    state = flow.run(executor=executor, context={"colour": "red"})

    run = flow.last_run
    assert [log.text for log in run.logs("speak[1]")] == ["speak 1 delays red b", "careful"]
    assert [log.level for log in run.logs("speak[0]")] == [20, 30]
    assert state.result[spoken].result == [run.run_id] * 2


def test_a_manual_task_pauses_and_resumes_with_its_inputs(executor):
    @task(trigger=triggers.manual_only)
    def approve(x):
        return x * 2

    with Flow("delays") as flow:
        approved = approve(total(numbers()))

    paused = flow.run(executor=executor)
    resumed = flow.last_run.resume().wait(30)

    assert paused.is_paused()
    assert resumed.result[approved].result == 12


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: sys.exit(3), "SystemExit: 3"),
        (lambda: (_ for _ in ()).throw(KeyboardInterrupt()), "KeyboardInterrupt"),
        (lambda: (_ for _ in ()).throw(Fatal("deep")), "Fatal: deep"),
        (lambda: _endless(0), "RecursionError: maximum recursion depth exceeded"),
        (lambda: (i for i in range(3)), "UnpicklableError: A generator can't be pickled"),
    ],
    ids=["exit", "interrupt", "base", "recursion", "generator"],
)
def test_whatever_a_task_raises_fails_it_alone(cluster, act, said):
    @task
    def wild():
        return act()

    with Flow("delays") as flow:
        lost, fine = wild(), total(numbers())

    state = flow.run(executor=DaskExecutor(cluster.scheduler_address))

    assert state.result[lost].message.startswith(said)
    assert state.result[fine].result == 6


def test_exits_interrupts_and_unpicklable_results_fail_their_task_on_every_executor(executor):
    @task
    def wild(kind):
        if kind == "exit":
            sys.exit(3)
        if kind == "interrupt":
            raise KeyboardInterrupt
        if kind == "base":
            raise Fatal
        return threading.Lock()

    kinds = ["exit", "interrupt", "base", "lock"]
    with Flow("delays") as flow:
        mapped = wild.map(kinds)
        after = total(numbers())

    state = flow.run(executor=executor)

    names = [type(error).__name__ for error in state.result[mapped].result]
    assert names == ["SystemExit", "KeyboardInterrupt", "Fatal", "UnpicklableError"]
    assert state.result[after].result == 6


class Unreadable:
    """Pickles, and raises when it is unpickled."""

    def __reduce__(self):
        return _raise, ("can't be read",)


def _raise(text):
    raise Fatal(text)


def test_an_argument_that_cannot_be_unpickled_fails_the_task_that_gets_it(executor):
    @task
    def take(x):
        return x

    with Flow("delays") as flow:
        taken, fine = take(Unreadable()), total(numbers())

    state = flow.run(executor=executor)

    assert state.result[taken].message == "Fatal: can't be read"
    assert state.result[fine].result == 6


class StubbornError(Exception):
    """Pickles, and can't be made again."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def test_an_exception_that_cannot_travel_comes_as_its_stand_in(executor):
    @task
    def wild():
        raise StubbornError(1, 2)

    with Flow("delays") as flow:
        lost = wild()

    error = flow.run(executor=executor).result[lost].result

    assert isinstance(error, RemoteError)
    assert str(error) == "StubbornError: 1 and 2"


def test_a_flood_of_prints_is_cut_where_it_is_printed(executor):
    @task(log_stdout=True)
    def flood():
        print("x" * 1_000_000)  # noqa: T201
        for number in range(20_000):
            print(number)  # noqa: T201

    with Flow("delays") as flow:
        flood()

    state = flow.run(executor=executor)

    texts = [log.text for log in flow.last_run.logs("flood")]
    assert state.is_successful()
    assert texts[0] == "x" * 10_000 + "… (990,000 more characters were cut)"
    assert texts[-1] == "More than 10,000 lines: the rest is dropped."
    assert len(texts) == 10_001


def test_outputs_are_cached_over_every_executor(executor):
    @task(cache_for=timedelta(hours=1))
    def stamp(x):
        return time.time_ns() + x

    with Flow("delays") as flow:
        stamped = stamp(1)

    first = flow.run(executor=executor).result[stamped]
    second = flow.run(executor=executor).result[stamped]

    assert second.is_cached()
    assert second.result == first.result


def test_a_flow_that_was_recorded_can_be_read_when_its_workers_are_gone(executor):
    @task
    def large():
        return list(range(20_000))

    with Flow("delays") as flow:
        made = large()

    flow.run(executor=executor, record=True)
    found = run(flow.last_run.run_id)

    assert found[made.name].result == list(range(20_000))


def test_cancelling_starts_nothing_more(executor, tmp_path):
    @task
    def wait_for(folder, number):
        Path(folder, f"begun-{number}").touch()
        deadline = time.monotonic() + 20
        while not Path(folder, "go").exists() and time.monotonic() < deadline:
            time.sleep(0.005)

    with Flow("delays") as flow:
        wait_for.map(unmapped(str(tmp_path)), list(range(40)))

    run = flow.start(executor=executor)
    while not list(tmp_path.glob("begun-*")):
        time.sleep(0.005)
    run.cancel(by="me")
    (tmp_path / "go").touch()
    state = run.wait(30)

    begun = len(list(tmp_path.glob("begun-*")))
    assert state.is_cancelled()
    names = [type(run.states[f"wait_for[{i}]"]).__name__ for i in range(40)]
    assert names.count("Success") == begun
    assert set(names) <= {"Success", "Pending"}
    if "get" not in run.executor_text:
        assert begun <= 12


def test_timeouts_run_names_and_limits_hold_on_every_executor(executor, tmp_path):
    @task(timeout=0.05)
    def endless():
        while True:
            time.sleep(0.001)

    @task(task_run_name="number {x}")
    def named(x):  # noqa: ARG001  # the name is made of it
        return context.task_run_name

    @task(tags=["db"])
    def alone(folder):
        mark = Path(folder, "here")
        mark.touch(exist_ok=False)
        time.sleep(0.01)
        mark.unlink()

    with Flow("delays") as flow:
        late, called = endless(), named(inc(1))
        alone.map([str(tmp_path)] * 4)

    state = flow.run(executor=executor, limits={"db": 1})

    assert type(state.result[late]).__name__ == "TimedOut"
    assert state.result[called].result == "number 2"
    assert flow.last_run.state.message.startswith("endless failed: Took longer than ")
