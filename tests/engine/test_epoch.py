from __future__ import annotations

import datetime as dt
import threading
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowbook import Flow, Parameter, Task, flatten, task, triggers, unmapped
from flowbook.engine import signals
from flowbook.engine.events import Logged, StateChanged
from flowbook.engine.state import (
    Cached,
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    Success,
    TriggerFailed,
)
from flowbook.exceptions import HandlerError, RunError
from flowbook.executors import LocalDaskExecutor
from tests.executors_of import everywhere

AT_ONCE = dt.timedelta(0)


@task
def one():
    return 1


@task
def numbers():
    return [1, 2, 3]


@task
def double(x):
    return 2 * x


@task
def total(items):
    return sum(items)


@task
def boom(x=None):
    msg = f"no {x}"
    raise ValueError(msg)


@task
def fails_on_two(x):
    if x == 2:
        msg = "it is two"
        raise ValueError(msg)
    return x


def told(run, key):
    """Return the names of the states a task went through, in order."""
    return [type(e.state).__name__ for e in run.events() if isinstance(e, StateChanged) and e.key == key]


# Values and states


@everywhere
def test_values_go_from_task_to_task(executor):
    with Flow("f") as flow:
        k = Parameter("k", 10)
        result = total(double.map(numbers()))
        scaled = double(k)

    state = flow.run(executor=executor, k=7)

    assert state.is_successful()
    assert (state.result[result].result, state.result[scaled].result) == (12, 14)


@everywhere
def test_each_task_goes_from_pending_over_running_to_success(executor):
    with Flow("f") as flow:
        double(one())

    flow.run(executor=executor)

    run = flow.last_run
    assert [told(run, key) for key in ("", "one", "double")] == [["Running", "Success"]] + [["Running", "Success"]] * 2


@everywhere
def test_events_are_numbered_without_a_gap(executor):
    with Flow("f") as flow:
        total(double.map(numbers()))

    flow.run(executor=executor)

    numbers_seen = [event.seq for event in flow.last_run.events()]
    assert numbers_seen == list(range(1, len(numbers_seen) + 1))


@everywhere
def test_a_flow_that_takes_nothing_and_does_nothing_succeeds(executor):
    flow = Flow("empty")

    state = flow.run(executor=executor)

    assert (type(state), state.result) == (Success, {})


@everywhere
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, SystemExit, RecursionError, GeneratorExit, BaseException, MemoryError, StopIteration]
)
def test_whatever_task_code_raises_fails_that_task_and_stops_no_other(executor, error):
    @task
    def rude():
        raise error("rude")

    with Flow("f") as flow:
        bad, good = rude(), double(one())

    state = flow.run(executor=executor)

    assert state.is_failed()
    assert state.message == f"rude failed: {error.__name__}: rude."
    assert state.result[bad].message == f"{error.__name__}: rude"
    assert type(state.result[bad].result) is error
    assert state.result[good].result == 2


@everywhere
def test_a_task_that_recurses_without_end_fails_alone(executor):
    @task
    def deep(n):
        return deep.run(n + 1)

    with Flow("f") as flow:
        bad, good = deep(0), one()

    state = flow.run(executor=executor)

    assert type(state.result[bad].result) is RecursionError
    assert state.result[good].is_successful()


@everywhere
def test_an_exception_whose_text_cannot_be_made_still_fails_only_its_task(executor):
    class UnspeakableError(Exception):
        def __str__(self):
            raise RuntimeError

    @task
    def unspeakable():
        raise UnspeakableError

    with Flow("f") as flow:
        bad, good = unspeakable(), one()

    state = flow.run(executor=executor)

    assert state.result[bad].is_failed()
    assert "UnspeakableError" in state.result[bad].message
    assert state.result[good].is_successful()


@everywhere
def test_the_traceback_of_a_failure_is_kept(executor):
    with Flow("f") as flow:
        bad = boom(3)

    state = flow.run(executor=executor)

    error = state.result[bad].result
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert trace.tb_frame.f_code.co_name == "boom"


@everywhere
def test_an_async_run_is_awaited(executor):
    @task
    async def later(x):
        return x + 1

    with Flow("f") as flow:
        x = later(1)

    state = flow.run(executor=executor)

    assert state.result[x].result == 2


# Triggers and skipping


@everywhere
def test_what_lies_below_a_failure_does_not_run(executor):
    ran = []

    @task
    def below(x):
        ran.append(x)

    with Flow("f") as flow:
        b = below(boom())

    state = flow.run(executor=executor)

    assert ran == []
    assert type(state.result[b]) is TriggerFailed
    assert state.result[b].message == "boom failed."


@everywhere
@pytest.mark.parametrize(
    ("trigger", "outcome"),
    [
        (triggers.all_successful, TriggerFailed),
        (triggers.all_failed, TriggerFailed),
        (triggers.all_finished, Success),
        (triggers.always_run, Success),
        (triggers.any_successful, Success),
        (triggers.any_failed, Success),
        (triggers.not_all_skipped, TriggerFailed),
        (triggers.some_failed(at_least=1, at_most=1), Success),
        (triggers.some_successful(at_least=0.9), TriggerFailed),
        (triggers.manual_only, Paused),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_reduce_sees_its_failed_children_and_its_trigger_decides(executor, trigger, outcome):
    @task(trigger=trigger)
    def collect(items):
        return [type(item).__name__ for item in items]

    with Flow("f") as flow:
        collected = collect(fails_on_two.map(numbers()))

    state = flow.run(executor=executor)

    assert type(state.result[collected]) is outcome
    if outcome is Success:
        assert state.result[collected].result == ["int", "ValueError", "int"]


@everywhere
def test_a_skip_takes_what_lies_below_with_it_unless_it_says_otherwise(executor):
    @task
    def skips():
        raise signals.SKIP("not today")

    @task(skip_on_upstream_skip=False)
    def stays(x):
        return x

    with Flow("f") as flow:
        s = skips()
        goes, kept = double(double(s)), stays(s)

    state = flow.run(executor=executor)

    assert state.is_successful()
    assert repr(state.result[goes]) == "<Skipped: 'double was skipped.'>"
    assert (type(state.result[kept]), state.result[kept].result) == (Success, None)


@everywhere
def test_a_skipped_child_skips_its_own_branch_and_the_reduce(executor):
    @task
    def skips_two(x):
        if x == 2:
            raise signals.SKIP
        return x

    with Flow("f") as flow:
        s = skips_two.map(numbers())
        d = double.map(s)
        t = total(d)

    state = flow.run(executor=executor)

    assert [type(child) for child in state.result[d].map_states] == [Success, Skipped, Success]
    assert type(state.result[t]) is Skipped


@everywhere
def test_a_trigger_of_the_users_that_raises_fails_its_task_with_its_name(executor):
    def picky(_):
        raise KeyError("upstream")

    @task(trigger=picky)
    def held():
        return 1

    with Flow("f") as flow:
        h = held(upstream_tasks=[one()])

    state = flow.run(executor=executor)

    assert repr(state.result[h]) == """<TriggerFailed: "Trigger picky raised KeyError: 'upstream'">"""


def test_a_trigger_gets_the_authors_edges():
    seen = {}

    def look(states):
        seen.update(states)
        return True

    @task(trigger=look)
    def below(x, y):
        return x + y

    with Flow("f") as flow:
        below(one(), double(3))

    flow.run()

    assert {(edge.upstream_task.name, edge.key): type(s) for edge, s in seen.items()} == {
        ("one", "x"): Success,
        ("double", "y"): Success,
    }


# Retries


@everywhere
def test_a_failure_is_tried_again_as_often_as_it_may(executor):
    ran = []

    @task(max_retries=2, retry_delay=AT_ONCE)
    def flaky(x):
        ran.append(x)
        if len(ran) < 3:
            raise OSError("busy")
        return x

    with Flow("f") as flow:
        f = flaky(5)

    state = flow.run(executor=executor)

    assert ran == [5, 5, 5]
    assert state.result[f].result == 5
    assert told(flow.last_run, "flaky") == ["Running", "Failed", "Retrying"] * 2 + ["Running", "Success"]


@everywhere
def test_attempts_run_out(executor):
    @task(max_retries=1, retry_delay=AT_ONCE)
    def never():
        raise OSError("busy")

    with Flow("f") as flow:
        n = never()

    state = flow.run(executor=executor)

    assert repr(state.result[n]) == "<Failed: 'OSError: busy'>"
    assert told(flow.last_run, "never") == ["Running", "Failed", "Retrying", "Running", "Failed"]


@everywhere
def test_only_the_exceptions_named_in_retry_on_are_tried_again(executor):
    ran = Counter()

    @task(max_retries=3, retry_delay=AT_ONCE, retry_on=OSError)
    def picky(kind):
        ran[kind] += 1
        raise kind

    with Flow("f") as flow:
        picky(OSError)
        picky(ValueError)

    flow.run(executor=executor)

    assert ran == {OSError: 4, ValueError: 1}


@everywhere
def test_a_failed_trigger_is_never_tried_again(executor):
    @task(max_retries=3, retry_delay=AT_ONCE)
    def below(x):
        return x

    with Flow("f") as flow:
        below(boom())

    flow.run(executor=executor)

    assert told(flow.last_run, "below") == ["TriggerFailed"]


def test_a_retry_waits_for_its_time_and_other_branches_do_not_wait_for_it():
    order = []
    other_done = threading.Event()

    @task(max_retries=1, retry_delay=0.05)
    def flaky():
        order.append("flaky")
        if len(order) == 1:
            raise OSError("busy")

    @task
    def other():
        order.append("other")
        other_done.set()

    with Flow("f") as flow:
        flaky()
        other()

    state = flow.run()

    assert order == ["flaky", "other", "flaky"]
    assert state.is_successful()


def test_a_retry_that_comes_due_starts_while_others_still_run():
    second = threading.Event()
    ran = []

    @task(max_retries=1, retry_delay=AT_ONCE)
    def flaky():
        ran.append(1)
        if len(ran) == 1:
            raise OSError("busy")
        second.set()

    @task
    def patient():
        return second.wait(20)

    with Flow("f") as flow:
        flaky()
        p = patient()

    state = flow.run(executor=LocalDaskExecutor(num_workers=2))

    assert state.result[p].result is True


@everywhere
def test_a_handler_that_turns_success_into_failure_has_the_attempt_made_again(executor):
    ran = []

    def refuse_first(_, __, new):
        if new.is_successful() and len(ran) == 1:
            return Failed("not good enough")
        return new

    @task(max_retries=1, retry_delay=AT_ONCE, state_handlers=[refuse_first])
    def work():
        ran.append(1)
        return len(ran)

    with Flow("f") as flow:
        w = work()

    state = flow.run(executor=executor)

    assert state.result[w].result == 2


# State handlers


@everywhere
def test_handlers_are_called_in_turn_each_with_what_the_one_before_returned(executor):
    def first(_, __, new):
        return Success("first", new.result + 1) if new.is_successful() else new

    def second(_, __, new):
        return Success(f"{new.message} second", new.result * 10) if new.is_successful() else None

    def of_the_run(_, __, new):
        if new.is_successful() and isinstance(new.result, int):
            new.message += " run"
        return new

    @task(state_handlers=[first, second])
    def work():
        return 1

    with Flow("f") as flow:
        w = work()

    state = flow.run(executor=executor, state_handlers=[of_the_run])

    assert (state.result[w].message, state.result[w].result) == ("first second run", 20)


@everywhere
def test_a_handler_that_raises_fails_the_task_and_is_not_tried_again(executor):
    def bad(_, __, new):
        if new.is_successful():
            raise KeyError("oops")

    ran = []

    @task(state_handlers=[bad], max_retries=3, retry_delay=AT_ONCE)
    def work():
        ran.append(1)

    with Flow("f") as flow:
        w = work()

    state = flow.run(executor=executor)

    assert ran == [1]
    assert state.result[w].message == "State handler bad raised KeyError: 'oops'"
    assert isinstance(state.result[w].result, HandlerError)


def test_a_handler_that_returns_something_else_fails_the_task():
    def wrong(_, __, new):
        return "fine" if new.is_successful() else new

    @task(state_handlers=[wrong])
    def work():
        return 1

    with Flow("f") as flow:
        w = work()

    state = flow.run()

    assert state.result[w].message == (
        "State handler wrong returned 'fine'. Return a State, or None to keep the one given."
    )


def test_what_a_handler_does_to_its_copy_changes_no_state_that_was_emitted():
    def spoil(_, old, new):
        old_kind = type(old)
        new.message = f"spoilt after {old_kind.__name__}"

    with Flow("f", state_handlers=[spoil]) as flow:
        one()

    state = flow.run()

    assert state.message == "All tasks that decide the run succeeded."


def test_an_on_failure_that_raises_is_named():
    def notify(_owner, _state):
        raise LookupError("no address")

    with Flow("f", on_failure=notify) as flow:
        b = task(lambda: 1 / 0, name="bad", on_failure=notify)()

    state = flow.run()

    assert state.result[b].message == "State handler on_failure=notify raised LookupError: no address"
    assert state.message == "State handler on_failure=notify raised LookupError: no address"


def test_on_failure_is_called_on_every_failed_attempt():
    calls = []

    @task(max_retries=1, retry_delay=AT_ONCE, on_failure=lambda t, s: calls.append((t.name, s.message)))
    def bad():
        raise OSError("busy")

    with Flow("f", on_failure=lambda f, s: calls.append((f.name, s.message))) as flow:
        bad()

    flow.run()

    assert calls == [("bad", "OSError: busy")] * 2 + [("f", "bad failed: OSError: busy.")]


@pytest.mark.parametrize("above", ["failed", "not a sequence", "skipped"])
def test_handlers_see_a_mapped_task_that_ends_without_having_been_split(above):
    seen = []

    @task
    def source():
        if above == "failed":
            raise OSError("busy")
        if above == "skipped":
            raise signals.SKIP
        return 3

    @task(state_handlers=[lambda _, old, new: seen.append((type(old).__name__, type(new).__name__))])
    def each(x):
        return x

    with Flow("f") as flow:
        each.map(source())

    flow.run()

    ends = {"failed": "TriggerFailed", "not a sequence": "Failed", "skipped": "Skipped"}
    assert seen == [("Pending", ends[above])]


def test_a_flows_handler_may_stop_it_before_anything_runs():
    def stop(_, __, new):
        return Failed("not on Sundays") if new.is_running() else new

    ran = []

    @task
    def work():
        ran.append(1)

    with Flow("f", state_handlers=[stop]) as flow:
        work()

    state = flow.run()

    assert (repr(state), ran) == ("<Failed: 'not on Sundays'>", [])


def test_a_terminal_state_handler_may_replace_the_final_state():
    def lenient(_, __, reference):
        return Success("good enough", None) if any(s.is_failed() for s in reference) else None

    with Flow("f", terminal_state_handler=lenient) as flow:
        bad = boom()

    state = flow.run()

    assert repr(state) == "<Success: 'good enough'>"
    assert state.result[bad].is_failed()


def test_reference_tasks_decide_the_flows_state():
    with Flow("f") as flow:
        good = one()
        boom()
        flow.set_reference_tasks([good])

    state = flow.run()

    assert type(state).__name__ == "Success"


# Signals


@everywhere
@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        (signals.FAIL("f", result=1), "<Failed: 'f'>"),
        (signals.FAILED("f"), "<Failed: 'f'>"),
        (signals.TRIGGERFAIL("t"), "<TriggerFailed: 't'>"),
        (signals.VALIDATIONFAIL("v"), "<ValidationFailed: 'v'>"),
        (signals.SUCCESS("s", result=1), "<Success: 's'>"),
        (signals.SKIP("k"), "<Skipped: 'k'>"),
        (signals.PAUSE("p"), "<Paused: 'p'>"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_signal_becomes_its_state_though_the_code_catches_exceptions(executor, signal, expected):
    @task
    def signals_it():
        try:
            raise signal  # noqa: TRY301
        except Exception:  # noqa: BLE001
            return "caught"

    with Flow("f") as flow:
        s = signals_it()

    state = flow.run(executor=executor)

    assert repr(state.result[s]) == expected
    assert state.result[s].result == signal.options.get("result")


@everywhere
def test_retry_ignores_how_often_it_may_and_says_which_attempt_it_is(executor):
    import flowbook  # noqa: PLC0415

    seen = []

    @task
    def again():
        seen.append(flowbook.context.task_run_count)
        if len(seen) < 3:
            raise signals.RETRY
        return "done"

    with Flow("f") as flow:
        a = again()

    state = flow.run(executor=executor)

    assert seen == [1, 2, 3]
    assert state.result[a].result == "done"


@everywhere
def test_loop_runs_the_task_again_with_what_it_has_so_far_and_does_not_grow_the_stack(executor):
    import flowbook  # noqa: PLC0415

    @task
    def count():
        so_far = flowbook.context.get("task_loop_result", 0)
        if flowbook.context.task_loop_count < 2000:
            raise signals.LOOP(result=so_far + 1)
        return so_far + 1

    with Flow("f") as flow:
        c = count()

    state = flow.run(executor=executor)

    assert state.result[c].result == 2000


# Mapping


@everywhere
def test_unmapped_goes_whole_to_every_child_and_flatten_takes_one_level_off(executor):
    @task
    def nested():
        return [[1, 2], [], [3]]

    @task
    def scale(x, by):
        return x * sum(by)

    with Flow("f") as flow:
        scaled = scale.map(flatten(nested()), by=unmapped([1, 1]))

    state = flow.run(executor=executor)

    assert state.result[scaled].result == [2, 4, 6]


@everywhere
def test_maps_in_a_chain_and_a_map_over_two_maps(executor):
    @task
    def plus(x, y):
        return x + y

    with Flow("f") as flow:
        n = numbers()
        a, b = double.map(n), double.map(double.map(n))
        t = total(plus.map(a, b))

    state = flow.run(executor=executor)

    assert state.result[t].result == (2 + 4) * 6


@everywhere
def test_an_empty_map_succeeds_with_no_children(executor):
    @task
    def nothing():
        return []

    with Flow("f") as flow:
        m = double.map(nothing())
        t = total(double.map(m))

    state = flow.run(executor=executor)

    assert (type(state.result[m]), state.result[m].n_map_states) == (Mapped, 0)
    assert state.result[t].result == 0


@everywhere
def test_a_child_that_fails_fails_its_own_branch(executor):
    with Flow("f") as flow:
        d = double.map(fails_on_two.map(numbers()))

    state = flow.run(executor=executor)

    assert [type(child) for child in state.result[d].map_states] == [Success, TriggerFailed, Success]
    assert state.message == "fails_on_two[1] failed: ValueError: it is two; 1 task below it did not run."


@everywhere
def test_a_generator_is_consumed_once_though_two_tasks_map_over_it(executor):
    pulled = []

    @task
    def stream():
        for i in range(3):
            pulled.append(i)
            yield i

    with Flow("f") as flow:
        s = stream()
        a, b = double.map(s), double.map(s)

    state = flow.run(executor=executor)

    assert state.result[a].result == state.result[b].result == [0, 2, 4]
    assert pulled == [0, 1, 2]


@everywhere
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"a": 1},
            "a dict is not a sequence. Map over list(x.items()), or over sorted(x) for a set.",
        ),
        (
            {1, 2},
            "a set is not a sequence. Map over list(x.items()), or over sorted(x) for a set.",
        ),
        (
            7,
            "an int is not a sequence. Return a list from the task above, or wrap it in unmapped(...).",
        ),
        (
            None,
            "a NoneType is not a sequence. Return a list from the task above, or wrap it in unmapped(...).",
        ),
    ],
    ids=["dict", "set", "int", "None"],
)
def test_an_input_that_is_no_sequence_fails_the_mapped_task_by_name(executor, value, message):
    @task
    def source():
        return value

    with Flow("f") as flow:
        d = double.map(source())

    state = flow.run(executor=executor)

    assert isinstance(state.result[d].result, RunError)
    assert state.result[d].message == f"Can't map over 'x': {message}"


@everywhere
def test_inputs_of_different_lengths_fail_the_mapped_task_with_names_and_lengths(executor):
    @task
    def plus(x, y):
        return x + y

    with Flow("f") as flow:
        p = plus.map(numbers(), [1, 2])

    state = flow.run(executor=executor)

    assert sorted(state.result[p].result.lengths.items()) == [("x", 3), ("y", 2)]
    assert state.result[p].message.endswith("Make them equal, or use unmapped(...).")


@everywhere
def test_a_mapped_task_above_that_gives_no_value_must_have_the_same_width(executor):
    with Flow("f") as flow:
        before = double.map([1, 2])
        d = double.map(numbers(), upstream_tasks=[before])

    state = flow.run(executor=executor)

    assert type(state.result[d]) is Failed
    assert state.result[d].message == (
        "double is mapped over inputs of different lengths: x has 3, task double has 2. "
        "Make them equal, or use unmapped(...)."
    )


@everywhere
def test_an_always_run_map_runs_though_a_task_above_that_gives_no_value_failed(executor):
    @task(trigger=triggers.always_run)
    def each(x):
        return x

    with Flow("f") as flow:
        e = each.map(numbers(), upstream_tasks=[boom()])

    state = flow.run(executor=executor)

    assert state.result[e].result == [1, 2, 3]


@everywhere
def test_a_map_over_what_failed_fails_by_its_trigger_or_by_name(executor):
    @task(trigger=triggers.always_run)
    def each(x):
        return x

    with Flow("f") as flow:
        b = boom()
        strict, lenient = double.map(b), each.map(b)

    state = flow.run(executor=executor)

    assert type(state.result[strict]) is TriggerFailed
    assert state.result[lenient].message == "Can't map over x (from boom): it did not succeed, so there is no width."


@everywhere
def test_a_retried_child_runs_again_alone(executor):
    ran = Counter()

    @task(max_retries=1, retry_delay=AT_ONCE)
    def flaky(x):
        ran[x] += 1
        if x == 2 and ran[x] == 1:
            raise OSError("busy")
        return x

    with Flow("f") as flow:
        t = total(double.map(flaky.map(numbers())))

    state = flow.run(executor=executor)

    assert ran == {1: 1, 2: 2, 3: 1}
    assert state.result[t].result == 12


def test_branches_of_a_map_go_depth_first():
    order = []

    @task
    def first(x):
        order.append(("first", x))
        return x

    @task
    def second(x):
        order.append(("second", x))

    with Flow("f") as flow:
        second.map(first.map(numbers()))

    flow.run(executor=LocalDaskExecutor(num_workers=1))

    assert order.index(("second", 1)) < order.index(("first", 3))


def test_a_slow_child_delays_no_neighbour():
    neighbours = threading.Semaphore(0)

    @task
    def first(x):
        if x == 1:
            assert all(neighbours.acquire(timeout=20) for _ in range(2))
        return x

    @task
    def second(x):
        if x != 1:
            neighbours.release()
        return x

    with Flow("f") as flow:
        s = second.map(first.map(numbers()))

    state = flow.run(executor=LocalDaskExecutor(num_workers=2))

    assert state.result[s].result == [1, 2, 3]


def test_threads_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=20)

    @task
    def meets(x):
        meeting.wait()
        return x

    with Flow("f") as flow:
        m = meets.map(numbers())

    state = flow.run(executor=LocalDaskExecutor(num_workers=3))

    assert state.result[m].result == [1, 2, 3]


def test_an_executor_of_the_users_with_submit_and_wait_is_enough():
    from flowbook.executors import Executor  # noqa: PLC0415

    waves = []

    class Waves(Executor):
        def submit(self, fn, *args, extra_context=None, **kwargs):
            return lambda: fn(*args, **kwargs), extra_context

        def wait(self, futures):
            waves.append([label["task"] for _, label in futures])
            return [call() for call, _ in futures]

    with Flow("f") as flow:
        t = total(double.map(numbers()))

    state = flow.run(executor=Waves())

    assert state.result[t].result == 12
    assert waves == [["numbers"], ["double"], ["double[0]", "double[1]", "double[2]"], ["total"]]


# Given states and start tasks


@everywhere
def test_a_task_whose_state_is_given_as_finished_does_not_run(executor):
    ran = []

    @task
    def costly():
        ran.append(1)

    with Flow("f") as flow:
        c = costly()
        d = double(c)

    state = flow.run(executor=executor, task_states={c: Success(result=21)})

    assert (ran, state.result[d].result) == ([], 42)


@everywhere
@pytest.mark.parametrize(
    "given_state", [Paused(), Pending(), Failed(), TriggerFailed(), Success(result=1), Scheduled()]
)
def test_any_of_these_states_is_accepted_of_a_start_task(executor, given_state):
    with Flow("f") as flow:
        a = one()
        d = double(a)
        e = double(d)

    state = flow.run(executor=executor, start_tasks=[d], task_states={a: Success(result=5), d: given_state})

    assert (state.result[d].result, state.result[e].result) == (10, 20)


@everywhere
def test_start_tasks_skip_trigger_and_skip_checks_and_only_what_lies_below_runs(executor):
    ran = []

    @task
    def aside():
        ran.append("aside")

    @task(trigger=triggers.manual_only)
    def approve(x):
        ran.append("approve")
        return x

    with Flow("f") as flow:
        aside()
        a = approve(one())
        d = double(a)

    state = flow.run(executor=executor, start_tasks=[a], task_states={a: Paused(cached_inputs={"x": 4})})

    assert ran == ["approve"]
    assert state.result[d].result == 8


@everywhere
def test_kept_inputs_win_over_upstream_values(executor):
    with Flow("f") as flow:
        a = one()
        d = double(a)

    state = flow.run(
        executor=executor,
        start_tasks=[d],
        task_states={a: Success(result=1), d: Paused(cached_inputs={"x": 50})},
    )

    assert state.result[d].result == 100


@everywhere
def test_a_paused_task_keeps_its_inputs(executor):
    @task(trigger=triggers.manual_only)
    def approve(x, y):
        return x + y

    with Flow("f") as flow:
        a = approve(one(), 5)

    state = flow.run(executor=executor)

    assert repr(state) == "<Paused: 'approve waits for a person.'>"
    assert state.result[a].cached_inputs == {"x": 1, "y": 5}


@everywhere
def test_a_mapped_task_with_a_paused_child_lists_the_states_of_all_children(executor):
    @task
    def pauses_on_two(x):
        if x == 2:
            raise signals.PAUSE
        return x

    with Flow("f") as flow:
        p = pauses_on_two.map(numbers())

    state = flow.run(executor=executor)

    assert [type(child) for child in state.result[p].map_states] == [Success, Paused, Success]


@everywhere
def test_a_start_time_in_the_future_given_for_a_task_is_waited_for(executor):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.05)
    at = []

    @task
    def work():
        at.append(dt.datetime.now(dt.UTC))

    with Flow("f") as flow:
        w = work()

    flow.run(executor=executor, task_states={w: Scheduled(start_time=soon)})

    assert at[0] >= soon


# Logs and prints


@everywhere
def test_prints_and_log_lines_come_to_the_run(executor, capsys):
    import flowbook  # noqa: PLC0415

    @task(log_stdout=True)
    def talks():
        print("hello")  # noqa: T201
        flowbook.context.logger.warning("careful")

    with Flow("f") as flow:
        talks()

    flow.run(executor=executor)

    assert [(e.key, e.level, e.text) for e in flow.last_run.logs()] == [
        ("talks", 20, "hello"),
        ("talks", 30, "careful"),
    ]
    assert all(isinstance(e, Logged) for e in flow.last_run.logs("talks"))
    capsys.readouterr()


def test_a_line_of_a_log_is_cut_where_it_is_endless():
    @task(log_stdout=True)
    def talks():
        print("x" * 10_005)  # noqa: T201

    with Flow("f") as flow:
        talks()

    flow.run()

    (line,) = flow.last_run.logs()
    assert line.text == "x" * 10_000 + "… (5 more characters were cut)"


# What can't be read ends the task, never the run


class _Unreadable(list):
    def __getitem__(self, index):
        raise OSError("gone")


@everywhere
def test_an_element_that_cannot_be_read_fails_its_child_and_not_the_run(executor):
    @task
    def source():
        return _Unreadable([1, 2])

    with Flow("f") as flow:
        d, good = double.map(source()), one()

    state = flow.run(executor=executor)

    assert [repr(child) for child in state.result[d].map_states] == ["<Failed: 'OSError: gone'>"] * 2
    assert state.result[good].is_successful()


# Random flows beside an obvious model

PLAN = st.lists(
    st.tuples(
        st.lists(st.integers(0, 20), max_size=3, unique=True),
        st.sampled_from(["ok", "ok", "ok", "fail", "skip", "pause", "flaky"]),
        st.sampled_from(
            ["all_successful", "all_finished", "any_failed", "all_failed", "any_successful", "manual_only"]
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
KINDS = {"ok": "Success", "fail": "Failed", "skip": "Skipped", "pause": "Paused", "flaky": "Success"}


class _Planned(Task):
    """Does what it is told to, and counts how often it ran."""

    def __init__(self, outcome, counts, **options):
        super().__init__(**options)
        self.outcome = outcome
        self.counts = counts

    def run(self, **_):
        self.counts[self.name] += 1
        if self.outcome == "fail":
            raise ValueError(self.name)
        if self.outcome == "flaky" and self.counts[self.name] == 1:
            raise OSError(self.name)
        if self.outcome == "skip":
            raise signals.SKIP
        if self.outcome == "pause":
            raise signals.PAUSE
        return self.name


def expected_of(plan, edges):
    """Say what each task comes to, one after another."""
    states = []
    for (_, outcome, trigger, skips), ups in zip(plan, edges, strict=True):
        above = [states[up] for up in ups]
        bad = [name in {"Failed", "TriggerFailed"} for name in above]
        passes = {
            "all_successful": not any(bad),
            "all_finished": True,
            "any_failed": any(bad) or not bad,
            "all_failed": all(bad),
            "any_successful": not all(bad) or not bad,
            "manual_only": None,
        }[trigger]
        if not set(above) <= {"Success", "Skipped", "Failed", "TriggerFailed"}:
            states.append("Pending")
        elif skips and "Skipped" in above:
            states.append("Skipped")
        elif passes is None:
            states.append("Paused")
        else:
            states.append(KINDS[outcome] if passes else "TriggerFailed")
    return states


@everywhere
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(plan=PLAN)
def test_a_random_flow_comes_to_what_the_model_says_and_nothing_runs_too_often(executor, plan):
    counts: Counter[str] = Counter()
    edges = [sorted({up % number for up in ups}) if number else [] for number, (ups, *_) in enumerate(plan)]
    flow = Flow("random")
    tasks = []
    for number, (_, outcome, trigger, skips) in enumerate(plan):
        retry = {"max_retries": 1, "retry_delay": AT_ONCE} if outcome == "flaky" else {}
        tasks.append(
            _Planned(
                outcome,
                counts,
                name=f"t{number}",
                trigger=getattr(triggers, trigger),
                skip_on_upstream_skip=skips,
                **retry,
            )
        )
        flow.add_task(tasks[-1])
        for up in edges[number]:
            flow.add_edge(tasks[up], tasks[-1])

    state = flow.run(executor=executor, record=False)

    found = [type(state.result[each]).__name__ for each in tasks]
    ran = [counts[each.name] for each in tasks]
    expected = expected_of(plan, edges)
    assert found == expected
    own = [name == KINDS[outcome] for name, (_, outcome, trigger, _) in zip(expected, plan, strict=True) if trigger]
    times = [
        (2 if outcome == "flaky" else 1)
        if mine and trigger != "manual_only" and not _taken_along(edges[i], expected, skips)
        else 0
        for i, (mine, (_, outcome, trigger, skips)) in enumerate(zip(own, plan, strict=True))
    ]
    assert ran == times


def _taken_along(ups, expected, skips):
    return skips and any(expected[up] == "Skipped" for up in ups)


def test_types_of_states_used_here_are_told_apart():
    assert not isinstance(Running(), Pending)
    assert isinstance(Retrying(), Pending)
    assert isinstance(Cached(), Success)


@everywhere
def test_a_handler_sees_a_task_being_mapped_and_may_refuse_it(executor):
    seen = []

    def handler(_task, old, new):
        seen.append((type(old).__name__, type(new).__name__))
        return Failed("Too many.") if new.is_mapped() and new.n_map_states > 2 else new

    each = task(lambda x: x, name="each", state_handlers=[handler])
    with Flow("f") as flow:
        few = each.map([1, 2])
        many = each.map([1, 2, 3])

    state = flow.run(executor=executor)

    assert state.result[few].result == [1, 2]
    assert (type(state.result[many]), state.result[many].message) == (Failed, "Too many.")
    assert seen.count(("Pending", "Mapped")) == 2


def _raises_at_the_end(flow, old, new):
    del flow, old
    if new.is_finished():
        msg = "boom"
        raise RuntimeError(msg)


def _replaces_the_end(flow, old, new):
    del flow, old
    return Failed("not good enough") if new.is_finished() else None


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (_raises_at_the_end, "State handler _raises_at_the_end raised RuntimeError: boom"),
        (_replaces_the_end, "not good enough"),
    ],
)
def test_the_states_of_the_tasks_are_in_the_flows_whatever_its_handlers_made_of_it(handler, message):
    with Flow("f", state_handlers=[handler]) as flow:
        end = one()

    state = flow.run(record=False)

    assert (type(state), state.message, state.result[end].result) == (Failed, message, 1)


def test_the_traceback_of_a_flows_handler_is_a_line_of_the_log():
    with Flow("f", state_handlers=[_raises_at_the_end]) as flow:
        one()

    flow.run(record=False)

    (line,) = flow.last_run.logs("")
    assert "raise RuntimeError(msg)" in line.text


def test_a_flows_handler_sees_that_it_was_paused_when_it_goes_on():
    seen = []

    def note(flow, old, new):
        del flow
        seen.append((type(old).__name__, type(new).__name__))

    with Flow("f", state_handlers=[note]) as flow:
        one(task_args={"trigger": triggers.manual_only})
    flow.run(record=False)
    flow.last_run.resume().wait(20)

    assert seen == [("Pending", "Running"), ("Running", "Paused"), ("Paused", "Running"), ("Running", "Success")]


@everywhere
def test_a_map_without_inputs_is_as_wide_as_what_comes_before_it(executor):
    with Flow("f") as flow:
        counted = one.map(upstream_tasks=[task(lambda: [7, 8, 9], name="three")()])
        refused = one.map(upstream_tasks=[one()])

    state = flow.run(executor=executor, record=False)

    assert state.result[counted].result == [1, 1, 1]
    assert state.result[refused].message == (
        "Can't map over 'one-2': an int is not a sequence. Return a list from the task above, or wrap it in unmapped(...)."
    )


def test_a_generator_written_in_the_flow_serves_every_run():
    with Flow("f") as flow:
        mapped = task(lambda x: x + 1, name="inc").map(number for number in range(3))

    found = [flow.run(record=False).result[mapped].result for _ in range(2)]

    assert found == [[1, 2, 3], [1, 2, 3]]


@everywhere
def test_handlers_of_a_mapped_task_see_its_children_ended_before_anything_below_runs(executor):
    seen = []

    def note(each, old, new):
        if new.is_mapped():
            seen.append((type(old).__name__, [state.is_failed() for state in new.map_states]))
        elif each.name == "below" and new.is_running():
            seen.append("below")

    half = task(lambda x: 1 / x, name="half", state_handlers=[note])
    below = task(lambda xs: [*xs], name="below", state_handlers=[note], trigger=triggers.all_finished)
    with Flow("f") as flow:
        below(half.map([0, 1]))

    state = flow.run(executor=executor, record=False)

    assert state.is_successful()
    assert seen == [("Pending", []), ("Mapped", [True, False]), "below"]


@pytest.mark.parametrize("where", ["task", "run"])
def test_a_handler_may_fail_a_mapped_task_for_what_its_children_came_to(where):
    def at_most_one(each, old, new):
        del each, old
        if new.is_mapped() and sum(state.is_failed() for state in new.map_states) > 1:
            return Failed("too many")
        return None

    def half(x):
        return 1 / x

    with Flow("f") as flow:
        mapped = task(half, state_handlers=[at_most_one] if where == "task" else None).map([0, 0, 1])
        alone = task(lambda xs: [*xs], name="alone")(mapped)

    state = flow.run(record=False, state_handlers=[at_most_one] if where == "run" else None)

    assert (state.result[mapped].message, type(state.result[mapped])) == ("too many", Failed)
    assert state.result[alone].message == "half failed."


def test_an_empty_map_is_told_to_its_handlers_as_well():
    seen = []

    def note(each, old, new):
        del each
        seen.append((type(old).__name__, new.message))

    with Flow("f") as flow:
        task(lambda x: x, name="each", state_handlers=[note]).map([])
    flow.run(record=False)

    assert seen == [("Pending", "Mapped over 0."), ("Mapped", "All 0 succeeded.")]


def test_a_run_cancelled_while_handlers_are_to_be_asked_still_tells_what_the_children_came_to():
    def note(each, old, new):
        del each, old
        if new.is_successful() and not new.is_mapped():
            flow.last_run.cancel()

    with Flow("f") as flow:
        mapped = task(lambda x: x, name="each", state_handlers=[note]).map([1])
    state = flow.run(record=False)

    assert (type(state), state.result[mapped].message) == (Cancelled, "All 1 succeeded.")
