"""What a run in a process of its own costs whoever waits for it: medians of rounds, in seconds.

python -m benchmarks.own_processes [--rounds 5] [--json]

Begin: from `flow.start(...)` until the first task runs, in a process of its own and in this one, in turn. Change: from a task's
change of state there until a subscriber here receives it. Resume: from `run.resume(...)` here until the task runs there, while
the process goes on. Hand-over: from the end of the last task that ran here until a task runs in the new process, and back.
Times are read from one clock: all processes are on this machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook import Flow, task, triggers
from flowbook.engine.events import StateChanged
from flowbook.executors import LocalDaskExecutor
from flowbook.flow_runners import SubprocessFlowRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook import FlowRun
    from flowbook.engine.events import Event

#: What flowbook must reach, in seconds.
GOALS = {"begin": 1.0, "change": 0.3, "resume": 0.5, "hand-over": 1.5, "take-back": 1.5}
_IN_PROCESS = SubprocessFlowRunner(stream_output=False)
_STEP_S = 0.2


@task
def step(number: int) -> tuple[float, float]:  # noqa: ARG001  # mapped over
    """Return when it began and ended."""
    began = time.time()
    time.sleep(_STEP_S)
    return began, time.time()


@task
def numbers(count: int) -> list[int]:
    return list(range(count))


@task(trigger=triggers.manual_only)
def approve(first: object) -> float:
    del first
    return time.time()


def steps(count: int) -> Flow:
    """Return a flow of some steps, one after another."""
    with Flow("steps") as flow:
        step.map(numbers(count))
    return flow


def begin() -> dict[str, float]:
    """Return how much later the first task runs in a process of its own."""
    taken = []
    for options in ({"record": True}, {"flow_runner": _IN_PROCESS}):
        flow = steps(1)
        asked = time.time()
        run = flow.start(**options)
        run.wait()
        taken.append(run["step[0]"].result[0] - asked)
    here, there = taken
    return {"begin": there - here, "begin here": here, "begin there": there}


class _Delays:
    """Notes how long after it happened each change of state arrives."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def emit(self, event: Event) -> None:
        now = time.time()
        if isinstance(event, StateChanged) and event.key.startswith("step["):
            self.found.append(now - event.at)


def change() -> dict[str, float]:
    """Return the longest time from a change there to a subscriber here."""
    run = steps(8).start(flow_runner=_IN_PROCESS)
    delays = _Delays()
    run.subscribe(delays)
    run.wait()
    return {"change": max(delays.found)}


def resume() -> dict[str, float]:
    """Return how long a resumed task takes to run in a process that goes on."""
    with Flow("waits", executor=LocalDaskExecutor("threads", num_workers=2)) as flow:
        approve(numbers(1))
        step.map(numbers(20))
    run = flow.start(flow_runner=_IN_PROCESS)
    _until(lambda: _is(run, "approve", "Paused"))
    asked = time.time()
    run.resume("approve")
    _until(lambda: _is(run, "approve", "Success"))
    taken = run["approve"].result - asked
    run.cancel(now=True)
    run.wait()
    return {"resume": taken}


def hand_over() -> dict[str, float]:
    """Return the gaps between the last task of one process and the first of the next."""
    run = steps(30).start(record=True)
    _until(lambda: _running(run) > 0)
    run.hand_over(_IN_PROCESS)
    _until(lambda: run.where == "elsewhere" and not run.is_handing_over)
    _until(lambda: _running(run) >= 0)
    there = _running(run)
    _until(lambda: _running(run) > there)
    run.take_back()
    _until(lambda: run.where == "here")
    run.wait()
    states = [run[f"step[{number}]"].result for number in range(30)]
    gaps = [later[0] - before[1] for before, later in itertools.pairwise(states)]
    first, second = sorted(sorted(range(len(gaps)), key=gaps.__getitem__)[-2:])
    return {"hand-over": gaps[first], "take-back": gaps[second]}


def _is(run: FlowRun, key: str, name: str) -> bool:
    return type(run[key]).__name__ == name


def _running(run: FlowRun) -> int:
    """Return the number of the step that runs; -1 if none does."""
    found = [key for key, state in run.states.items() if key.startswith("step[") and state.is_running()]
    return int(found[0][5:-1]) if found else -1


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.005)


def measure(rounds: int) -> dict[str, Any]:
    """Return the median of each figure, and whether it is within its goal."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for work in (begin, change, resume, hand_over):
            for name, value in work().items():
                found.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_HOME"] = str(Path(folder) / "home")
        os.environ["FLOWBOOK_KEY_FILE"] = str(Path(folder) / "key")
        found = measure(asked.rounds)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        goal = GOALS.get(name)
        said = "" if goal is None else f"  goal {goal:.1f}  {'reached' if value <= goal else 'NOT reached'}"
        print(f"{name:<12} {value:7.3f} s{said}")


if __name__ == "__main__":
    main()
