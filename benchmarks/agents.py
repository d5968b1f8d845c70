"""What starting runs at their time costs: claims of many runs that are due at once, an agent with nothing to do, a cold list.

python -m benchmarks.agents [--runs 200] [--agents 2] [--idle-s 30] [--rounds 5] [--json]

Claims: agents wait for a moment at which all runs are due; said is when the last one was claimed, in seconds after it, and
that each was claimed once. Their flow runner starts no process. Idle: CPU of `flowbook agent start` in percent of a core, where
the store holds 1,000 runs that have ended and 20 hourly schedules. Cold: wall of `flowbook run ls` in that store, and of a bare
interpreter, in turn; the least of each counts, since others use the machine.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from flowbook import Flow, Parameter
from flowbook.agent.agent import Agent, AgentSettings
from flowbook.deployments import DeploymentSpec, IntervalSchedule, deploy
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Running, Scheduled, Submitted, Success
from flowbook.flow_run.ports import Outcome
from flowbook.flow_run.recording import Recording
from flowbook.flow_runners import UniversalFlowRunner
from flowbook.store import RunRecord, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowbook.flow_run.ports import RunToStart

ROOT = Path(__file__).parents[1]
_GRAPH = {"name": "nothing", "tasks": []}
#: How long before they are due the runs are made: agents must wait by then.
_LEAD_S = 4.0
_WARM_S = 6.0
#: How often it looks whether all have ended: each look reads all of them, which the store's server does for it meanwhile.
_WATCH_S = 1.0
_ENDED, _SCHEDULES = 1000, 20
#: What flowbook must reach.
_CLAIMS_S, _IDLE_PERCENT, _COLD_S = 5.0, 0.5, 0.35


class NoProcess(UniversalFlowRunner):
    """Does to a run what an engine's process does to one without tasks."""

    def submit(self, run: RunToStart, started: Callable[[str], None]) -> Outcome:
        started(run.run_id)
        recording = Recording.of(open_store(), run.run_id)
        snapshot = recording.snapshot()
        recording.mark_read(snapshot)
        recording.claim("nobody")
        recording.emit(StateChanged(snapshot.last_seq + 1, FLOW, Running()))
        done = Success("Done.")
        recording.emit(StateChanged(snapshot.last_seq + 2, FLOW, done))
        recording.finish(done)
        return Outcome(0)


def work(limit: int) -> None:
    """Be an agent, until SIGTERM."""
    settings = AgentSettings(str(os.getpid()), limit, prefetch_s=0.0)
    agent = Agent(open_store(), settings, lambda _: None, flow_runners=lambda _: NoProcess())
    signal.signal(signal.SIGTERM, lambda *_: agent.stop())
    agent.run()


def create(count: int, due: float) -> list[str]:
    """Record runs without tasks that are due at a moment; return their ids."""
    at = dt.datetime.fromtimestamp(due, dt.UTC)
    ids = [os.urandom(8).hex() for _ in range(count)]
    for run_id in ids:
        record = RunRecord(run_id, "nothing", "agents", _GRAPH, due=at)
        open_store().runs.create_to_come(record, Scheduled(start_time=at))
    return ids


def claims(runs: int, agents: int) -> float:
    """Return when the last of `runs` was claimed, in seconds after they were due."""
    command = [sys.executable, "-m", "benchmarks.agents", "--work", str(runs)]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(agents)]
    try:
        time.sleep(_WARM_S)
        due = time.time() + _LEAD_S
        ids = create(runs, due)
        while any(each.state != "Success" for each in open_store().runs.list(limit=runs)):
            time.sleep(_WATCH_S)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    claimed = [_claimed(run_id) for run_id in ids]
    assert all(len(times) == 1 for times in claimed), "a run was claimed twice"
    assert min(times[0] for times in claimed) >= due, "a run was claimed before its time"
    return max(times[0] for times in claimed) - due


def _claimed(run_id: str) -> list[float]:
    events = open_store().history.events(run_id)
    return [each.at for each in events if isinstance(each, StateChanged) and isinstance(each.state, Submitted)]


def fill(count: int, schedules: int) -> None:
    """Record runs that have ended, and deployments with hourly schedules."""
    store = open_store()
    with Flow("nothing") as flow:
        flow.add_task(Parameter("x", default=1))
    hourly = IntervalSchedule(dt.timedelta(hours=1))
    deploy(*[DeploymentSpec(f"hourly-{number}", flow, schedule=hourly) for number in range(schedules)])
    for number in range(count):
        store.runs.create(RunRecord(f"ended-{number}", "nothing", "agents", _GRAPH, owner="nobody"))
        recorder = store.runs.recorder(f"ended-{number}", 1, graph=_GRAPH)
        recorder.emit(StateChanged(1, FLOW, Running()))
        recorder.emit(StateChanged(2, FLOW, Success("Done.")))
        recorder.close()
        store.ownership.finish(f"ended-{number}", 1, "Success")


def idle(seconds: float) -> float:
    """Return the CPU that an agent takes that has nothing to do, in percent of a core."""
    agent = subprocess.Popen([sys.executable, "-m", "flowbook", "agent", "start"], stdout=subprocess.DEVNULL, cwd=ROOT)
    try:
        time.sleep(_WARM_S)
        process = psutil.Process(agent.pid)
        before, began = process.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, took = process.cpu_times(), time.monotonic() - began
    finally:
        agent.terminate()
        agent.wait()
    return float(after.user + after.system - before.user - before.system) / took * 100


def cold(rounds: int) -> tuple[float, float]:
    """Return the wall of `flowbook run ls` and of a bare interpreter in seconds, the least of each, measured in turn."""
    commands = ([sys.executable, "-m", "flowbook", "run", "ls"], [sys.executable, "-c", "pass"])
    walls: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for command, found in zip(commands, walls, strict=True):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
            found.append(time.perf_counter() - began)
    return min(walls[0]), min(walls[1])


def measure(given: Any) -> dict[str, float]:  # argparse's
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            FLOWBOOK_HOME=f"{folder}/home", FLOWBOOK_KEY_FILE=f"{folder}/store.key", FLOWBOOK_PROJECT="agents"
        )
        last_s = statistics.median(claims(given.runs, given.agents) for _ in range(min(given.rounds, 3)))
        fill(_ENDED, _SCHEDULES)
        percent = idle(given.idle_s)
        ls_s, bare_s = cold(given.rounds)
        open_store().close()
    return {"last_claim_s": last_s, "idle_percent": percent, "run_ls_s": ls_s, "bare_s": bare_s}


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agents", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--idle-s", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.work is not None:
        work(given.work)
        return
    found = measure(given)
    goals = {"last_claim_s": _CLAIMS_S, "idle_percent": _IDLE_PERCENT, "run_ls_s": _COLD_S}
    for name, value in found.items():
        goal = f"  goal {goals[name]:g}: {'met' if value <= goals[name] else 'missed'}" if name in goals else ""
        print(f"{name:14} {value:8.3f}{goal}")
    if given.json:
        print(json.dumps({"benchmark": "agents", "runs": given.runs, "agents": given.agents, **found}))


if __name__ == "__main__":
    main()
