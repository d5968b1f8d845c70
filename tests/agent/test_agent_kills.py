"""Agents that are killed, in each phase and at random: every run ends, and none runs twice."""

from __future__ import annotations

import functools
import os
import random
import signal
import time

import pytest

from flowbook.store import open_store
from tests.agent.due_runs import beginnings, create, create_real, make_flow, states, wait_for_states

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]
_IS_LONG = os.environ.get("FLOWBOOK_SOAK") == "1"

_KILLED = """
import os, signal, sys, time
from flowbook.agent import claimed_run
from flowbook.agent.agent import Agent, AgentSettings
from flowbook.store import open_store

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

phase = sys.argv[1]
if phase == "claimed":
    claimed_run.ClaimedRun.start = die
elif phase == "starts":
    claimed_run.ClaimedRun._started = die
elif phase == "runs":
    real = claimed_run.ClaimedRun._started
    def started(self, identifier):
        real(self, identifier)
        while open_store().runs.summary(self.run_id).state != "Running":
            time.sleep(0.02)
        die()
    claimed_run.ClaimedRun._started = started
elif phase == "ended":
    claimed_run.ClaimedRun._tell_end = die
Agent(open_store(), AgentSettings("doomed", 4, 0.0), lambda news: None).run()
"""


@pytest.mark.parametrize("phase", ["claimed", "starts", "runs", "ended"])
def test_a_run_whose_agent_is_killed_runs_once_and_to_its_end(agents, tmp_path, phase):
    def work():
        with (tmp_path / "runs").open("a") as file:
            file.write("once ")
        time.sleep(0.5)

    run_id = create_real(make_flow(work))
    doomed = agents(phase, program=_KILLED)
    assert doomed.wait() == -signal.SIGKILL
    agents("--name", "next")

    wait_for_states([run_id], "Success", timeout=60)

    assert (tmp_path / "runs").read_text() == "once "
    assert beginnings(run_id) == 1


_LIGHT = """
import signal, sys
from flowbook.agent.agent import Agent, AgentSettings
from flowbook.store import open_store
from tests.agent.due_runs import light

agent = Agent(open_store(), AgentSettings(sys.argv[1], 20, 0.0, 0.5), lambda news: None, flow_runners=light)
signal.signal(signal.SIGTERM, lambda *_: agent.stop())
agent.run()
"""


def test_two_agents_share_a_queue_of_200_runs_and_each_run_ends_once(agents):
    ids = create(200)
    both = [agents(name, program=_LIGHT) for name in ("west", "east")]

    wait_for_states(ids, *["Success"] * 200, timeout=60)
    for agent in both:
        agent.send_signal(signal.SIGTERM)

    assert [agent.wait() for agent in both] == [0, 0]
    assert [beginnings(run_id) for run_id in ids] == [1] * 200
    assert open_store().runs.with_process() == []
    claimers = {open_store().history.events(run_id)[1].state.__class__.__name__ for run_id in ids}
    assert claimers == {"Submitted"}


@pytest.mark.soak
@pytest.mark.parametrize("rounds", [40 if _IS_LONG else 2])
def test_agents_that_are_killed_at_random_leave_no_run_behind(agents, rounds):
    ids = []
    for number in range(rounds):
        ids += create(60)
        doomed = agents(f"doomed-{number}", program=_LIGHT)
        time.sleep(0.9 + 0.07 * number % 0.5)
        doomed.kill()
        doomed.wait()
    agents("last", program=_LIGHT)

    deadline = time.monotonic() + 60
    while (found := set(states(ids))) - {"Success", "Crashed"}:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)

    crashed = [run_id for run_id, state in zip(ids, states(ids), strict=True) if state == "Crashed"]
    assert [beginnings(run_id) for run_id in ids] == [1] * len(ids)
    assert open_store().runs.with_process() == []
    assert len(crashed) <= 20 * rounds  # what ran in a process that was killed


@pytest.mark.soak
def test_real_runs_of_agents_that_are_killed_at_random_run_once(agents, tmp_path):
    def work(number):
        with (tmp_path / str(number)).open("a") as file:
            file.write("once ")
        time.sleep(0.3)

    dice = random.Random(11)
    ids, rounds = [], 8 if _IS_LONG else 1
    for _ in range(rounds):
        for _ in range(4):
            ids.append(create_real(make_flow(functools.partial(work, len(ids)))))
        doomed = [agents("--limit", "2", "--name", name) for name in ("west", "east")]
        time.sleep(dice.uniform(0.8, 3.0))
        for agent in doomed:
            agent.kill()
    agents("--name", "last")

    wait_for_states(ids, *["Success"] * len(ids), timeout=150)

    assert [(tmp_path / str(number)).read_text() for number in range(len(ids))] == ["once "] * len(ids)
    assert [beginnings(run_id) for run_id in ids] == [1] * len(ids)
