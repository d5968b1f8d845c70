"""Subscribers that act from inside an event: each event comes once, in order, and whatever they call answers."""

from __future__ import annotations

import logging
import subprocess
import textwrap
import threading

import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Cancelled, Failed, Mapped, Paused, Running, Success
from flowbook.flow_run.run import start_run
from tests.executors_of import HERE, any_executor
from tests.scripts import start, wait_for

LONG_S = 30

everywhere = pytest.mark.parametrize("executor", ["local", "threads", "processes"], indirect=True)


@pytest.fixture
def executor(request):
    return any_executor(request)


@task
def numbers():
    return [1, 2, 3]


@task
def double(x):
    return 2 * x


@task(trigger=triggers.manual_only)
def approve(x):
    return x


class Acting:
    """A subscriber that calls `act` with each event that `fits`, once."""

    def __init__(self, fits, act):
        self.fits = fits
        self.act = act
        self.seqs = []
        self.answers = []

    def emit(self, event):
        self.seqs.append(event.seq)
        if self.fits(event) and not self.answers:
            self.answers.append(self.act())


def change_to(kind, key=None):
    return lambda event: isinstance(event, StateChanged) and type(event.state) is kind and key in (None, event.key)


def started(flow, sink_of, **options):
    """Start a run with a subscriber from its first event on; return both."""
    run = start_run(flow, None, options)
    sink = sink_of(run)
    run.subscribe(sink)
    run.run_behind()
    return run, sink


def with_approval():
    with Flow("approval") as flow:
        approve(double.map(numbers()))
    return flow


@everywhere
def test_a_subscriber_cancels_its_run(executor):
    with Flow("mapped", executor=executor) as flow:
        double.map(numbers())

    run, sink = started(flow, lambda run: Acting(change_to(Success, "numbers"), lambda: run.cancel(note="enough")))
    state = run.wait(LONG_S)

    assert type(state) is Cancelled
    assert sink.seqs == [event.seq for event in run.events()] == list(range(1, len(sink.seqs) + 1))


@everywhere
@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("key", ["approve", FLOW])
def test_a_subscriber_resumes_its_run_when_it_pauses(executor, record, key):
    flow = with_approval()

    run, sink = started(flow, lambda run: Acting(change_to(Paused, key), run.resume), executor=executor, record=record)
    wait_until_over(run)

    assert [type(run.state), type(run["approve"]), run["approve"].result] == [Success, Success, [2, 4, 6]]
    assert sink.seqs == [event.seq for event in run.events()] == list(range(1, len(sink.seqs) + 1))


@everywhere
def test_a_subscriber_cancels_a_run_that_has_just_paused(executor):
    flow = with_approval()

    run, _ = started(flow, lambda run: Acting(change_to(Paused, FLOW), run.cancel), executor=executor, record=True)
    wait_until_over(run)

    assert type(run.state) is Cancelled
    assert type(flowbook.run(run.run_id).state) is Cancelled


@everywhere
def test_a_subscriber_looks_at_its_run_and_waits_for_another(executor):
    flow, other = with_approval(), with_approval()
    other.run(record=False)

    def look(run):
        return [
            type(run.state),
            run.wait(0) is run.state,
            type(other.last_run.wait(LONG_S)),
            len(run.states),
            len(run.logs()),
        ]

    run, sink = started(flow, lambda run: Acting(change_to(Mapped), lambda: look(run)), executor=executor)
    run.wait(LONG_S)

    assert sink.answers == [[Running, True, Paused, 6, 0]]


@everywhere
def test_a_subscriber_that_waits_for_its_own_run_is_refused_and_the_run_goes_on(executor, caplog):
    with Flow("waits", executor=executor) as flow:
        double(3)

    run, sink = started(flow, lambda run: Acting(change_to(Running, FLOW), run.wait))
    state = run.wait(LONG_S)

    assert (type(state), sink.answers) == (Success, [])
    assert [record.message for record in caplog.records if record.name == "flowbook"] == [
        f"A subscriber of run {run.number} of 'waits' raised. It gets no more events; the run goes on."
    ]
    assert f"A subscriber can't wait for run {run.number} of 'waits'" in caplog.text


def test_events_come_to_all_subscribers_alike_while_other_threads_act():
    with Flow("busy") as flow:
        for _ in range(20):
            double.map(numbers())
    run = start_run(flow, None, {"executor": HERE["threads"]()})
    sinks = [Acting(lambda _: False, None) for _ in range(3)]
    stops = [run.subscribe(sink) for sink in sinks]
    run.run_behind()
    threads = [threading.Thread(target=lambda: [run.states.items() and run.state for _ in range(50)]) for _ in range(3)]

    for thread in threads:
        thread.start()
    run.wait(LONG_S)
    for thread in threads:
        thread.join()
    for stop in stops:
        stop()

    told = [event.seq for event in run.events()]
    assert [sink.seqs for sink in sinks] == [told, told, told]


def wait_until_over(run):
    """Wait for a run that somebody else resumes or cancels once it has come to rest."""
    done = threading.Event()

    class Over:
        def emit(self, event):
            if event.key == FLOW and isinstance(event, StateChanged) and event.state.is_finished():
                done.set()

    stop = run.subscribe(Over())
    if not run.state.is_finished():
        assert done.wait(LONG_S)
    stop()
    run.wait(LONG_S)


# A run that another process has

OWNER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from flowbook import Flow, task, triggers

    FOLDER = Path(sys.argv[1])

    @task
    def first():
        while not (FOLDER / "go").exists():
            time.sleep(0.01)
        return 1

    @task
    def second(x):
        while (FOLDER / "hold").exists():
            time.sleep(0.01)
        return x

    @task(trigger=triggers.manual_only)
    def approve(x):
        return "approved"

    with Flow("far") as flow:
        approve(second(first()))
    run = flow.start(record=True)
    print(run.run_id, flush=True)
    sys.stdin.readline()
""")


@pytest.fixture
def far(tmp_path):
    """A run of another process that waits for the file `go`."""
    process = start(OWNER, tmp_path, tmp_path, stdin=subprocess.PIPE)
    yield flowbook.run(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_a_subscriber_cancels_a_run_of_another_process(far, tmp_path):
    (tmp_path / "hold").touch()

    def act():
        far.cancel(by="ada")
        (tmp_path / "hold").unlink()

    sink = Acting(change_to(Success, "first"), act)
    far.subscribe(sink)
    (tmp_path / "go").touch()
    wait_until_over(far)

    assert (type(far.state), far.where) == (Cancelled, "at rest")
    assert sink.seqs == sorted(set(sink.seqs))


@pytest.mark.parametrize("key", ["approve", FLOW])
def test_a_subscriber_resumes_a_run_of_another_process(far, tmp_path, key):
    sink = Acting(change_to(Paused, key), far.resume)
    far.subscribe(sink)
    (tmp_path / "go").touch()
    wait_until_over(far)

    assert (type(far.state), far["approve"].result) == (Success, "approved")
    assert sink.seqs == sorted(set(sink.seqs))


def test_a_slow_subscriber_of_a_run_of_another_process_keeps_nobody_from_looking(far, tmp_path):
    holds, is_held = threading.Event(), threading.Event()

    class Slow:
        def emit(self, _):
            is_held.set()
            holds.wait(LONG_S)
            far.state  # noqa: B018  # a look from inside an event

    far.subscribe(Slow())
    (tmp_path / "go").touch()
    assert is_held.wait(LONG_S)

    seen = [type(far.state) in {Running, Paused}, far.where in {"elsewhere", "at rest"}, len(far.states)]
    holds.set()

    assert seen == [True, True, 3]
    wait_for(tmp_path / "go")


def test_a_subscriber_may_wait_for_a_thread_that_retries_its_run():
    attempts = []

    @task
    def fail_once():
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("no")

    with Flow("joins") as flow:
        fail_once()

    def retry_in_a_thread():
        thread = threading.Thread(target=run.retry, daemon=True)
        thread.start()
        thread.join()
        return "retried"

    run = start_run(flow, None, {})
    subscriber = Acting(change_to(Failed, FLOW), retry_in_a_thread)
    run.subscribe(subscriber)
    is_over = threading.Event()
    run.subscribe(Acting(change_to(Success, FLOW), is_over.set))

    run.run_behind()
    came = is_over.wait(LONG_S)

    assert (came, subscriber.answers, len(attempts), type(run.wait(LONG_S))) == (True, ["retried"], 2, Success)


def test_a_subscriber_that_raises_gets_no_more(caplog):
    caplog.set_level(logging.ERROR)
    with Flow("raises") as flow:
        double(None)

    run, sink = started(flow, lambda _: Acting(lambda _: True, lambda: 1 / 0))
    state = run.wait(LONG_S)

    assert (type(state), sink.seqs) == (Failed, [1])
    assert "A subscriber of run" in caplog.text
