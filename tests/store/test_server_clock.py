"""Clocks of a server and of those who use its store may differ by hours: times in the store are by the server's."""

import datetime as dt
import threading
import time
import types
from email.utils import format_datetime

import pytest

from flowbook import flow, task, triggers
from flowbook.agent.agent import Agent, AgentSettings
from flowbook.api import store_calls
from flowbook.deployments import DeploymentSpec, deploy
from flowbook.deployments.due_runs import create_run
from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import Paused, Running, Scheduled, Success
from flowbook.notices.links import with_links
from flowbook.store import RunRecord, api_client, recorder, server_clock
from flowbook.store.notices import WAITS
from flowbook.store.remote_store import RemoteStore
from flowbook.store.server_clock import ServerClock
from tests.cutting_proxy import cutting
from tests.served import TOKEN, refuse, served

HOUR_S = 3600.0
#: How long a test may take.
SLACK_S = 60.0


@pytest.fixture(params=[3 * HOUR_S, -3 * HOUR_S])
def ahead_s(request, monkeypatch, tmp_path):
    """Let the server say that its clock is some hours ahead of this process's, or behind it."""
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "client"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "store.key"))
    clock = types.SimpleNamespace(time=lambda: time.time() + request.param, time_ns=time.time_ns)
    monkeypatch.setattr(store_calls, "time", clock)
    monkeypatch.setattr(ServerClock, "note", lambda *_: None)  # the real server's header
    return request.param


@pytest.fixture
def ends(ahead_s, tmp_path):
    assert ahead_s
    with served(tmp_path / "server") as both:
        yield both


def close_to(found, expected):
    return abs(found - expected) < SLACK_S


def test_a_store_behind_a_server_tells_its_time(ends, ahead_s):
    assert close_to(ends.remote.now_s(), time.time() + ahead_s)
    assert close_to(ends.remote.now().timestamp(), time.time() + ahead_s)
    assert close_to(ends.local.now_s(), time.time())


def test_what_is_recorded_has_the_servers_times(ends, ahead_s):
    ends.remote.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}, owner="here"))
    deadline = dt.datetime.now(dt.UTC) + dt.timedelta(hours=8)
    waits = Paused("Waits.", deadline=deadline, otherwise="reject")
    sink = ends.remote.runs.recorder("r1", 1)
    for event in (
        StateChanged(1, FLOW, Running()),
        StateChanged(2, "a", waits),
        Logged(3, "a", time.time(), 20, '"deadline": 1'),
        StateChanged(4, "b", Scheduled(start_time=deadline)),
        StateChanged(5, FLOW, waits),
    ):
        sink.emit(event)
    sink.close()
    ends.remote.ownership.release("r1", 1)

    states = ends.local.history.states("r1")
    assert {close_to(each.at, time.time() + ahead_s) for each in ends.local.history.events("r1")} == {True}
    assert close_to(states["a"].deadline.timestamp(), deadline.timestamp() + ahead_s)
    assert close_to(states["b"].start_time.timestamp(), deadline.timestamp() + ahead_s)
    assert ends.local.history.logs("r1")[0].text == '"deadline": 1'
    assert ends.local.runs.overdue(deadline.timestamp() + ahead_s - SLACK_S) == []
    assert ends.local.runs.overdue(deadline.timestamp() + ahead_s + SLACK_S) == ["r1"]
    assert close_to(ends.local.runs.summary("r1").started.timestamp(), time.time() + ahead_s)


def test_an_event_that_is_sent_again_is_the_same_one(ahead_s, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_PATIENCE_S", "60")
    monkeypatch.setattr(api_client, "_LONGEST_S", 0.02)
    monkeypatch.setattr(api_client, "_PAUSE_S", 0.01)
    monkeypatch.setattr(recorder, "_RETRY_S", 0.01)
    with served(tmp_path / "server") as both, cutting(both.url, 6000, 1) as proxy:
        with RemoteStore(proxy.url, TOKEN, refuse) as store:
            store.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}, owner="here"))
            sink = store.runs.recorder("r1", 1)
            for seq in range(1, 101):
                sink.emit(StateChanged(seq, f"t{seq}", Success()))
                sink.secure([f"t{seq}"])
            sink.close()

        events = both.local.history.events("r1")
        assert proxy.cuts > 0
    assert [each.seq for each in events] == list(range(1, 101))
    assert {close_to(each.at, time.time() + ahead_s) for each in events} == {True}


@pytest.fixture
def nightly(ends, monkeypatch):
    """Return a deployment, in this process, whose store is the one behind the server."""
    monkeypatch.setattr("flowbook.deployments.creation.open_store", lambda: ends.remote)

    @flow
    def quick():
        return 1

    (made,) = deploy(DeploymentSpec("nightly", quick))
    return made


def test_a_run_is_due_by_the_servers_clock(ends, ahead_s, nightly):
    run = create_run(ends.remote, nightly)

    assert close_to(run.due.timestamp(), time.time() + ahead_s)
    assert close_to(ends.local.runs.get(run.run_id).created.timestamp(), time.time() + ahead_s)


def test_an_agent_claims_what_is_due_by_the_servers_clock(ends, ahead_s, nightly):
    server_now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead_s)
    due = create_run(ends.remote, nightly, due=server_now - dt.timedelta(minutes=1))
    later = create_run(ends.remote, nightly, due=server_now + dt.timedelta(hours=1))
    begun = threading.Event()

    class Runner:
        type = "test"

        def submit(self, run, _):
            begun.run = run.run_id
            begun.set()
            raise OSError("it starts nothing")

    agent = Agent(ends.remote, AgentSettings("west", 2, 0.0, 0.05), lambda _: None, flow_runners=lambda _: Runner())
    worker = threading.Thread(target=agent.run)
    worker.start()
    try:
        assert begun.wait(20)
    finally:
        agent.stop()
        worker.join(20)

    assert begun.run == due.run_id
    assert ends.local.runs.summary(later.run_id).state == "Scheduled"


def test_an_owner_with_another_clock_is_alive(ends):
    other = "another-machine|77|1"
    ends.local.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}, owner="there", process=other))
    # The server writes heartbeats by its own clock, and this process believes that this is hours ahead.
    (found,) = ends.remote.runs.with_process()
    (there,) = ends.local.runs.with_process()

    assert found.beat == pytest.approx(there.beat - ends.remote.ahead_s)


def test_a_link_is_good_for_days_by_the_servers_clock(ends, ahead_s):
    @task(trigger=triggers.manual_only)
    def agree():
        return 1

    ends.remote.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}, owner="here"))
    sink = ends.remote.runs.recorder("r1", 1)
    sink.emit(StateChanged(1, "agree", Paused("Waits.")))
    sink.emit(StateChanged(2, FLOW, Paused("Waits.")))
    sink.close()
    row = ends.local._database.read("SELECT id FROM run")[0][0]

    found = with_links(ends.remote, row, ends.remote.notices.run_to_tell_of(row, WAITS, 0), "https://x.example")
    link = ends.local.approvals.find(found.tasks[0].link.rpartition("/")[2])

    assert close_to(link.expires, time.time() + ahead_s + 7 * 86_400)


def test_a_small_difference_is_none():
    clock = ServerClock(clock=lambda: 1000.0)

    clock.compare(1000.9)

    assert (clock.ahead_s, clock.now_s()) == (0.0, 1000.0)


def test_a_clock_that_is_set_meanwhile_is_noticed_by_the_date_of_an_answer():
    now = [1_000_000_000.0]
    steady = iter(range(0, 100, 10))
    clock = ServerClock(clock=lambda: now[0], steady=lambda: next(steady))
    clock.compare(now[0] + HOUR_S)

    clock.note(date(now[0] + HOUR_S + 1))
    same = clock.ahead_s
    now[0] += 2 * HOUR_S
    clock.note(date(now[0] - HOUR_S))

    assert (same, clock.ahead_s) == (HOUR_S, -HOUR_S)


@pytest.mark.parametrize("header", [None, "", "yesterday", "Mon, 99 Foo 2026"])
def test_an_answer_without_a_date_changes_nothing(header):
    clock = ServerClock()
    clock.compare(time.time() + HOUR_S)

    clock.note(header)

    assert clock.ahead_s == pytest.approx(HOUR_S, abs=1)


def test_the_date_is_not_read_with_each_answer(monkeypatch):
    read = []
    monkeypatch.setattr(
        server_clock, "parsedate_to_datetime", lambda text: read.append(text) or dt.datetime.now(dt.UTC)
    )
    clock = ServerClock(steady=lambda: 7.0)

    for _ in range(3):
        clock.note(date(time.time()))

    assert len(read) == 1


def date(at):
    """Return a header Date."""
    return format_datetime(dt.datetime.fromtimestamp(at, dt.UTC), usegmt=True)
