"""Runs that are due, agents that run in a thread of the test, and a flow runner that starts no process."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import threading
import time

from flowbook import Flow, task
from flowbook.agent.agent import Agent, AgentSettings
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Running, Success
from flowbook.flow_run.ports import Outcome
from flowbook.flow_run.recording import Recording
from flowbook.flow_run.run_description import RunDescription, RunLabel
from flowbook.flow_run.run_request import read_request
from flowbook.flow_run.run_to_come import create_run_to_come
from flowbook.flow_runners import UniversalFlowRunner
from flowbook.store import RunRecord, open_store

NOTHING = {"name": "nothing", "tasks": []}
#: Of tests whose agents should look often.
QUICK_S = 0.2


class LightRunner(UniversalFlowRunner):
    """Does in this process what an engine's process does to a run without tasks."""

    type = "light"

    def submit(self, run, started):
        started(f"light-{run.run_id}")
        recording = Recording.of(open_store(), run.run_id)
        snapshot = recording.snapshot()
        recording.mark_read(snapshot)
        recording.claim("light")
        recording.emit(StateChanged(snapshot.last_seq + 1, FLOW, Running()))
        self.work(run)
        done = Success("Done.")
        recording.emit(StateChanged(snapshot.last_seq + 2, FLOW, done))
        recording.finish(done)
        return Outcome(0)

    def work(self, _run):
        """Take the time that the run takes."""


def light(_settings):
    """Restore a light flow runner, whatever the settings say."""
    return LightRunner()


def create(count=1, due=None, flow_runner=None, name="nothing"):
    """Record runs without tasks that are due now, or at `due` in seconds since the epoch; return their ids."""
    at = dt.datetime.fromtimestamp(time.time() - 1 if due is None else due, dt.UTC)
    ids = [os.urandom(8).hex() for _ in range(count)]
    from flowbook.engine.state import Scheduled  # noqa: PLC0415

    for run_id in ids:
        record = RunRecord(run_id, name, "test", NOTHING, due=at, flow_runner=flow_runner)
        open_store().runs.create_to_come(record, Scheduled("Waits for its time.", start_time=at))
    return ids


def create_real(flow, due=None, parameters=None, flow_runner=None):
    """Record a run of `flow` that is due now, or at `due`; return its id."""
    at = dt.datetime.fromtimestamp(time.time() - 1 if due is None else due, dt.UTC)
    request = read_request(flow, parameters, {})
    label = RunLabel(os.urandom(16).hex(), 0, flow.name)
    description = RunDescription(label, flow, request.graph, request.executor, dt.datetime.now().astimezone(), "test")
    create_run_to_come(description, request.inputs, at, flow_runner=flow_runner)
    return label.run_id


def make_flow(function, name="due"):
    """Return a flow of one task that calls `function`."""
    with Flow(name) as flow:
        task(function, name="work")()
    return flow


class News(list):
    """What an agent told."""

    def __init__(self):
        super().__init__()
        self.came = threading.Condition()

    def __call__(self, news):
        with self.came:
            self.append(news)
            self.came.notify_all()

    def what(self):
        return [each.what for each in self]

    def wait_for(self, what, count=1, timeout=20):
        """Return when so much of that was told."""
        with self.came:
            assert self.came.wait_for(lambda: self.what().count(what) >= count, timeout), list(self)


@contextlib.contextmanager
def working(  # noqa: PLR0913  # what an agent has
    limit=4, prefetch_s=0.0, flow_runners=light, clock=time.time, chores=(), poll_s=QUICK_S, name="west"
):
    """Give an agent that works in a thread, and its news; it is stopped at the end."""
    news = News()
    settings = AgentSettings(name, limit, prefetch_s, poll_s)
    agent = Agent(open_store(), settings, news, chores=chores, flow_runners=flow_runners, clock=clock)
    thread = threading.Thread(target=agent.run)
    thread.start()
    try:
        yield agent, news
    finally:
        agent.stop()
        thread.join(30)
        assert not thread.is_alive()


def states(ids):
    """Return the state of each run in the store."""
    return [open_store().runs.summary(run_id).state for run_id in ids]


def wait_for_states(ids, *expected, timeout=20):
    """Return when each run is in the state expected of it."""
    deadline = time.monotonic() + timeout
    while states(ids) != list(expected):
        assert time.monotonic() < deadline, states(ids)
        time.sleep(0.01)


def beginnings(run_id):
    """Return how often a run began."""
    events = open_store().history.events(run_id)
    return sum(isinstance(each, StateChanged) and each.key == FLOW and type(each.state) is Running for each in events)
