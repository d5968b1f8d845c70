"""Tasks that nobody answers in time: the answer is given by "deadline", once, by whoever has the run or looks at it next."""

from __future__ import annotations

import datetime as dt
import threading
import time
from types import SimpleNamespace

import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.engine import decided_epoch
from flowbook.engine.events import Decided, StateChanged
from flowbook.engine.state import Failed, Paused, Resume, Skipped, Success
from flowbook.engine.timers import Timers
from flowbook.exceptions import ResultGoneError, RunClaimedError, StartTaskError
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from flowbook.flow_run.overdue import answer_overdue
from flowbook.store import open_store

LONG_S = 30
SOON = 0.05
GATE = threading.Event()
KINDS = {"reject": Failed, "approve": Success, "skip": Skipped}


@task
def gate():
    GATE.wait(LONG_S)


@task(trigger=triggers.manual_only)
def approve(x):
    return x


@task(trigger=triggers.all_finished, skip_on_upstream_skip=False)
def tell(x):
    return repr(x)


def approval(otherwise, *, deadline=SOON, is_live=False, name="approval"):
    with Flow(name) as flow:
        waits = approve.copy(deadline=deadline, otherwise=otherwise, asks="finance")
        tell(waits(7))
        if is_live:
            gate()
    return flow


def at_rest(otherwise="reject", *, deadline=600.0, **options):
    """Return a run that has come to rest long before its deadline."""
    flow = approval(otherwise, deadline=deadline, **options)
    flow.run(record=True)
    return flow.last_run


def decisions(run):
    return [(event.key, event.action, event.by) for event in run.events() if isinstance(event, Decided)]


class Ended:
    """Sets an event once a task has ended."""

    def __init__(self, key):
        self.key = key
        self.over = threading.Event()

    def emit(self, event):
        if isinstance(event, StateChanged) and event.key == self.key and event.state.is_finished():
            self.over.set()


def later(run):
    return run["approve"].deadline.timestamp() + 0.001


@pytest.mark.parametrize("otherwise", list(KINDS))
def test_a_live_run_answers_at_the_deadline_while_others_run(otherwise):
    GATE.clear()
    flow = approval(otherwise, is_live=True)
    told = Ended("tell")

    run = flow.start(executor=LocalDaskExecutor("threads", num_workers=2), record=True)
    run.subscribe(told)
    assert told.over.wait(LONG_S) or run["tell"].is_finished()
    is_live = run.is_live
    GATE.set()
    run.wait(LONG_S)

    action = {"approve": "resume"}.get(otherwise, otherwise)
    assert (is_live, type(run["approve"]), decisions(run)) == (
        True,
        KINDS[otherwise],
        [("approve", action, "deadline")],
    )
    note = next(event.note for event in run.events() if isinstance(event, Decided))
    waited = next(e.state for e in run.events() if isinstance(e, StateChanged) and isinstance(e.state, Paused))
    assert note == f"Nobody answered by {waited.deadline:%Y-%m-%d %H:%M:%S} UTC."


def test_the_deadline_is_known_while_the_task_waits():
    run = at_rest(deadline=dt.timedelta(hours=8), otherwise="skip")
    loaded = flowbook.run(run.run_id, flow=run.flow)

    for state in (run["approve"], loaded["approve"]):
        assert (state.deadline - state.timestamp, state.otherwise, state.asks) == (
            dt.timedelta(hours=8),
            "skip",
            "finance",
        )
        text = f"<Paused: 'Waits for a person, by its trigger manual_only.', skip at {state.deadline:%Y-%m-%d %H:%M:%S} UTC>"
        assert repr(state) == text
    assert (run.state.deadline, run.state.otherwise) == (run["approve"].deadline, "skip")
    assert loaded.state.deadline == run.state.deadline


def test_a_recorded_run_whose_only_thread_is_busy_records_the_answer_in_time():
    GATE.clear()
    flow = approval("reject", is_live=True)

    run = flow.start(executor=LocalExecutor(), record=True)
    while not decisions(run):
        run.wait(0.01)
    between = type(run["approve"])
    GATE.set()
    run.wait(LONG_S)

    assert (between, type(run["approve"]), decisions(run)) == (Resume, Failed, [("approve", "reject", "deadline")])


def test_a_person_who_comes_after_the_deadline_is_too_late():
    run = at_rest("reject", deadline=1.0)
    loaded = flowbook.run(run.run_id, flow=run.flow)
    wait_until(later(run))

    with pytest.raises(RunClaimedError) as refused:
        loaded.resume("approve", by="ada")
    loaded.wait(LONG_S)

    assert str(refused.value) in {
        f"approve does not wait any more: it is {name}, rejected by deadline." for name in ("Resume", "Failed")
    }
    assert (type(loaded["approve"]), decisions(loaded)) == (Failed, [("approve", "reject", "deadline")])


def test_a_person_who_comes_in_time_is_heard():
    run = at_rest("reject", deadline=3600)

    run.resume("approve", by="ada").wait(LONG_S)

    assert run.answer_overdue(time.time() + 7200) == ()
    assert decisions(run) == [("approve", "resume", "ada")]


def test_a_run_at_rest_is_answered_once_whoever_looks_how_often():
    run = at_rest("skip")
    now = later(run)
    looks = [flowbook.run(run.run_id, flow=run.flow) for _ in range(6)]
    found = []

    def look(each):
        try:
            found.append(each.answer_overdue(now))
        except (RunClaimedError, StartTaskError) as error:
            found.append(error)

    people = [threading.Thread(target=look, args=(each,)) for each in looks]
    for person in people:
        person.start()
    for person in people:
        person.join()
    for each in looks:
        each.wait(LONG_S)
    after = flowbook.run(run.run_id, flow=run.flow)

    assert {type(each) for each in found} == {tuple}
    assert (decisions(after), type(after["approve"]), after["tell"].result) == (
        [("approve", "skip", "deadline")],
        Skipped,
        "None",
    )


def test_looking_at_a_run_before_its_deadline_or_with_a_clock_that_was_set_back_answers_nothing():
    run = at_rest("reject", deadline=3600)
    store = open_store()
    moment = run["approve"].deadline.timestamp()

    early = [run.answer_overdue(now) for now in (0.0, moment - 7200, moment - 0.001)]
    stores = [answer_overdue(store, now) for now in (0.0, moment - 0.001)]

    assert (early, stores) == ([()] * 3, [[], []])
    assert (run.state.is_paused(), decisions(run)) == (True, [])


def test_all_overdue_runs_of_a_store_are_answered_and_one_that_can_not_go_on_holds_up_none(monkeypatch):
    runs = [at_rest(otherwise, name=otherwise) for otherwise in ("reject", "approve", "skip")]
    waits_long = at_rest("reject", deadline=3600, name="long")
    store = open_store()
    now = max(map(later, runs))
    real = flowbook.flow_run.recording.Recording.flow

    def flow(recording):
        if recording.run_id == runs[1].run_id:
            msg = "It was dropped."
            raise ResultGoneError(msg)
        return real(recording)

    monkeypatch.setattr(flowbook.flow_run.recording.Recording, "flow", flow)
    monkeypatch.setattr("flowbook.flow_run.recording.Recording.changes", lambda *_: None)
    found = answer_overdue(store, now)
    for each in found:
        if each.run is not None:
            each.run.wait(LONG_S)
    again = answer_overdue(store, now)

    assert [(each.run_id, each.keys, type(each.error)) for each in found] == [
        (runs[0].run_id, ("approve",), type(None)),
        (runs[1].run_id, (), ResultGoneError),
        (runs[2].run_id, ("approve",), type(None)),
    ]
    assert [each.run_id for each in again] == [runs[1].run_id]
    states = [type(flowbook.run(run.run_id, flow=run.flow)["approve"]) for run in [runs[0], runs[2], waits_long]]
    assert states == [Failed, Skipped, Paused]


def test_whoever_looks_may_let_another_process_go_on():
    run = at_rest("reject")
    told = []

    found = answer_overdue(open_store(), later(run), go_on=told.append)

    assert (told, [(each.run_id, each.run, each.error) for each in found]) == ([run.run_id], [(run.run_id, None, None)])
    assert run.state.is_paused()


def test_an_imported_run_has_its_deadline(tmp_path, monkeypatch):
    run = at_rest("reject")
    open_store().export_run(run.run_id, tmp_path / "run.zip")
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "other"))
    store = open_store()

    store.import_run(tmp_path / "run.zip", trust=True)

    assert store.runs.overdue(later(run)) == [run.run_id]
    assert store.runs.overdue(later(run) - 10) == []


def test_each_child_has_a_deadline_of_its_own():
    with Flow("children") as flow:
        approve.copy(deadline=3600, otherwise="approve").map([1, 2, 3])
    flow.run(record=True)
    run = flow.last_run
    run.reject("approve[1]", by="ada").wait(LONG_S)
    last = max(run[f"approve[{n}]"].deadline.timestamp() for n in (0, 2))

    answered = run.answer_overdue(last)
    run.wait(LONG_S)

    assert answered == ("approve[0]", "approve[2]")
    assert [type(child) for child in run["approve"].map_states] == [Success, Failed, Success]
    assert decisions(run) == [
        ("approve[1]", "reject", "ada"),
        ("approve[0]", "resume", "deadline"),
        ("approve[2]", "resume", "deadline"),
    ]


def test_a_resume_of_another_task_answers_what_is_overdue_first():
    with Flow("two") as flow:
        approve.copy(name="first", deadline=1.0, otherwise="skip")(1)
        approve.copy(name="second")(2)
    flow.run(record=True)
    run = flow.last_run
    wait_until(run["first"].deadline.timestamp() + 0.001)

    run.resume("second", by="ada").wait(LONG_S)

    assert decisions(run) == [("first", "skip", "deadline"), ("second", "resume", "ada")]
    assert (type(run["first"]), type(run["second"])) == (Skipped, Success)


def test_a_cancelled_run_has_no_deadlines():
    run = at_rest("approve")
    now = later(run)
    run.cancel()

    assert (run.answer_overdue(now), open_store().runs.overdue(now)) == ((), [])
    assert decisions(run) == [("", "cancel", "")]


class Clock:
    """Two clocks: one that people set, and one that only goes on."""

    def __init__(self):
        self.set_by_s = 0.0

    def now(self):
        return time.time() + self.set_by_s


@pytest.mark.parametrize("back_s", [3600.0, 1.2, 0.5])
def test_a_clock_that_is_set_back_while_a_task_waits_does_no_harm(monkeypatch, back_s):
    clock = Clock()
    monkeypatch.setattr(decided_epoch, "Timers", lambda: Timers(clock.now))
    monkeypatch.setattr(decided_epoch, "time", SimpleNamespace(time=clock.now))
    GATE.clear()
    flow = approval("reject", is_live=True, deadline=1.0)
    run = flow.start(executor=LocalDaskExecutor("threads", num_workers=2), record=True)
    while not isinstance(run.states["approve"], Paused):
        run.wait(0.005)

    clock.set_by_s = -back_s
    wait_until(later(run) + 0.1)
    before = decisions(run)
    clock.set_by_s = 0.0
    told = Ended("tell")
    run.subscribe(told)
    assert run["tell"].is_finished() or told.over.wait(LONG_S)
    GATE.set()
    run.wait(LONG_S)

    if back_s > 1000:  # more than two clocks drift apart
        assert before == []
    assert decisions(run) == [("approve", "reject", "deadline")]


def wait_until(moment):
    over = threading.Event()
    while time.time() < moment:
        over.wait(moment - time.time())
