from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook.engine.answer import Answer, ending, ends
from flowbook.engine.graph import Binding, TaskSpec
from flowbook.engine.limits import Limits
from flowbook.engine.messages import (
    AnswerBy,
    CancelRequested,
    Due,
    Emit,
    Expanded,
    Finish,
    ResumeRequested,
    RetryRequested,
    Settled,
    Submit,
    WakeAt,
)
from flowbook.engine.state import (
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Resume,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    Success,
    TriggerFailed,
)
from flowbook.engine.task_keys import child_key
from flowbook.exceptions import TransitionError
from tests.engine.checked_machine import CheckedMachine as Machine
from tests.engine.model import Model
from tests.graphs import build, task
from tests.strategies import graphs, plain_graphs

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
ANSWERS = st.sampled_from(
    [None, Answer("resume"), Answer("resume", inputs={"x": 1}), Answer("skip"), Answer("reject", "ada", "no")]
)
WELL = Success("All tasks that decide the run succeeded.")


def over(key, *upstream, whole=()):
    """Return a task that is mapped over `upstream`, child by child, and takes `whole` as they are."""
    bindings = [Binding(up, up, mapped=True, flattened=False, edge=None) for up in upstream]
    bindings += [Binding(up, up, mapped=False, flattened=False, edge=None) for up in whole]
    return TaskSpec(
        key=key, name=key, task=None, run=print, bindings=tuple(bindings), upstream=(*upstream, *whole), is_mapped=True
    )


def reduce(key, up):
    binding = Binding(up, "items", mapped=False, flattened=False, edge=None)
    return TaskSpec(key=key, name=key, task=None, run=print, bindings=(binding,), upstream=(up,), reads_mapped=True)


def begun(graph, **options):
    machine = Machine(graph, **options)
    machine.begin()
    return machine


def plain(instructions):
    """Return instructions with what is told as text, so that messages are compared too."""
    return [
        (type(each).__name__, each.key, repr(each.state)) if isinstance(each, Emit) else each for each in instructions
    ]


# Whole lists of instructions


def test_the_roots_are_submitted_first_in_their_order():
    machine = Machine(build(task("a"), task("b"), task("c", "a", "b")))

    instructions = machine.begin()

    assert instructions == [Submit(("a", "b"))]


def test_a_flow_without_tasks_is_finished_at_once():
    machine = Machine(build())

    instructions = machine.begin()

    assert instructions == [Finish(WELL)]


def test_a_task_is_submitted_only_after_all_its_upstream_finished():
    machine = begun(build(task("a"), task("b"), task("c", "a", "b")))

    first = machine.handle(Settled("a", Success()))
    second = machine.handle(Settled("b", Failed()))
    third = machine.handle(Settled("c", Success()))

    assert (first, second, third) == ([], [Submit(("c",))], [Finish(WELL)])


def test_a_retry_is_woken_at_its_time_while_others_still_run():
    machine = begun(build(task("a"), task("b")))

    asleep = machine.handle(Settled("a", Retrying(start_time=NOON)))
    awake = machine.handle(Due("a"))
    machine.handle(Settled("a", Success()))
    last = machine.handle(Settled("b", Success()))

    assert (asleep, awake, last) == ([WakeAt("a", NOON.timestamp())], [Submit(("a",))], [Finish(WELL)])


def test_a_task_that_slept_and_was_woken_is_not_woken_twice():
    machine = begun(build(task("a")))
    machine.handle(Settled("a", Retrying(start_time=NOON)))

    first, second = machine.handle(Due("a")), machine.handle(Due("a"))

    assert (first, second) == ([Submit(("a",))], [])


def test_the_run_ends_paused_when_all_that_is_left_waits_for_a_person():
    machine = begun(build(task("a"), task("b"), task("c", "a")))
    machine.handle(Settled("a", Paused()))

    last = machine.handle(Settled("b", Success()))

    assert last == [Finish(Paused())]
    assert last[0].state.message == "a waits for a person."


def test_a_live_run_lets_a_paused_task_go_on_while_another_branch_runs():
    machine = begun(build(task("a"), task("b"), task("c", "a")))
    machine.handle(Settled("a", Paused()))

    resumed = machine.handle(ResumeRequested(("a",)))
    below = machine.handle(Settled("a", Success()))

    assert (resumed, below) == ([Submit(("a",))], [Submit(("c",))])


def test_a_second_resume_of_the_same_task_submits_nothing_though_it_has_not_begun():
    machine = begun(build(task("a"), task("b")))
    machine.handle(Settled("a", Paused(cached_inputs={"x": 1})))
    machine.handle(ResumeRequested(("a",)))

    again = machine.handle(ResumeRequested(("a",)))

    assert again == []
    assert machine.states["a"] == Resume(start_time=machine.states["a"].start_time, cached_inputs={"x": 1})


def test_a_resume_of_a_task_that_an_epoch_begins_with_submits_nothing_more():
    machine = Machine(build(task("a")), {"a": Paused()}, ["a"])

    early = machine.handle(ResumeRequested(("a",)))
    begin = machine.begin()

    assert (early, begin) == ([], [Submit(("a",))])


def test_cancelling_submits_nothing_more_and_ends_when_the_last_one_running_has_ended():
    machine = begun(build(task("a"), task("b"), task("c", "a")))

    asked = machine.handle(CancelRequested(queued=("b",)))
    last = machine.handle(Settled("a", Success()))

    assert (asked, last) == ([], [Finish(Cancelled())])
    assert isinstance(machine.states["b"], Pending)


def test_cancelling_lets_go_of_what_sleeps():
    machine = begun(build(task("a")))
    machine.handle(Settled("a", Retrying(start_time=NOON)))

    asked = machine.handle(CancelRequested())
    late = machine.handle(Due("a"))

    assert (asked, late) == ([Finish(Cancelled())], [])


def test_a_retry_that_settles_after_cancelling_does_not_keep_the_run_alive():
    machine = begun(build(task("a")))
    machine.handle(CancelRequested())

    last = machine.handle(Settled("a", Retrying(start_time=NOON)))

    assert last == [Finish(Cancelled())]


def test_an_event_that_does_not_exist_is_our_mistake():
    machine = begun(build(task("a")))

    with pytest.raises(TransitionError) as caught:
        machine.handle("nonsense")

    assert str(caught.value) == "No such event: 'nonsense'. Please report this."


# Mapped tasks


def test_a_mapped_task_becomes_its_children_in_order():
    machine = begun(build(task("a"), over("m", "a"), reduce("r", "m")))
    machine.handle(Settled("a", Success()))

    split = machine.handle(Expanded("m", 2))
    first = machine.handle(Settled("m[1]", Success()))
    second = machine.handle(Settled("m[0]", Failed("boom")))

    assert plain(split) == [("Emit", "m", "<Mapped: 'Mapped over 2.'>"), Submit(("m[0]", "m[1]"))]
    assert first == []
    assert plain(second) == [("Emit", "m", "<Mapped: '1 of 2 failed.'>"), Submit(("r",))]


def test_an_empty_map_is_mapped_over_nothing_and_what_follows_runs():
    machine = begun(build(task("a"), over("m", "a"), over("n", "m"), reduce("r", "n")))
    machine.handle(Settled("a", Success()))

    split = machine.handle(Expanded("m", 0))
    again = machine.handle(Expanded("n", 0))

    assert plain(split) == [
        ("Emit", "m", "<Mapped: 'Mapped over 0.'>"),
        ("Emit", "m", "<Mapped: 'All 0 succeeded.'>"),
        Submit(("n",)),
    ]
    assert plain(again)[-1] == Submit(("r",))


def test_a_branch_of_chained_maps_goes_on_before_its_neighbours_have_finished():
    machine = begun(build(task("a"), over("m", "a"), over("n", "m")))
    machine.handle(Settled("a", Success()))
    machine.handle(Expanded("m", 3))
    machine.handle(Expanded("n", 3))

    instructions = machine.handle(Settled("m[1]", Success()))

    assert instructions == [Submit(("n[1]",))]


def test_a_child_fed_by_two_maps_waits_for_both_though_one_was_noted_before_it_settled():
    machine = begun(build(task("a"), over("m", "a"), over("n", "a"), over("o", "m", "n")))
    machine.handle(Settled("a", Success()))
    machine.handle(Expanded("m", 1))
    machine.handle(Expanded("n", 1))
    machine.mark("m[0]", Success())

    split = machine.handle(Expanded("o", 1))
    first = machine.handle(Settled("m[0]", Success()))
    second = machine.handle(Settled("n[0]", Success()))

    assert plain(split) == [("Emit", "o", "<Mapped: 'Mapped over 1.'>")]
    assert plain(first) == [("Emit", "m", "<Mapped: 'All 1 succeeded.'>")]
    assert plain(second) == [("Emit", "n", "<Mapped: 'All 1 succeeded.'>"), Submit(("o[0]",))]


def test_paused_children_are_resumed_together_by_their_parents_key():
    machine = begun(build(task("a"), over("m", "a"), task("z")))
    machine.handle(Settled("a", Success()))
    machine.handle(Expanded("m", 3))
    for index, state in enumerate([Paused(), Success(), Paused()]):
        machine.handle(Settled(child_key("m", index), state))

    instructions = machine.handle(ResumeRequested(("m",)))

    assert instructions == [Submit(("m[0]", "m[2]"))]


def test_100_000_children_that_wait_share_one_state():
    machine = begun(build(task("a"), over("m", "a"), over("n", "m")))
    machine.handle(Settled("a", Success()))

    machine.handle(Expanded("m", 1000))

    assert len({id(machine.states[child_key("m", index)]) for index in range(1000)}) == 1


# Starting in the middle


def test_only_start_tasks_and_what_lies_below_is_visited():
    machine = Machine(
        build(task("a"), task("b", "a"), task("c", "b"), task("d", "a")), {"a": Success(), "b": Paused()}, ["b"]
    )

    begin = machine.begin()
    below = machine.handle(Settled("b", Success()))
    last = machine.handle(Settled("c", Success()))

    assert (begin, below) == ([Submit(("b",))], [Submit(("c",))])
    assert isinstance(last[0], Finish)
    assert isinstance(machine.states["d"], Pending)


def test_within_some_tasks_only_these_and_what_lies_below_is_visited_all_in_its_turn():
    graph = build(task("a"), task("b", "a"), task("c", "b"), task("d", "c", "x"), task("x"), task("e", "c"))
    machine = Machine(graph, {"b": Success()}, within=["b", "c"])

    instructions = [
        machine.begin(),
        machine.handle(Settled("b", Success())),
        machine.handle(Settled("c", Success())),
    ]
    last = machine.handle(Settled("e", Success()))

    assert instructions == [[Submit(("b", "c"))], [], [Submit(("e",))]]
    assert last == [
        Finish(Scheduled("Some tasks have yet to run, at a later time.", start_time=last[0].state.start_time))
    ]


def test_a_task_below_that_needs_something_outside_that_is_unfinished_stays():
    machine = Machine(build(task("a"), task("b"), task("c", "a", "b")), {}, ["a"])
    machine.begin()

    last = machine.handle(Settled("a", Success()))

    assert last == [Finish(Scheduled(start_time=last[0].state.start_time))]
    assert last[0].state.message == "Some tasks have yet to run, at a later time."


def test_one_child_of_a_mapped_task_is_started_and_its_branch_goes_with_it():
    graph = build(task("a"), over("m", "a"), over("n", "m"), reduce("r", "n"))
    given_states = {
        "a": Success(),
        "m": Mapped(map_states=[Success(), Failed()]),
        "m[0]": Success(),
        "m[1]": Failed(),
        "n": Mapped(map_states=[Success(), Failed()]),
        "n[0]": Success(),
        "n[1]": Failed(),
    }
    machine = Machine(graph, given_states, ["m[1]"])

    begin = machine.begin()
    below = machine.handle(Settled("m[1]", Success()))
    last = machine.handle(Settled("n[1]", Success()))

    assert begin == [Submit(("m[1]",))]
    assert plain(below) == [("Emit", "m", "<Mapped: 'All 2 succeeded.'>"), Submit(("n[1]",))]
    assert plain(last) == [("Emit", "n", "<Mapped: 'All 2 succeeded.'>"), Submit(("r",))]


def test_a_mapped_start_task_starts_those_of_its_children_that_have_not_succeeded():
    graph = build(task("a"), over("m", "a"))
    given_states = {"a": Success(), "m": Mapped(n_map_states=3), "m[0]": Success(), "m[1]": Failed(), "m[2]": Paused()}

    begin = Machine(graph, given_states, ["m"]).begin()

    assert begin == [Submit(("m[1]", "m[2]"))]


def test_two_start_tasks_in_one_branch_are_both_roots_and_neither_runs_twice():
    graph = build(task("a"), over("m", "a"), over("n", "m"))
    given_states = {
        "a": Success(),
        "m": Mapped(map_states=[Failed()]),
        "m[0]": Failed(),
        "n": Mapped(map_states=[Failed()]),
        "n[0]": Failed(),
    }
    machine = Machine(graph, given_states, ["m[0]", "n[0]"])

    begin = machine.begin()
    one = machine.handle(Settled("m[0]", Success()))
    two = machine.handle(Settled("n[0]", Success()))

    assert begin == [Submit(("m[0]", "n[0]"))]
    assert plain(one) == [("Emit", "m", "<Mapped: 'All 1 succeeded.'>")]
    assert plain(two) == [("Emit", "n", "<Mapped: 'All 1 succeeded.'>"), Finish(WELL)]


def test_a_mapped_task_taken_up_again_does_not_go_on_saying_what_its_children_were():
    given_states = {"m": Mapped(map_states=[Failed(), Failed()]), "m[0]": Failed(), "m[1]": Failed()}
    machine = begun(build(over("m")), states=given_states, start=["m"])

    machine.handle(Settled("m[0]", Success()))
    last = machine.handle(Settled("m[1]", Paused()))

    assert repr(last) == "[Finish(state=<Paused: 'm[1] waits for a person.'>)]"
    assert machine.states["m"].map_states == []


# The flow's state: the first that fits


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"a": Success(), "b": Success()}, "<Success: 'All tasks that decide the run succeeded.'>"),
        ({"a": Success(), "b": Skipped()}, "<Success: 'All tasks that decide the run succeeded.'>"),
        ({"a": Failed(), "b": Success()}, "<Failed: 'a failed.'>"),
        ({"a": Failed(), "b": Failed()}, "<Failed: '2 tasks failed: a and b.'>"),
        ({"a": Failed(), "b": Paused()}, "<Paused: 'b waits for a person.'>"),
        ({"a": Paused(), "b": Paused()}, "<Paused: 'a and b wait for a person.'>"),
        ({"a": Success(), "b": Pending()}, "<Scheduled: 'Some tasks have yet to run, at a later time.'>"),
    ],
)
def test_the_flows_state_is_the_first_that_fits(states, expected):
    machine = begun(build(task("a"), task("b")))
    machine.handle(Settled("a", states["a"]))

    last = machine.handle(Settled("b", states["b"]))

    assert repr(last[0].state) == expected


def test_more_than_three_failures_are_counted_and_not_all_named():
    machine = begun(build(*(task(f"t{i}") for i in range(7))))

    for i in range(7):
        last = machine.handle(Settled(f"t{i}", Failed()))

    assert last[0].state.message == "7 tasks failed: t0, t1, t2 and 4 more."


def test_failed_children_stand_in_for_their_parent():
    machine = begun(build(task("a"), over("m", "a")))
    machine.handle(Settled("a", Success()))
    machine.handle(Expanded("m", 2))
    machine.handle(Settled("m[0]", Success()))

    last = machine.handle(Settled("m[1]", Failed()))

    assert repr(last[-1]) == "Finish(state=<Failed: 'm[1] failed.'>)"


# Random graphs, orders and outcomes beside a slow and obvious model

OUTCOMES = st.sampled_from([Success, Success, Success, Failed, Skipped, Paused, Retrying])


class _Drive:
    """Feeds a machine events in an order that Hypothesis chooses, and holds the model beside it."""

    def __init__(self, choose, graph, width):
        self.choose = choose
        self.graph = graph
        self.machine = Machine(graph)
        self.model = Model(graph, width)
        self.width = width
        self.out: list[str] = []
        self.asleep: list[str] = []
        #: The last answer to each task that was answered.
        self.answered: dict[str, Answer | None] = {}
        self.paused: list[str] = []
        self.cancelled = False
        self.end = None

    def run(self):
        self.take(self.machine.begin(), self.model.ready())
        while self.end is None or self.paused:
            self.step()
            if self.end is not None and not self.choose(st.booleans(), label="go on after the end"):
                return

    def step(self):
        doings = (
            [self.settle] * 3 * bool(self.out) + [self.wake] * bool(self.asleep) + [self.resume] * bool(self.paused)
        )
        doings += [self.cancel] if not self.cancelled and (self.out or self.asleep) else []
        if self.end is not None:
            doings = [self.resume]
            if self.cancelled:
                self.paused.clear()
                return
        self.choose(st.sampled_from(doings), label="next")()

    def settle(self):
        key = self.pick(self.out)
        if ends(self.machine.states[key]):
            self.settle_as_answered(key)
            return
        self.machine.mark(key, Running())
        if self.graph.specs.get(key) is not None and self.graph.specs[key].is_mapped and self.choose(st.booleans()):
            self.model.split.add(key)
            event = Expanded(key, self.width)
        else:
            kind = self.choose(OUTCOMES)
            state = Retrying(start_time=NOON) if kind is Retrying else kind()
            self.machine.mark(key, state)
            event = Settled(key, state)
            if (
                isinstance(state, Paused)
                and not self.cancelled
                and self.choose(st.booleans(), label="answered at once")
            ):
                self.answer_early(key, event)
                return
            if state.is_finished():
                self.model.finished.add(key)
            elif isinstance(state, Paused):
                self.paused.append(key)
            elif not self.cancelled:
                self.asleep.append(key)
        self.take(self.machine.handle(event), self.model.ready())

    def wake(self):
        key = self.pick(self.asleep)
        self.take(self.machine.handle(Due(key)), {key})

    def resume(self):
        if self.end is not None:  # a live run only
            self.paused.clear()
            return
        key = self.pick(self.paused)
        answer = self.choose(ANSWERS)
        self.take(self.machine.handle(ResumeRequested((key,), answer)), {key})
        if not self.cancelled:
            assert self.machine.waiting((key,)) == []
            self.answered[key] = answer
        assert self.machine.handle(ResumeRequested((key,), self.choose(ANSWERS))) == [] or self.cancelled

    def answer_early(self, key, event):
        """Answer a task that said that it waits, and has yet to settle."""
        answer = self.answered[key] = self.choose(ANSWERS)
        self.take(self.machine.handle(ResumeRequested((key,), answer)), set(), is_early=True)
        assert self.machine.handle(ResumeRequested((key,), self.choose(ANSWERS))) == []
        self.take(self.machine.handle(event), {key})

    def settle_as_answered(self, key):
        """Do what the worker does that takes a task which a person ended."""
        state = ending(key, self.machine.states[key])
        self.machine.mark(key, state)
        self.model.finished.add(key)
        self.take(self.machine.handle(Settled(key, state)), self.model.ready())

    def cancel(self):
        queued = [key for key in self.out if self.choose(st.booleans(), label=f"{key} is still queued")]
        for key in queued:
            self.out.remove(key)
        self.cancelled = True
        self.asleep.clear()
        self.take(self.machine.handle(CancelRequested(tuple(queued))), set())

    def pick(self, keys):
        return keys.pop(self.choose(st.integers(0, len(keys) - 1)))

    def take(self, instructions, expected, *, is_early=False):
        submitted = [key for each in instructions if isinstance(each, Submit) for key in each.keys]
        assert sorted(submitted) == sorted(set() if self.cancelled else expected)
        self.out += submitted
        ends = [each.state for each in instructions if isinstance(each, Finish)]
        is_over = not self.out and not self.asleep and not is_early
        assert len(ends) == is_over
        self.end = ends[0] if ends else None


@given(st.data(), graphs(), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_a_random_run_submits_what_the_model_would_and_ends_once(data, graph, width):
    drive = _Drive(data.draw, graph, width)

    drive.run()

    for key, answer in drive.answered.items():
        if answer is not None and answer.action != "resume" and drive.end is not None:
            assert type(drive.machine.states[key]) is {"skip": Skipped, "reject": Failed}[answer.action]
    unfinished = [key for key in drive.graph.terminal if not drive.model._is_over(key)]
    failed = any(state.is_failed() for state in drive.machine.states.values())
    if drive.cancelled:
        assert isinstance(drive.end, Cancelled)
    elif unfinished:
        assert isinstance(drive.end, Paused)
    else:
        assert type(drive.end) is Success or (failed and type(drive.end) is Failed)


@given(st.data(), plain_graphs())
@settings(max_examples=80, deadline=None)
def test_an_epoch_from_the_middle_visits_what_lies_below_and_each_of_it_once(data, graph):
    start = data.draw(st.lists(st.sampled_from(list(graph.specs)), unique=True, min_size=1))
    outside = [key for key in graph.specs if key not in graph.downstream(start)]
    given_states = {key: data.draw(st.sampled_from([Success, Failed, Pending]))() for key in outside}
    machine = Machine(graph, given_states, start)

    out, visited, finished = [], [], {key for key, state in given_states.items() if state.is_finished()}
    instructions = machine.begin()
    while True:
        fresh = [key for each in instructions if isinstance(each, Submit) for key in each.keys]
        assert all(set(graph.specs[key].upstream) <= finished for key in fresh if key not in start)
        out += fresh
        visited += fresh
        if not out:
            break
        key = out.pop(data.draw(st.integers(0, len(out) - 1)))
        finished.add(key)
        instructions = machine.handle(Settled(key, Success()))

    held_back = set(graph.downstream(start)) - set(visited)
    assert len(visited) == len(set(visited))
    assert set(visited) >= set(start)
    assert all(set(graph.specs[key].upstream) - finished for key in held_back)
    assert isinstance(instructions[-1], Finish)


def test_what_was_resumed_and_cancelled_before_it_began_waits_again():
    machine = begun(build(task("a"), task("b")))
    paused = Paused("Waits.")
    machine.handle(Settled("a", paused))
    machine.handle(ResumeRequested(("a",)))

    machine.handle(CancelRequested(("a",)))

    assert machine.states["a"] is paused


def test_what_looked_too_early_is_told_to_wait_again():
    machine = begun(build(task("a"), task("b", "a"), task("c")))
    machine.handle(Settled("a", Failed()))
    machine.mark("b", TriggerFailed())
    machine.handle(RetryRequested(("a",)))

    then = machine.handle(Settled("b", TriggerFailed()))

    assert [(each.key, type(each.state)) for each in then if isinstance(each, Emit)] == [("b", Pending)]


# Answers


def test_a_task_that_is_rejected_is_submitted_to_be_ended_and_says_so():
    machine = begun(build(task("a"), task("b"), task("c", "a")))
    machine.handle(Settled("a", Paused(cached_inputs={"x": 1})))

    answered = machine.handle(ResumeRequested(("a",), Answer("reject", "ada", "odd")))
    state = ending("a", machine.states["a"])
    below = machine.handle(Settled("a", state))

    assert plain(answered) == [("Emit", "a", "<Resume: 'Rejected by ada: odd'>"), Submit(("a",))]
    assert (type(state), state.message, state.cached_inputs) == (Failed, "Rejected by ada: odd", {})
    assert below == [Submit(("c",))]


def test_other_inputs_are_told_with_the_state_and_outlast_a_cancel():
    machine = begun(build(task("a"), task("b")))
    machine.handle(Settled("a", Paused(cached_inputs={"x": 1, "y": 2})))

    answered = machine.handle(ResumeRequested(("a",), Answer("resume", inputs={"y": 3})))
    machine.handle(CancelRequested(("a",)))

    assert plain(answered) == [("Emit", "a", "<Resume: 'Resumed by a person, with other inputs.'>"), Submit(("a",))]
    assert machine.states["a"].cached_inputs == {"x": 1, "y": 3}
    assert type(machine.states["a"]) is Resume


def test_a_cancel_ends_what_was_skipped_and_had_not_begun():
    machine = begun(build(task("a"), task("b")))
    machine.handle(Settled("a", Paused()))
    machine.handle(ResumeRequested(("a",), Answer("skip", "ada")))

    cancelled = machine.handle(CancelRequested(("a",)))

    assert plain(cancelled) == [("Emit", "a", "<Skipped: 'Skipped by ada.'>")]


def test_ending_a_task_needs_no_slot():
    machine = begun(build(task("a"), task("b"), task("c")), limits=Limits(1))
    machine.handle(Settled("a", Paused()))

    answered = machine.handle(ResumeRequested(("a",), Answer("skip")))

    assert [each for each in answered if isinstance(each, Submit)] == [Submit(("a",))]


def test_a_task_that_begins_to_wait_is_answered_by_its_deadline():
    machine = begun(build(task("a"), task("b")))

    settled = machine.handle(Settled("a", Paused(deadline=NOON, otherwise="skip")))

    assert settled == [AnswerBy("a", NOON.timestamp())]


def test_an_epoch_begins_with_the_deadlines_of_what_waits():
    machine = Machine(build(task("a"), task("b")), {"a": Paused(deadline=NOON, otherwise="skip")}, ["b"])

    assert machine.begin() == [AnswerBy("a", NOON.timestamp()), Submit(("b",))]
