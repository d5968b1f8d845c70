import datetime as dt
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.graph import RetryPolicy
from flowbook.engine.state import (
    Cached,
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Skipped,
    State,
    Success,
)
from flowbook.engine.task_progress import TaskProgress
from flowbook.notebook.child_counts import MOST_CHILDREN
from flowbook.notebook.run_projection import RunProjection
from flowbook.notebook.view_model import ProgressView, TaskView
from tests.graphs import build, task
from tests.pace import slowness


def _at(state: State, at: float) -> State:
    state.at = at
    return state


def _mapped(width: int) -> RunProjection:
    projection = RunProjection(build(task("clean", is_mapped=True)))
    projection.apply(StateChanged(1, "clean", Mapped(n_map_states=width)))
    return projection


def test_a_task_counts_from_when_it_began_to_run_and_says_how_long_it_took() -> None:
    projection = RunProjection(build(task("clean")))

    projection.apply(StateChanged(1, "clean", _at(Running(), 100.0)))
    going = projection.task("clean", 105.0)
    projection.apply(StateChanged(2, "clean", _at(Success(), 103.8)))
    done = projection.task("clean", 110.0)

    assert going == TaskView("Running", since=100.0)
    assert done == TaskView("Success", since=103.8, duration_s=pytest.approx(3.8))


def test_the_time_between_two_attempts_of_a_child_is_none_of_the_mapped_task() -> None:
    projection = _mapped(2)
    states = [
        ("clean[0]", _at(Running(), 10.0)),
        ("clean[1]", _at(Running(), 11.0)),
        ("clean[0]", _at(Success(), 12.0)),
        ("clean[1]", _at(Failed(), 14.0)),
    ]
    for number, (key, state) in enumerate(states, 2):
        projection.apply(StateChanged(number, key, state))

    failed = projection.task("clean", 20.0)
    projection.apply(StateChanged(7, "clean[1]", _at(Running(), 100.0)))
    going = projection.task("clean", 101.0)
    projection.apply(StateChanged(8, "clean[1]", _at(Success(), 103.0)))
    done = projection.task("clean", 110.0)

    assert (failed.duration_s, failed.since) == (4.0, 14.0)
    assert (going.since, going.duration_s) == (96.0, None)
    assert done.duration_s == 7.0


def test_a_task_that_waits_asks_what_its_author_wrote() -> None:
    def approve():
        """Publish the total?"""

    spec = task("approve")._replace(is_manual=True, run=approve)
    projection = RunProjection(build(spec))

    projection.apply(StateChanged(1, "approve", Paused("Waits for a person, by its trigger manual_only.")))

    assert projection.task("approve", 1.0).message == "Publish the total?"


def test_what_a_run_rested_before_it_went_on_is_added_up() -> None:
    projection = RunProjection(build(task("approve")))

    states = [
        _at(Running(), 10.0),
        _at(Paused(), 11.0),
        _at(Running(), 71.0),
        _at(Failed(), 72.0),
        _at(Running(), 80.0),
    ]
    for seq, state in enumerate(states):
        projection.apply(StateChanged(seq, FLOW, state))

    assert projection.rested_s == 60.0 + 8.0


def test_attempts_are_counted_through_retries() -> None:
    projection = RunProjection(build(task("fetch", retry=RetryPolicy(3, 1.0))))

    views = []
    for seq, state in enumerate([Running(), Retrying(run_count=1), Running(), Success()]):
        projection.apply(StateChanged(seq, "fetch", state))
        views.append(projection.task("fetch", 0.0))

    assert [(view.attempt, view.max_attempts) for view in views] == [(1, 4), (2, 4), (2, 4), (2, 4)]
    assert views[1].due is not None
    assert [view.note for view in views] == ["", "then attempt 2 of 4", "attempt 2 of 4", "on attempt 2 of 4"]


def test_a_task_that_waits_is_due_at_its_deadline() -> None:
    projection = RunProjection(build(task("approve")))
    moment = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)

    views = []
    for seq, state in enumerate([Paused(), Paused(deadline=moment, otherwise="skip"), Paused(start_time=moment)]):
        projection.apply(StateChanged(seq, "approve", state))
        views.append(projection.task("approve", 0.0))

    assert [view.due for view in views] == [None, moment.timestamp(), moment.timestamp()]


def test_an_older_event_changes_nothing() -> None:
    projection = RunProjection(build(task("clean")))
    projection.apply(StateChanged(5, "clean", Success()))

    changed = projection.apply(StateChanged(4, "clean", Running()))

    assert changed == ()
    assert projection.task("clean", 0.0).state == "Success"


def test_children_are_counted_and_those_not_heard_of_are_pending() -> None:
    projection = _mapped(12)
    for index in range(7):
        projection.apply(StateChanged(10 + index, f"clean[{index}]", Success()))
    projection.apply(StateChanged(20, "clean[7]", Running()))
    projection.apply(StateChanged(21, "clean[7]", Failed(result=ValueError("no"))))

    view = projection.task("clean", 0.0)

    assert (view.state, view.width, view.counts) == ("Running", 12, {"Success": 7, "Failed": 1, "Pending": 4})


def test_a_mapped_task_took_from_its_first_child_to_its_last() -> None:
    projection = _mapped(2)
    for seq, (index, state, at) in enumerate([(0, Running(), 10.0), (1, Running(), 11.0), (0, Success(), 12.0)], 10):
        projection.apply(StateChanged(seq, f"clean[{index}]", _at(state, at)))
    going = projection.task("clean", 0.0)
    projection.apply(StateChanged(20, "clean[1]", _at(Success(), 15.0)))
    done = projection.task("clean", 0.0)

    assert (going.state, going.since, going.duration_s) == ("Running", 10.0, None)
    assert (done.state, done.duration_s) == ("Success", 5.0)


def test_only_children_that_need_somebody_are_told_by_themselves() -> None:
    projection = _mapped(3)

    assert projection.apply(StateChanged(2, "clean[0]", Success())) == ("clean",)
    assert projection.apply(StateChanged(3, "clean[1]", Paused())) == ("clean", "clean[1]")
    assert projection.apply(StateChanged(4, "clean[1]", Running())) == ("clean", "clean[1]")
    assert set(projection.tasks(0.0)) == {"clean"}


def test_of_many_failed_children_only_some_are_shown_and_others_move_up() -> None:
    projection = _mapped(MOST_CHILDREN + 10)
    for index in range(MOST_CHILDREN + 10):
        projection.apply(StateChanged(10 + index, f"clean[{index}]", Failed()))
    before = set(projection.tasks(0.0))

    projection.apply(StateChanged(1000, "clean[3]", Success()))

    after = set(projection.tasks(0.0))
    assert len(before) == len(after) == MOST_CHILDREN + 1
    assert before - after == {"clean[3]"}
    assert after - before == {f"clean[{MOST_CHILDREN}]"}


def test_a_run_from_the_store_is_taken_from_its_states() -> None:
    projection = RunProjection(build(task("clean", is_mapped=True), task("load")))

    projection.load([], {"load": Success(), "clean": Mapped(map_states=[Success(), Failed()])})

    assert projection.task("load", 0.0).state == "Success"
    assert projection.task("clean", 0.0).counts == {"Success": 1, "Failed": 1}
    assert "clean[1]" in projection.tasks(0.0)


def test_the_runs_own_state_and_what_is_not_ours() -> None:
    projection = RunProjection(build(task("clean")))

    assert projection.apply(StateChanged(1, FLOW, Running())) == (FLOW,)
    assert projection.apply(StateChanged(2, "nobody", Running())) == ()
    assert projection.apply(StateChanged(3, "clean[0]", Running())) == ()
    assert projection.apply(Logged(4, "clean", 0.0, 20, "hello")) == ()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from([Pending, Running, Success, Failed, Retrying, Skipped, Cancelled, Paused]),
        )
    )
)
def test_counts_are_those_of_the_newest_states(changes: list[tuple[int, type[State]]]) -> None:
    projection = _mapped(6)
    newest = dict.fromkeys(range(6), "Pending")

    for seq, (index, kind) in enumerate(changes, 10):
        projection.apply(StateChanged(seq, f"clean[{index}]", kind()))
        newest[index] = kind.__name__

    counts = projection.task("clean", 0.0).counts
    assert counts == {name: list(newest.values()).count(name) for name in newest.values()}


def test_a_hundred_thousand_children_cost_the_same_each() -> None:
    projection = _mapped(100_000)
    state = Success()

    began = time.process_time()
    for index in range(100_000):
        projection.apply(StateChanged(10 + index, f"clean[{index}]", state))
    view = projection.task("clean", 0.0)
    took_s = time.process_time() - began

    assert view.counts == {"Success": 100_000}
    assert took_s < 2.0 * slowness()


def test_an_output_that_this_run_made_is_told_from_one_that_served() -> None:
    made = dt.datetime.fromtimestamp(1000.0, dt.UTC)
    projection = RunProjection(build(task("ran"), task("served")))

    projection.apply(StateChanged(1, "ran", _at(Running(), 998.0)))
    projection.apply(StateChanged(2, "ran", _at(Cached(created=made, entry="e1", made_here=True), 1000.2)))
    projection.apply(StateChanged(3, "served", _at(Cached(created=made, entry="e1"), 8200.0)))

    views = {key: projection.task(key, 8200.0) for key in ("ran", "served")}
    assert [(view.note, view.created) for view in views.values()] == [
        ("kept for good", None),
        ("served from the cache", 1000.0),
    ]
    assert views["ran"].duration_s == pytest.approx(2.2)


def test_a_failed_task_tells_its_error_as_its_message() -> None:
    projection = RunProjection(build(task("clean")))
    projection.apply(
        StateChanged(1, "clean", Failed("Unexpected error", result=ValueError("80 flights have no weather")))
    )

    assert projection.task("clean", 0.0).message == "ValueError: 80 flights have no weather"


def test_a_warning_of_the_whole_run_stands_until_something_else_is_said_of_it() -> None:
    projection = RunProjection(build(task("clean")))
    projection.apply(StateChanged(1, FLOW, Running()))

    changed = [projection.apply(Logged(2, FLOW, 0.0, 30, "No workers."))]
    told = [projection.warning]
    changed += [
        projection.apply(Logged(3, "clean", 0.0, 30, "of a task")),
        projection.apply(Logged(4, FLOW, 0.0, 20, "It goes on.")),
    ]
    told += [projection.warning]

    assert changed == [(FLOW,), (), (FLOW,)]
    assert told == ["No workers.", ""]


def test_a_warning_of_the_whole_run_is_over_when_the_run_is() -> None:
    projection = RunProjection(build(task("clean")))
    projection.apply(Logged(2, FLOW, 0.0, 30, "No workers."))

    projection.apply(StateChanged(3, FLOW, Cancelled()))
    projection.apply(Logged(2, FLOW, 0.0, 30, "No workers."))

    assert projection.warning == ""


def test_a_running_task_shows_how_far_it_is_and_a_finished_one_does_not() -> None:
    projection = RunProjection(build(task("load")))
    progress = TaskProgress(287, 700, "load", "files", 12.0, 5.0)

    before = projection.progressed("load", progress)
    projection.apply(StateChanged(1, "load", Running()))
    running = projection.task("load", 6.0).progress
    projection.apply(StateChanged(2, "load", Success()))

    assert before == ("load",)
    assert running == ProgressView(287, 700, "load", "files", 12.0)
    assert projection.task("load", 6.0).progress is None
