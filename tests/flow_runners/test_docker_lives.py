"""Runs in containers when something else dies, moves or waits: keepers, agents, engines, people."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.deployments import DeploymentSpec, deploy
from flowbook.engine.state import Cancelled, Crashed, Paused, Success
from flowbook.store.process_identity import number_of
from flowbook.store.process_output import output_file
from tests.flow_runners.docker_runs import (
    LONG_S,
    agent_process,
    api,
    command,
    container,
    finished,
    flow_of,
    hanging,
    in_container,
    keepers,
    started,
    until,
    wait_for_line,
)

__all__ = ["api"]

pytestmark = [pytest.mark.docker, pytest.mark.acceptance, pytest.mark.timeout(300)]


def counting():
    """Return a function that writes numbers until it is told to stop, or to die."""

    def count():
        for number in range(100_000):
            os.write(1, b"line %d\n" % number)
            time.sleep(0.01)
            if Path("/out/go").exists():
                return number
        return None

    return count


def test_a_keeper_that_is_killed_is_followed_by_another_and_no_line_is_lost(tmp_path):
    run = started(counting(), volumes=[f"{tmp_path}:/out"])
    wait_for_line(run, "line 20")
    first = number_of(run.identifier)

    psutil.Process(first).kill()
    until(lambda: number_of(run.identifier) != first)
    (tmp_path / "go").touch()
    state = finished(run)

    lines = output_file(run.run_id).read_text().splitlines()
    assert type(state) is Success
    assert list(dict.fromkeys(lines)) == [f"line {number}" for number in range(run["work"].result + 1)]
    assert len(lines) - len(set(lines)) <= 1  # the line that the keeper was at when it was killed


def test_an_agent_that_is_told_twice_ends_its_containers(lab, tmp_path):
    deploy(DeploymentSpec("west", flow_of(hanging(), "hangs"), flow_runner=in_container()))
    run = flowbook.run(json.loads(command("deployment", "run", "hangs/west", "--json"))["run_id"])
    agent = agent_process(tmp_path)
    wait_for_line(run, "it hangs")

    agent.send_signal(signal.SIGINT)
    time.sleep(1)
    agent.send_signal(signal.SIGINT)
    said = agent.communicate(timeout=60)[0]

    assert type(until(lambda: run.state.is_finished() and run.state)) is Cancelled
    assert (agent.returncode, "ends the processes of its runs" in said) == (0, True)
    assert container(lab, run).status == "exited"


def test_a_run_is_handed_over_into_a_container_and_taken_back(tmp_path):
    def first():
        while not (folder / "first").exists():
            time.sleep(0.01)
        return os.getpid()

    def second(before):
        Path("/out/second").touch()
        while not Path("/out/third").exists():
            time.sleep(0.01)
        return before, os.getpid()

    def third(before):
        return (*before, os.getpid())

    folder = tmp_path
    with Flow("moves") as flow:
        task(third, name="third")(task(second, name="second")(task(first, name="first")()))
    run = flow.start(record=True)
    run.hand_over(in_container(volumes=[f"{tmp_path}:/out"]))
    (tmp_path / "first").touch()
    until((tmp_path / "second").exists)
    where = run.where
    run.take_back()
    (tmp_path / "third").touch()
    state = run.wait(LONG_S)

    assert (where, type(state)) == ("elsewhere", Success)
    assert run["third"].result == (os.getpid(), 1, os.getpid())


def test_a_run_that_waits_for_a_person_holds_no_container_and_goes_on_in_another(lab):
    def report():
        return "the report"

    def publish(text):
        return f"{text} is out"

    with Flow("asks") as flow:
        approve = task(lambda text: text, name="approve", trigger=triggers.manual_only)
        task(publish, name="publish")(approve(task(report, name="report")()))
    run = flow.start(flow_runner=in_container(auto_remove=True))
    paused = finished(run)
    containers = lab.client.containers.list(all=True)

    command("run", "resume", "last", "approve", "--by", "ana")
    state = flowbook.run(run.run_id).wait(LONG_S)

    assert (type(paused), containers, type(state)) == (Paused, [], Success)
    assert flowbook.run(run.run_id)["publish"].result == "the report is out"


def test_a_flow_that_logs_and_prints_is_followed_live(tmp_path):
    def work():
        print("printed in the container")  # noqa: T201
        while not Path("/out/go").exists():
            time.sleep(0.01)

    with Flow("talks") as flow:
        task(work, name="work", log_stdout=True)()
    run = flow.start(flow_runner=in_container(volumes=[f"{tmp_path}:/out"]))

    until(lambda: [line.text for line in run.logs()] == ["printed in the container"])
    is_running = run.state.is_running()
    (tmp_path / "go").touch()

    assert (is_running, type(finished(run))) == (True, Success)


def test_an_engine_that_starts_again_ends_its_containers_and_their_keepers_notice(lab):
    run = started(hanging())
    wait_for_line(run, "it hangs")

    lab.restart()
    state = finished(run)

    assert (type(state), container(lab, run).status) == (Cancelled, "exited")
    assert keepers() == []


def test_ten_runs_at_once_have_ten_containers(lab):
    def work(n):
        return n

    flows = []
    for number in range(10):
        with Flow("many") as flow:
            task(work, name="work")(number)
        flows.append(flow)
    runs = [flow.start(flow_runner=in_container()) for flow in flows]
    states = [finished(run) for run in runs]

    assert [type(state) for state in states] == [Success] * 10
    assert [run["work"].result for run in runs] == list(range(10))
    assert len({container(lab, run).id for run in runs}) == 10


def test_a_container_that_is_told_to_end_while_it_starts_ends_and_so_does_its_run(lab):
    flow_runner = in_container()
    run = flow_of(hanging()).start(flow_runner=flow_runner)

    flow_runner.end(run.identifier)
    state = finished(run)

    code = container(lab, run).attrs["State"]["ExitCode"]
    # Before Python itself has started, nothing in the container can listen, and it is killed after a while.
    ended = {(Crashed, 128 + signal.SIGTERM), (Crashed, 128 + signal.SIGKILL), (Cancelled, 0)}
    assert (type(state), code) in ended
