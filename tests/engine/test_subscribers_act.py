"""Subscribers who act on the run from inside an event, in its thread and in others, wherever its tasks run."""

from __future__ import annotations

import threading

import pytest

from flowbook import Flow, task, triggers
from flowbook._utils.locks import held_locks
from flowbook.engine.events import Decided, StateChanged
from flowbook.engine.state import Cancelled, Failed, Mapped, Paused, Success
from flowbook.executors import LocalExecutor
from tests.executors_of import AWAY, HERE, any_executor
from tests.notes import count, note
from tests.scripts import wait_for

_WAIT_S = 40


@pytest.fixture(params=[*HERE, *AWAY])
def executor(request):
    return any_executor(request)


@pytest.fixture(params=["in the event's thread", "in another thread"])
def act(request):
    """Call a function from inside an event: there, or in another thread that the event's waits for."""
    if request.param == "in the event's thread":
        return lambda call: call()

    def elsewhere(call):
        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(_WAIT_S)
        assert not thread.is_alive()

    return elsewhere


class Reacts:
    """Calls `react(run, event)` once, at the first event that `is_it` picks; notes all events and locks held then."""

    def __init__(self, is_it, react):
        self.is_it = is_it
        self.react = react
        self.run = None
        self.seqs = []
        self.locks = []

    def emit(self, event):
        self.seqs.append(event.seq)
        self.locks += held_locks()
        if self.react is not None and self.is_it(event):
            react, self.react = self.react, None
            react(self.run)


def started(flow, executor, sink, **options):
    """Return a run whose first event the sink hears."""
    run = sink.run = new_run(flow, executor, **options)
    run.subscribe(sink)
    run.run_behind()
    return run


def new_run(flow, executor, **options):
    from flowbook.flow_run.run import start_run  # noqa: PLC0415  # made where runs are, which moves

    return start_run(flow, None, {"executor": executor, **options})


def state_of(key, kind):
    return lambda event: isinstance(event, StateChanged) and event.key == key and type(event.state) is kind


@task
def numbers():
    return [1, 2, 3]


@task
def increment(x):
    return x + 1


@task(trigger=triggers.manual_only)
def approved(x):
    return x


def fails_once(path):
    path.touch()

    @task
    def once():
        note(path, "once")
        if count(path)["once"] == 1:
            msg = "the first time"
            raise ValueError(msg)
        return 1

    return once


def waits_for(path):
    @task
    def held(x):
        wait_for(path)
        return x

    return held


def test_a_subscriber_cancels_at_a_state_that_the_machine_says(executor, act, tmp_path):
    cancelled = tmp_path / "cancelled"

    def cancel(run):
        act(lambda: run.cancel(note="enough"))
        cancelled.touch()

    with Flow("f") as flow:
        waits_for(cancelled).map(numbers())
    sink = Reacts(state_of("held", Mapped), cancel)

    run = started(flow, executor, sink)
    state = run.wait(_WAIT_S)

    assert (type(state), sink.locks) == (Cancelled, [])
    assert [event.note for event in run.events() if isinstance(event, Decided)] == ["enough"]
    assert sink.seqs == sorted(set(sink.seqs))


def test_nothing_starts_after_a_subscriber_cancelled(act):
    with Flow("f") as flow:
        increment(increment(increment(1)))
    sink = Reacts(state_of("increment", Success), lambda run: act(run.cancel))

    run = started(flow, LocalExecutor(), sink)
    state = run.wait(_WAIT_S)

    states = [type(run[key]).__name__ for key in ("increment", "increment-2", "increment-3")]
    assert (type(state), states) == (Cancelled, ["Success", "Pending", "Pending"])


def test_a_subscriber_resumes_a_task_as_soon_as_it_waits(executor, act):
    with Flow("f") as flow:
        increment(approved(1))
    sink = Reacts(state_of("approved", Paused), lambda run: act(lambda: run.resume("approved", by="robot")))

    run = started(flow, executor, sink)
    state = run.wait(_WAIT_S)

    assert (type(state), run["increment"].result, sink.locks) == (Success, 2, [])
    assert [(event.key, event.by) for event in run.events() if isinstance(event, Decided)] == [("approved", "robot")]


def test_a_subscriber_retries_a_task_as_soon_as_it_failed(executor, act, tmp_path):
    with Flow("f") as flow:
        increment(fails_once(tmp_path / "notes")())
    sink = Reacts(state_of("once", Failed), lambda run: act(run.retry))

    run = started(flow, executor, sink)
    state = run.wait(_WAIT_S)

    assert (type(state), run["increment"].result, sink.locks) == (Success, 2, [])


def test_a_subscriber_sees_the_run_as_of_its_event_or_later(executor, act):
    seen = []

    def look(run):
        seen.append((type(run["numbers"]), type(run.state).__name__, run.events()[0].seq, len(run.logs())))

    with Flow("f") as flow:
        increment.map(numbers())
    sink = Reacts(state_of("numbers", Success), lambda run: act(lambda: look(run)))

    run = started(flow, executor, sink)
    run.wait(_WAIT_S)

    assert seen == [(Success, "Running", 1, 0)]


def test_a_subscriber_acts_on_a_recorded_run(executor, act):
    with Flow("f") as flow:
        increment(approved(1))
    sink = Reacts(state_of("approved", Paused), lambda run: act(lambda: run.resume("approved")))

    run = started(flow, executor, sink, record=True)
    state = run.wait(_WAIT_S)

    assert (type(state), run["increment"].result, sink.locks) == (Success, 2, [])
    assert sink.seqs == [event.seq for event in run.events()]
