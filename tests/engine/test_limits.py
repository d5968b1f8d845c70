"""Limits on how many tasks run at once, decided in the machine."""

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook import Flow, task
from flowbook.engine.events import StateChanged
from flowbook.engine.limits import Limits, Slots
from flowbook.engine.messages import CancelRequested, Due, Emit, Expanded, Finish, Settled, Submit
from flowbook.engine.state import Pending, Queued, Retrying, Success
from flowbook.engine.steps import attempt_number
from flowbook.executors import LocalDaskExecutor
from tests import graphs
from tests.engine.checked_machine import CheckedMachine as Machine


def submitted(instructions):
    return [key for each in instructions if isinstance(each, Submit) for key in each.keys]


def queued(instructions):
    return [each.key for each in instructions if isinstance(each, Emit) and isinstance(each.state, Queued)]


def test_only_as_many_are_submitted_as_there_are_places_and_the_others_are_queued():
    machine = Machine(graphs.build(*map(graphs.task, "abc")), limits=Limits(2))

    first = machine.begin()
    then = machine.handle(Settled("a", Success()))

    assert (submitted(first), queued(first)) == (["a", "b"], ["c"])
    assert machine.states["c"].is_pending()
    assert then == [Submit(("c",))]


def test_a_queued_task_says_which_limit_holds_it_back():
    machine = Machine(
        graphs.build(graphs.task("a", tags=frozenset({"db"})), graphs.task("b", tags=frozenset({"db"}))),
        limits=Limits(5, {"db": 1}),
    )

    machine.begin()

    assert machine.states["b"].message == "Waits for a free slot: the limit of 'db' is reached."


def test_a_task_held_back_by_its_tag_holds_back_nobody_else():
    db = frozenset({"db"})
    graph = graphs.build(graphs.task("a", tags=db), graphs.task("b", tags=db), graphs.task("c"))
    machine = Machine(graph, limits=Limits(None, {"db": 1}))

    first = machine.begin()

    assert submitted(first) == ["a", "c"]


def test_what_a_task_made_ready_goes_before_what_waits():
    graph = graphs.build(graphs.task("a"), graphs.task("b"), graphs.task("c", "a"))
    machine = Machine(graph, limits=Limits(1))
    machine.begin()

    then = machine.handle(Settled("a", Success()))

    assert submitted(then) == ["c"]


def test_a_task_that_sleeps_until_its_retry_holds_no_place_and_keeps_its_count():
    machine = Machine(graphs.build(graphs.task("a"), graphs.task("b")), limits=Limits(1))
    machine.begin()

    then = machine.handle(Settled("a", Retrying(run_count=1)))
    due = machine.handle(Due("a"))
    last = machine.handle(Settled("b", Success()))

    assert (submitted(then), queued(due), submitted(last)) == (["b"], ["a"], ["a"])
    assert machine.states["a"].run_count == 1
    assert [attempt_number(each.state) for each in due if isinstance(each, Emit)] == [2]


def test_children_take_places_and_the_mapped_task_itself_does_not():
    graph = graphs.build(graphs.task("a"), graphs.task("m", is_mapped=True))
    machine = Machine(graph, limits=Limits(2))

    first = machine.begin()
    split = machine.handle(Expanded("m", 3))

    assert submitted(first) == ["a", "m"]
    assert (submitted(split), queued(split)) == (["m[0]"], ["m[1]", "m[2]"])


def test_cancelling_forgets_who_waits():
    machine = Machine(graphs.build(graphs.task("a"), graphs.task("b")), limits=Limits(1))
    machine.begin()

    machine.handle(CancelRequested())
    then = machine.handle(Settled("a", Success()))

    assert [type(each) for each in then] == [Finish]
    assert type(machine.states["b"]).__name__ == "Pending"


def test_cancelling_says_that_nobody_waits_for_a_place_any_more():
    graph = graphs.build(graphs.task("a"), graphs.task("b"), graphs.task("c"))
    machine = Machine(graph, limits=Limits(1))
    machine.begin()
    machine.handle(Settled("a", Success()))

    then = machine.handle(CancelRequested(("b",)))

    assert [(each.key, type(each.state)) for each in then if isinstance(each, Emit)] == [("c", Pending), ("b", Pending)]


@given(st.data())
def test_no_limit_is_ever_passed_and_everybody_runs_once(data):
    tags = data.draw(st.lists(st.frozensets(st.sampled_from(["x", "y"])), min_size=1, max_size=12))
    limits = Limits(
        data.draw(st.none() | st.integers(1, 3)),
        data.draw(st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(1, 2))),
    )
    graph = graphs.build(*(graphs.task(f"t{i}", tags=each) for i, each in enumerate(tags)))
    machine = Machine(graph, limits=limits)
    ran: Counter[str] = Counter()
    instructions, running = machine.begin(), []

    while not any(isinstance(each, Finish) for each in instructions):
        running += submitted(instructions)
        counts = Counter(tag for key in running for tag in graph.specs[key].tags)
        assert limits.total is None or len(running) <= limits.total
        assert all(counts[tag] <= most for tag, most in limits.by_tag.items())
        key = running.pop(data.draw(st.integers(0, len(running) - 1)))
        ran[key] += 1
        instructions = machine.handle(Settled(key, Success()))

    assert ran == Counter(dict.fromkeys(graph.specs, 1))


def test_places_go_to_who_came_first():
    places = Slots(Limits(1))
    spec = graphs.task("any")
    under = places.limits_of(spec)
    for key in "abc":
        places.take(key, under)

    places.release("a")

    assert list(places.admit()) == ["b"]


@pytest.mark.parametrize("limit", [{"max_concurrency": 2}, {"limits": {"db": 2}}])
def test_a_run_keeps_its_limits_on_threads(limit):
    lock, now, most = threading.Lock(), [], []

    @task(tags=["db"])
    def work(x):
        with lock:
            now.append(x)
            most.append(len(now))
        threading.Event().wait(0.002)
        with lock:
            now.remove(x)
        return x

    with Flow("limited") as flow:
        end = work.map(list(range(12)))

    state = flow.run(executor=LocalDaskExecutor("threads", num_workers=4), **limit)

    assert state.result[end].result == list(range(12))
    assert max(most) <= 2
    told = [e.key for e in flow.last_run.events() if isinstance(e, StateChanged) and isinstance(e.state, Queued)]
    assert told == [f"work[{i}]" for i in range(2, 12)]
