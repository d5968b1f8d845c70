"""What `flow.run(record=True)` costs over `record=False`: µs a task of CPU and of the wall's clock, median of rounds in turn.

python benchmarks/recorded_runs.py [--rounds 5] [--scale 1.0] [--case map] [--json]

Growth is how much longer a recorded run of ten times the tasks takes; memory what it holds more at its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

from flowbook import Flow, task
from flowbook.executors import LocalDaskExecutor, LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.executors import Executor


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def one(x: Any) -> Any:
    return x + 1


def fan(n: int, executor: Executor) -> Flow:
    """One task, `n` below it."""
    with Flow("fan", executor=executor) as flow:
        first = one(0)
        for _ in range(n):
            one(first)
    return flow


def mapped(n: int, executor: Executor) -> Flow:
    """One task mapped over `n`."""
    with Flow("map", executor=executor) as flow:
        one.map(numbers(n))
    return flow


def chain(n: int, executor: Executor) -> Flow:
    """`n` tasks, each below the one before."""
    with Flow("chain", executor=executor) as flow:
        found = one(0)
        for _ in range(n - 1):
            found = one(found)
    return flow


CASES: dict[str, tuple[Callable[[int, Executor], Flow], int, Callable[[], Executor]]] = {
    "fan of 10,000, local": (fan, 10_000, LocalExecutor),
    "map of 10,000, local": (mapped, 10_000, LocalExecutor),
    "fan of 10,000, 4 threads": (fan, 10_000, lambda: LocalDaskExecutor("threads", num_workers=4)),
    "map of 10,000, 4 threads": (mapped, 10_000, lambda: LocalDaskExecutor("threads", num_workers=4)),
    "chain of 5,000, local": (chain, 5_000, LocalExecutor),
    "map of 100,000, local": (mapped, 100_000, LocalExecutor),
}
#: µs a task of CPU that recording may cost: where commits are grouped, and where each task commits.
GOALS = {"fan": 40, "map": 40, "chain": 100}
#: t(10,000) / t(1,000) of a recorded run.
MOST_GROWTH = 11


def measure(flow: Flow, tasks: int, *, record: bool) -> tuple[float, float]:
    """Return µs a task, of CPU and of the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    state = flow.run(record=record)
    spent = (time.process_time() - cpu) / tasks * 1e6, (time.perf_counter() - clock) / tasks * 1e6
    assert state.is_successful(), state
    return spent


def compared(flow: Flow, tasks: int, rounds: int) -> dict[str, float]:
    """Return medians of recorded and unrecorded runs in turn, and of what one costs more than the other beside it."""
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for _ in range(rounds):
        for record in (False, True):
            found[record].append(measure(flow, tasks, record=record))
    more = [
        [with_it[part] - without[part] for with_it, without in zip(found[True], found[False], strict=True)]
        for part in (0, 1)
    ]
    return {
        "cpu": statistics.median(each[0] for each in found[False]),
        "recorded_cpu": statistics.median(each[0] for each in found[True]),
        "more_cpu": statistics.median(more[0]),
        "more_clock": statistics.median(more[1]),
    }


def growth(make: Callable[[int, Executor], Flow], rounds: int, scale: float) -> float:
    """Return how many times longer a recorded run of 10,000 takes than one of 1,000; CPU, building included.

    Of each size the least disturbed run counts, in a store that holds as much for both.
    """
    spent: dict[int, list[float]] = {int(1_000 * scale): [], int(10_000 * scale): []}
    for _ in range(rounds):
        for tasks, times in spent.items():
            begin = time.process_time()
            assert make(tasks, LocalExecutor()).run(record=True).is_successful()
            times.append(time.process_time() - begin)
    small, large = map(min, spent.values())
    return large / small


def peak_bytes(tasks: int, *, record: bool) -> int:
    """Return how much a run of a map holds at its peak, in Python's own memory."""
    flow = mapped(tasks, LocalExecutor())
    tracemalloc.start()
    assert flow.run(record=record).is_successful()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--case", default="", help="only cases that begin so")
    parser.add_argument("--json", action="store_true", help="one line of JSON after the table")
    given = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_HOME"], os.environ["FLOWBOOK_KEY_FILE"] = f"{folder}/home", f"{folder}/key"
        mapped(10, LocalExecutor()).run(record=True)
        for name, (make, usual, executor) in CASES.items():
            if name.startswith(given.case):
                tasks = int(usual * given.scale)
                row = table[name] = compared(make(tasks, executor()), tasks, given.rounds)
                goal = GOALS[name.split()[0]]
                print(
                    f"{name:26} CPU {row['cpu']:6.1f} -> {row['recorded_cpu']:6.1f}: +{row['more_cpu']:5.1f} µs a task "
                    f"(at most {goal});  clock +{row['more_clock']:5.1f}"
                )
        os.environ["FLOWBOOK_HOME"] = f"{folder}/growth"
        growths = {make.__name__: growth(make, given.rounds, given.scale) for make in (fan, mapped, chain)}
        print("growth, recorded: " + ", ".join(f"{name} x {times:.1f}" for name, times in growths.items()))
        children = int(100_000 * given.scale)
        held = [(peak_bytes(children, record=record)) / children for record in (False, True)]
        print(f"memory of a map of {children:,}: {held[0]:.0f} bytes a child, recorded {held[1]:.0f}")
    if given.json:
        facts = {"cases": table, "growth": growths, "bytes_a_child": held}
        print(json.dumps({"benchmark": "recorded_runs", "unit": "µs a task", **facts}))


if __name__ == "__main__":
    main()
