"""What a store behind a server costs, and how far it goes: calls, runs, events, cached outputs, agents, requests.

python -m benchmarks.team [--submitted 10000] [--processes 4] [--runs 200] [--agents 2] [--idle 10] [--idle-s 30] [--json]

The server is a process of its own on loopback, in a store of its own; whoever calls it is another process. Submitted: processes
record runs to come, all at once; each is there once afterwards. Events: processes record changes of state as fast as they
can. Cached: a flow of 1,000 cached tasks is run in one process, then in another, through the server and on the store itself.
Agents: as in `benchmarks.agents`. Idle: CPU of the server in percent of a core, with so many agents that have nothing to do.
Request: how long after somebody asks to cancel a run its owner has the request.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks import agents
from flowbook import Flow, task
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Running, Scheduled, Success
from flowbook.store import RunRecord, open_store
from flowbook.store.records import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
TOKEN = "token-of-benchmarks"
_GRAPH = {"name": "nothing", "tasks": []}
_CALLS, _EVENTS, _CACHED, _CHAIN, _REQUESTS = 1000, 20_000, 1000, 200, 20
_WARM_S = 4.0
#: What flowbook must reach.
_GOALS = {"events_a_s": 2000.0, "last_claim_s": 5.0, "request_ms": 300.0}


@contextmanager
def server() -> Iterator[psutil.Process]:
    """Serve the store in FLOWBOOK_HOME, and let this process and those that it starts use it through the API."""
    command = [sys.executable, "-m", "flowbook", "server", "start", "--port", "0", "--json"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        os.environ["FLOWBOOK_API_URL"] = json.loads(process.stdout.readline())["address"].rstrip("/")
        yield psutil.Process(process.pid)
    finally:
        os.environ.pop("FLOWBOOK_API_URL", None)
        process.terminate()
        process.wait()
        process.stdout.close()


def each(processes: int, what: str, *given: object) -> float:
    """Do one thing in several processes at once; return how long they took together, from the first to the last."""
    command = [sys.executable, "-m", "benchmarks.team", "--do", what, *map(str, given)]
    started = [
        subprocess.Popen([*command, str(number)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    began = time.perf_counter()
    for process in started:
        process.communicate("go\n")
    took = time.perf_counter() - began
    assert all(process.returncode == 0 for process in started), f"{what} failed"
    return took


def ready() -> None:
    """Say that all is loaded, and wait for the others."""
    open_store().runs.count("nothing", "team")
    print("ready", flush=True)
    sys.stdin.readline()


def do_calls(count: str, _: str) -> None:
    ready()
    for _number in range(int(count)):
        open_store().runs.count("nothing", "team")


def do_submit(count: str, number: str) -> None:
    ready()
    due = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    runs = open_store().runs
    for each_run in range(int(count)):
        record = RunRecord(f"run-{number}-{each_run}", f"flow-{number}", "team", _GRAPH, due=due)
        assert runs.create_to_come(record, Scheduled(start_time=due)) is not None


def do_events(count: str, number: str) -> None:
    run_id = f"events-{number}-{os.urandom(4).hex()}"
    open_store().runs.create(RunRecord(run_id, "events", "team", _GRAPH, owner="here"))
    recorder = open_store().runs.recorder(run_id, 1)
    ready()
    for seq in range(1, int(count), 2):
        recorder.emit(StateChanged(seq, f"t[{seq}]", Running()))
        recorder.emit(StateChanged(seq + 1, f"t[{seq}]", Success(result=seq)))
    recorder.close()
    assert recorder.unrecorded is None


def do_flow(shape: str, _: str) -> None:
    """Run a flow that caches, or a chain, and print how long it took."""
    with Flow(f"{shape} of team") as flow:
        if shape == "cached":
            for number in range(_CACHED):
                _kept.copy(name=f"kept-{number}")(number)
        else:
            value: Any = 0
            for _number in range(_CHAIN):
                value = _plain(value)
    ready()
    began = time.perf_counter()
    state = flow.run(record=shape == "chain")
    took = time.perf_counter() - began
    assert state.is_successful(), state
    Path(os.environ["TEAM_RESULT"]).write_text(str(took), encoding="utf-8")


@task(cache_for=3600)
def _kept(value: int) -> int:
    return value


@task
def _plain(value: int) -> int:
    return value + 1


def flow_s(shape: str, folder: Path) -> float:
    """Return how long a flow takes in a process of its own."""
    os.environ["TEAM_RESULT"] = str(folder / "took")
    each(1, "flow", shape)
    return float((folder / "took").read_text(encoding="utf-8"))


def submitted(count: int, processes: int) -> float:
    """Submit runs from several processes; return how many a second. Each is there once afterwards."""
    took = each(processes, "submit", count // processes)
    runs = open_store().runs.list(project="team", state="Scheduled")
    assert len(runs) == len({run.run_id for run in runs}) == count // processes * processes, f"{len(runs)} of {count}"
    numbers = {(run.flow, run.number) for run in runs}
    assert len(numbers) == len(runs), "two runs of a flow have the same number"
    return len(runs) / took


def request_ms() -> float:
    """Return how long after it was sent a request is with the run's owner, in milliseconds; the median."""
    store = open_store()
    store.runs.create(RunRecord("asked", "asked", "team", _GRAPH, owner="here"))
    pause, times = threading.Event(), []
    for _ in range(_REQUESTS):
        seen = store.requests.version()
        pause.wait(0.5)
        seen = store.requests.version()
        began = time.perf_counter()
        number = store.requests.send("asked", Request("cancel"), 1)
        while store.requests.version()[0] == seen[0]:  # type: ignore[index]  # as the listener compares it
            pause.wait(0.005)
        assert store.requests.open("asked", 1)
        times.append((time.perf_counter() - began) * 1e3)
        store.requests.answer(number, {"done": True})
    return statistics.median(times)


def idle_percent(process: psutil.Process, count: int, seconds: float) -> float:
    """Return the server's CPU with agents that have nothing to do, in percent of a core."""
    command = [sys.executable, "-m", "flowbook", "agent", "start"]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT) for _ in range(count)]
    try:
        time.sleep(_WARM_S + count)
        before, began = process.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, took = process.cpu_times(), time.monotonic() - began
    finally:
        for each_agent in started:
            each_agent.terminate()
        for each_agent in started:
            each_agent.wait()
    return float(after.user + after.system - before.user - before.system) / took * 100


def measure(given: Any) -> dict[str, float]:  # argparse's
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(
            FLOWBOOK_HOME=f"{folder}/home",
            FLOWBOOK_KEY_FILE=f"{folder}/store.key",
            FLOWBOOK_PROJECT="team",
            FLOWBOOK_API_TOKEN=TOKEN,
            FLOWBOOK_PROGRESS="0",
        )
        for shape in ("cached", "chain"):
            flow_s(shape, folder)
            found[f"{shape}_local_s"] = flow_s(shape, folder)
        open_store().close()
        with server() as process:
            for shape in ("cached", "chain"):
                found[f"{shape}_s"] = flow_s(shape, folder)
            found["calls_a_s"] = _CALLS / each(1, "calls", _CALLS)
            found["calls_of_all_a_s"] = given.processes * _CALLS / each(given.processes, "calls", _CALLS)
            found["events_a_s"] = _EVENTS / each(1, "events", _EVENTS)
            found["events_of_all_a_s"] = given.processes * _EVENTS / each(given.processes, "events", _EVENTS)
            found["request_ms"] = request_ms()
            found["submitted_a_s"] = submitted(given.submitted, given.processes)
            found["last_claim_s"] = agents.claims(given.runs, given.agents)
            found["idle_percent"] = idle_percent(process, given.idle, given.idle_s)
            open_store().close()
    return found


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.team", description=__doc__)
    parser.add_argument("--submitted", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--idle", type=int, default=10)
    parser.add_argument("--idle-s", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--do", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.do is not None:
        {"calls": do_calls, "submit": do_submit, "events": do_events, "flow": do_flow}[given.do[0]](*given.do[1:])
        open_store().close()
        return
    found = measure(given)
    for name, value in found.items():
        goal = _GOALS.get(name)
        is_met = goal is not None and (value >= goal if name.endswith("_a_s") else value <= goal)
        said = "" if goal is None else f"  goal {goal:g}: {'met' if is_met else 'missed'}"
        print(f"{name:18} {value:10.3f}{said}")
    if given.json:
        print(json.dumps({"benchmark": "team", **{key: getattr(given, key) for key in ("submitted", "runs")}, **found}))


if __name__ == "__main__":
    main()
