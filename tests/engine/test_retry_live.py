"""retry() on a run that still goes on: an event of the machine."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook import Flow, task, triggers
from flowbook.engine.events import Decided
from flowbook.engine.messages import Expanded, Finish, RetryRequested, Settled, Submit
from flowbook.engine.state import Failed, Paused, Pending, Success, TriggerFailed
from flowbook.exceptions import StartTaskError
from flowbook.executors import LocalDaskExecutor
from tests import graphs
from tests.engine.checked_machine import CheckedMachine as Machine


def submitted(instructions):
    return [key for each in instructions if isinstance(each, Submit) for key in each.keys]


def test_a_failed_task_runs_again_and_then_what_its_failure_held_back():
    machine = Machine(graphs.build(graphs.task("a"), graphs.task("b", "a"), graphs.task("other")))
    machine.begin()
    machine.handle(Settled("a", Failed()))
    machine.handle(Settled("b", TriggerFailed()))

    asked = machine.handle(RetryRequested(("a",)))
    then = machine.handle(Settled("a", Success()))

    assert (submitted(asked), submitted(then)) == (["a"], ["b"])


def test_what_waits_for_others_too_waits_for_the_retry_as_well():
    machine = Machine(graphs.build(graphs.task("a"), graphs.task("b"), graphs.task("c", "a", "b")))
    machine.begin()
    machine.handle(Settled("a", Failed()))
    machine.handle(RetryRequested(("a",)))

    after_b = machine.handle(Settled("b", Success()))
    after_a = machine.handle(Settled("a", Success()))

    assert (submitted(after_b), submitted(after_a)) == ([], ["c"])


def test_a_task_that_was_under_way_and_saw_too_early_runs_once_more():
    machine = Machine(graphs.build(graphs.task("a"), graphs.task("b", "a"), graphs.task("other")))
    machine.begin()
    machine.handle(Settled("a", Failed()))
    machine.handle(RetryRequested(("a",)))
    machine.handle(Settled("a", Success()))

    late = machine.handle(Settled("b", TriggerFailed()))

    assert submitted(late) == ["b"]


def test_what_waits_for_a_person_below_asks_again_with_what_it_gets_then():
    machine = Machine(graphs.build(graphs.task("a"), graphs.task("b", "a"), graphs.task("other")))
    machine.begin()
    machine.handle(Settled("a", Failed()))
    machine.handle(Settled("b", Paused(cached_inputs={"a": None})))

    asked = machine.handle(RetryRequested(("a",)))
    between = (type(machine.states["b"]), machine.paused())
    then = machine.handle(Settled("a", Success()))
    machine.handle(Settled("b", Paused(cached_inputs={"a": 1})))

    assert (submitted(asked), between, submitted(then)) == (["a"], (Pending, []), ["b"])
    assert machine.states["b"].cached_inputs == {"a": 1}


@pytest.mark.parametrize("is_retried_first", [True, False])
def test_a_task_that_paused_too_early_asks_once_more(is_retried_first):
    machine = Machine(graphs.build(graphs.task("a"), graphs.task("b", "a"), graphs.task("other")))
    machine.begin()
    machine.handle(Settled("a", Failed()))
    machine.mark("b", Paused(cached_inputs={"a": None}))
    machine.handle(RetryRequested(("a",)))
    events = [Settled("a", Success()), Settled("b", Paused(cached_inputs={"a": None}))]

    steps = [submitted(machine.handle(event)) for event in (events if is_retried_first else events[::-1])]

    assert steps == [[], ["b"]]
    assert type(machine.states["b"]) is Pending


def test_a_childs_branch_runs_again_and_its_neighbours_do_not():
    graph = graphs.build(
        graphs.task("m", is_mapped=True), graphs.mapped_below("n", "m"), graphs.task("end", "n"), graphs.task("other")
    )
    machine = Machine(graph)
    machine.begin()
    machine.handle(Expanded("m", 2))
    machine.handle(Expanded("n", 2))
    for key, state in (("m[0]", Failed()), ("n[0]", TriggerFailed()), ("m[1]", Success()), ("n[1]", Success())):
        machine.handle(Settled(key, state))
    machine.handle(Settled("end", TriggerFailed()))

    steps = [submitted(machine.handle(RetryRequested(tuple(machine.failed()))))]
    steps += [submitted(machine.handle(Settled(key, Success()))) for key in ("m[0]", "n[0]", "end")]

    assert steps == [["m[0]"], ["n[0]"], ["end"], []]


@given(st.data())
def test_after_retries_at_any_moment_everything_succeeds_after_what_is_above_it(data):
    count = data.draw(st.integers(1, 7))
    ups = {
        f"t{i}": data.draw(st.lists(st.sampled_from([f"t{j}" for j in range(i)]), unique=True) if i else st.just([]))
        for i in range(count)
    }
    machine = Machine(graphs.build(*(graphs.task(key, *above) for key, above in ups.items()), graphs.task("last")))
    failures = {key: data.draw(st.integers(0, 2)) for key in ups}
    under_way, order = {}, []
    instructions = machine.begin()

    while True:
        for key in submitted(instructions):
            assert key not in under_way
            under_way[key] = look(machine, ups.get(key, []))
        if any(isinstance(each, Finish) for each in instructions):
            break
        if machine.failed() and data.draw(st.booleans()):
            instructions = machine.handle(RetryRequested(tuple(machine.failed())))
            continue
        choices = sorted(set(under_way) - {"last"})
        if not choices and machine.failed():
            instructions = machine.handle(RetryRequested(tuple(machine.failed())))
            continue
        key = data.draw(st.sampled_from(choices)) if choices else "last"
        state = under_way.pop(key)
        if type(state) is Success and failures.get(key):
            failures[key] -= 1
            state = Failed()
        if type(state) is Success:
            order.append(key)
        instructions = machine.handle(Settled(key, state))

    assert sorted(order) == sorted([*ups, "last"])
    assert all(order.index(up) < order.index(key) for key, above in ups.items() for up in above)


def look(machine, above):
    """Return what a task comes to that looks at what is above it now."""
    states = [machine.states[up] for up in above]
    if not all(state.is_finished() for state in states):
        return Pending()
    return TriggerFailed() if any(state.is_failed() for state in states) else Success()


@pytest.mark.parametrize("mapped", [False, True])
def test_retry_on_a_live_run_goes_on_beside_its_other_tasks(mapped):
    broken, failed, hold = [True], threading.Event(), threading.Event()

    @task
    def load(x):
        if broken[0] and x == 1:
            msg = "broken"
            raise RuntimeError(msg)
        return x

    @task
    def total(xs):
        return sum(xs) if mapped else xs

    @task
    def slow():
        hold.wait(30)

    with Flow("live") as flow:
        end = total(load.map([0, 1, 2]) if mapped else load(1))
        slow()

    run_flow = flow.start(executor=LocalDaskExecutor("threads", num_workers=2))
    run_flow.subscribe(_Until("total", failed))
    if run_flow["total"].is_failed():
        failed.set()
    assert failed.wait(30)
    broken[0] = False
    run_flow.retry(by="me")
    hold.set()
    state = run_flow.wait(30)

    assert state.is_successful()
    assert state.result[end].result == (3 if mapped else 1)
    decided = [(e.key, e.action, e.by) for e in run_flow.events() if isinstance(e, Decided)]
    assert decided == [("load[1]" if mapped else "load", "retry", "me")]


def test_what_waits_on_a_live_run_goes_on_with_what_a_retry_above_it_gave():
    broken, waits, asks_again, hold = [True], threading.Event(), threading.Event(), threading.Event()

    @task
    def load():
        if broken[0]:
            msg = "broken"
            raise RuntimeError(msg)
        return 6

    @task(trigger=triggers.manual_only)
    def approve(x):
        return x

    with Flow("live") as flow:
        approved = approve(load())
        task(hold.wait, name="slow")(30)

    run_flow = flow.start(executor=LocalDaskExecutor("threads", num_workers=2))
    run_flow.subscribe(_Paused("approve", waits))
    if run_flow["approve"].is_paused():
        waits.set()
    assert waits.wait(30)
    broken[0] = False
    run_flow.subscribe(_Paused("approve", asks_again, is_anew=True))
    run_flow.retry()
    assert asks_again.wait(30)
    run_flow.resume("approve")
    hold.set()

    assert run_flow.wait(30).result[approved].result == 6


def test_retry_on_a_live_run_in_which_nothing_failed_is_refused():
    hold = threading.Event()
    wait = task(hold.wait, name="wait")
    with Flow("live") as flow:
        wait(30)

    run_flow = flow.start()
    with pytest.raises(StartTaskError) as refused:
        run_flow.retry()
    hold.set()
    run_flow.wait(30)

    assert str(refused.value) == f"Nothing has failed so far in run {run_flow.number} of 'live'; it goes on."


class _Until:
    """Sets an event when a task has failed."""

    def __init__(self, key, event):
        self.key = key
        self.event = event

    def emit(self, event):
        if event.key == self.key and getattr(event, "state", None) is not None and event.state.is_failed():
            self.event.set()


class _Paused:
    """Sets an event when a task waits for a person; with `is_anew`, only after it didn't for a while."""

    def __init__(self, key, waits, *, is_anew=False):
        self.key = key
        self.waits = waits
        self.is_anew = is_anew

    def emit(self, event):
        if event.key != self.key or getattr(event, "state", None) is None:
            return
        if not event.state.is_paused():
            self.is_anew = False
        elif not self.is_anew:
            self.waits.set()
