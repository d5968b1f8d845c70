"""Where a run is, and what happens to it where something goes wrong on the way from one place to another."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.engine.state import Cancelled, Cancelling, Crashed, Failed, Mapped, Paused, Pending, Running, Success
from flowbook.exceptions import ExecutorError, RunClaimedError, RunFailedError
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from flowbook.flow_run import run_control
from flowbook.flow_run.location import AtRest, Elsewhere, Here
from flowbook.flow_run.own_process import OwnProcess
from flowbook.flow_run.recording import Recording
from flowbook.flow_run.run_control import RunControl
from flowbook.store import open_store
from tests.executors_of import everywhere
from tests.own_threads import left_since, own_threads

LONG_S = 30
RAN: Counter[str] = Counter()


@task
def one():
    RAN["one"] += 1
    return 1


@task
def inc(x):
    return x + 1


@task(trigger=triggers.manual_only)
def approve(x):
    return x


@task
def fails():
    raise ValueError("the third file is empty")


@task
def below(x):
    return x


def approval():
    with Flow("approval") as flow:
        approve(one())
    return flow


@pytest.fixture
def often_switched():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("often_switched")
@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_thousand_looks_at_runs_as_they_end_see_nothing_that_was_not(is_loaded):
    with Flow("looks") as flow:
        inc.map(inc.map([1, 2, 3]))
    seen, errors = Counter(), []
    over = threading.Event()

    def look_on(run):
        while not over.is_set():
            look(run)
        look(run)

    def look(run):
        try:
            state, states = run.state, dict(run.states)
            known = [type(each) for each in states.values()]
            seen[type(state)] += 1
            assert set(known) <= {Pending, Running, Success, Mapped}, known
            assert len(run.events()) <= len(run.events())
            assert run.logs() == []
            assert repr(run).startswith("<FlowRun")
            assert list(run.states.items())
        except BaseException as error:  # noqa: BLE001  # told by the test
            errors.append(error)

    for _ in range(15):
        over.clear()
        run = flow.start(record=is_loaded)
        looked_at = flowbook.run(run.run_id, flow=flow) if is_loaded else run
        watchers = [threading.Thread(target=look_on, args=(looked_at,)) for _ in range(3)]
        for watcher in watchers:
            watcher.start()
        run.wait(LONG_S)
        for _ in range(70):
            look(looked_at)
        over.set()
        for watcher in watchers:
            watcher.join()
        assert (type(looked_at.wait(LONG_S)), looked_at.where) == (Success, "at rest")

    assert errors == []
    assert set(seen) <= {Pending, Running, Success}
    assert seen.total() >= 1000


def test_a_run_goes_from_rest_to_here_and_back():
    flow = approval()
    run = flow.start(record=True)
    run.wait(LONG_S)

    before = run.where, type(run._control.location)
    run.resume().wait(LONG_S)

    assert (before, run.where, type(run.state)) == (("at rest", AtRest), "at rest", Success)


def test_a_run_is_here_or_elsewhere_while_it_goes_on():
    gate, begun = threading.Event(), threading.Event()

    @task
    def waits():
        begun.set()
        gate.wait(LONG_S)

    with Flow("waits") as flow:
        waits()
    run = flow.start(record=True)
    begun.wait(LONG_S)
    other = flowbook.run(run.run_id, flow=flow)

    places = run.where, type(run._control.location), other.where, type(other._control.location)
    gate.set()

    assert places == ("here", Here, "elsewhere", Elsewhere)
    assert (type(other.wait(LONG_S)), type(run.wait(LONG_S))) == (Success, Success)


def test_a_run_is_cancelling_until_what_runs_has_ended():
    gate, begun = threading.Event(), threading.Event()

    @task
    def waits():
        begun.set()
        gate.wait(LONG_S)

    with Flow("waits") as flow:
        inc(waits())
    run = flow.start()
    begun.wait(LONG_S)

    run.cancel()
    between = type(run.state), repr(run)
    gate.set()

    assert between == (Cancelling, f"<FlowRun {run.number} of 'waits': Cancelling>")
    assert type(run.wait(LONG_S)) is Cancelled


def no_more_threads(*_, **__):
    msg = "can't start new thread"
    raise RuntimeError(msg)


@pytest.mark.parametrize("record", [True, False])
def test_a_run_whose_thread_can_not_start_is_at_rest_and_can_be_started_again(monkeypatch, record):
    flow = approval()

    with monkeypatch.context() as patch:
        patch.setattr(run_control.threads, "spawn", no_more_threads)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            flow.start(record=record)
    run = flow.last_run

    assert (run.where, type(run.wait(LONG_S))) == ("at rest", Pending)
    assert run.resume().wait(LONG_S).is_finished() is False
    assert type(run.state) is Paused


@pytest.mark.parametrize(("name", "act"), [("listen", "resume"), ("emit", "resume"), ("emit", "cancel")])
def test_a_failure_after_the_claim_lets_go_of_the_run(monkeypatch, name, act):
    flow = approval()
    flow.run(record=True)
    run = flowbook.run(flow.last_run.run_id, flow=flow)

    def broken(*_):
        msg = "broken"
        raise OSError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(Recording, name, broken)
        with pytest.raises(OSError, match="broken"):
            getattr(run, act)()

    assert (run.where, open_store().ownership.is_owned(run.run_id)) == ("at rest", False)
    assert type(run.wait(LONG_S)) is Paused
    assert type(run.resume().wait(LONG_S)) is Success


def test_a_late_owner_says_who_took_the_run_over():
    gate, begun = threading.Event(), threading.Event()

    @task
    def waits():
        begun.set()
        gate.wait(LONG_S)

    with Flow("late") as flow:
        inc(waits())
    run = flow.start(record=True)
    begun.wait(LONG_S)
    store = open_store()
    taken = store.ownership.claim(run.run_id, 1, "ada@elsewhere:7")
    lost = threading.Event()
    location = run._control.location
    while location.lost_to is None:  # the listener looks every few hundredths of a second
        lost.wait(0.02)
    gate.set()
    state = run.wait(LONG_S)

    assert taken == 2
    assert type(state) is Cancelled
    assert state.message.startswith(f"Stopped here. ada@elsewhere:7 goes on with run {run.run_id} since ")


def test_a_run_that_recorded_more_than_was_read_is_not_claimed():
    flow = approval()
    flow.run(record=True)
    first = flow.last_run
    run = flowbook.run(first.run_id, flow=flow)
    RAN.clear()

    first.resume(by="ada").wait(LONG_S)

    with pytest.raises(RunClaimedError, match="ada went on with run"):
        run.resume()
    assert (type(run.state), RAN["one"]) == (Success, 0)


def test_a_run_that_ends_while_it_is_loaded_is_shown_as_it_ended(monkeypatch):
    gate = threading.Event()

    @task
    def waits():
        RAN["waits"] += 1
        gate.wait(LONG_S)
        return 1

    with Flow("race") as flow:
        waits()
    RAN.clear()
    run = flow.start(record=True)
    while not RAN["waits"]:
        time.sleep(0)
    real = Recording.inputs

    def inputs(self):
        gate.set()
        run.wait(LONG_S)
        return real(self)

    monkeypatch.setattr(Recording, "inputs", inputs)
    other = flowbook.run(run.run_id, flow=flow)

    assert (type(other.state), type(other["waits"])) == (Success, Success)
    assert RAN["waits"] == 1


def test_logs_of_a_task_do_not_take_longer_for_the_events_of_others():
    @task(log_stdout=True)
    def prints(x):
        print(f"number {x}")  # noqa: T201
        return x

    with Flow("prints") as flow:
        prints.map(list(range(50)))
    flow.run()
    run = flow.last_run

    assert [line.text.strip() for line in run.logs("prints[7]")] == ["number 7"]
    assert [line.seq for line in run.logs()] == sorted(line.seq for line in run.logs())
    assert len(run.logs()) == 50
    assert run.logs("prints") == []


def test_resume_is_answered_while_a_mapped_task_is_split(often_switched):  # noqa: ARG001
    with Flow("split") as flow:
        approve(one())
        for _ in range(4):
            inc.map(inc.map(list(range(400))))
    run = flow.start(executor=LocalDaskExecutor(num_workers=2))
    said = Counter()

    while run.is_live:
        try:
            run.resume()
        except Exception as error:  # noqa: BLE001  # told by the test
            said[type(error).__name__] += 1

    assert set(said) <= {"StartTaskError"}
    assert type(run.wait(LONG_S)) is Success


class Unavailable(LocalExecutor):
    """An executor whose workers can't start."""

    def start(self):
        msg = "There is no cluster."
        raise ExecutorError(msg)


@pytest.mark.parametrize("act", ["resume", "retry"])
def test_a_run_whose_workers_could_not_start_goes_on_once_they_can(act):
    with Flow("mapped") as flow:
        inc.map(inc.map([1, 2, 3]))
    states = {"inc": Mapped(map_states=[Success(result=2), Pending(), Pending()])}

    failed = flow.run(executor=Unavailable(), record=True, task_states=states)
    run = flowbook.run(flow.last_run.run_id, flow=flow, executor=LocalExecutor())
    getattr(run, act)().wait(LONG_S)

    assert (type(failed), failed.message) == (Failed, "There is no cluster.")
    assert (type(run.state), run["inc-2"].result) == (Success, [3, 4, 5])


# What `flow.run` takes


@everywhere
def test_a_failed_run_raises_what_failed_where_that_is_asked_for(executor):
    with Flow("broken", executor=executor) as flow:
        below(fails())

    with pytest.raises(RunFailedError) as caught:
        flow.run(raise_on_failure=True)

    error = caught.value
    assert (error.keys, type(error.state), repr(error.__cause__)) == (
        ("fails",),
        Failed,
        "ValueError('the third file is empty')",
    )
    line = fails.run.__code__.co_firstlineno + 2
    assert str(error) == (
        f"Run {flow.last_run.number} of 'broken' failed at {__file__}:{line}: {error.state.message.removesuffix('.')}. "
        "Run what failed again with flow.last_run.retry()."
    )
    frames = [Path(frame.filename).name for frame in traceback.extract_tb(error.__cause__.__traceback__)]
    assert [name for name in frames if name != Path(__file__).name] == []
    assert type(flow.run(raise_on_failure=False)) is Failed
    assert type(approval().run(raise_on_failure=True)) is Paused


def test_a_run_has_a_name_which_its_tasks_see_and_which_is_recorded():
    @task
    def reads():
        return flowbook.context.get("flow_run_name")

    with Flow("named") as flow:
        read = reads()
    state = flow.run(flow_run_name="nightly", record=True)

    assert (state.result[read].result, flow.last_run.name) == ("nightly", "nightly")
    assert flowbook.run(flow.last_run.run_id).name == "nightly"


def test_a_run_that_is_given_a_finished_state_runs_nothing():
    flow = approval()
    RAN.clear()

    state = flow.run(state=Success("Done before."))

    assert (state.message, RAN["one"], type(flow.last_run.state)) == ("Done before.", 0, Success)
    assert type(flow.run(state=Pending())) is Paused


def test_a_crashed_run_is_crashed_for_all_who_load_it():
    flow = approval()
    flow.run(record=True)
    run_id = flow.last_run.run_id
    store = open_store()
    epoch = store.ownership.claim(run_id, 1, "ada@elsewhere:7")
    store.ownership.release(run_id, epoch)

    before = own_threads()
    found = flowbook.run(run_id, flow=flow)

    assert type(found.state) in {Paused, Crashed}
    assert type(found.resume().wait(LONG_S)) is Success
    assert {name for name in left_since(before) if name.startswith("flowbook-follow")} == set()


def test_what_was_below_a_failure_runs_after_a_retry_that_was_cancelled():
    again, go = threading.Event(), threading.Event()
    calls = []

    @task
    def fails_once():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError
        again.set()
        go.wait(30)
        return 1

    with Flow("f") as flow:
        inc(fails_once())
    flow.run(record=True)
    run = flow.last_run
    run.retry()
    assert again.wait(30)
    run.cancel()
    go.set()
    run.wait(30)

    loaded = flowbook.run(run.run_id, flow=flow)
    states = {key: type(state) for key, state in loaded.states.items()}
    loaded.resume(force=True)
    state = loaded.wait(30)

    assert states == {"fails_once": Success, "inc": Pending}
    assert (type(state), loaded["inc"].result) == (Success, 2)


def test_all_threads_tell_the_same_object_of_the_process_that_a_run_has(monkeypatch):
    control, of_another = object.__new__(RunControl), []
    make = OwnProcess.__init__

    def made(self, given):
        if not of_another:  # another thread asks while this one makes it
            of_another.append(None)
            of_another[0] = given.own_process
        make(self, given)

    monkeypatch.setattr(OwnProcess, "__init__", made)

    assert control.own_process is of_another[0]
    assert control.own_process is of_another[0]
