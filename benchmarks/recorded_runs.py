"""What `flow.run(record=True)` costs over `record=False`: µs a task of CPU and of the wall's clock, median of rounds in turn.

python benchmarks/recorded_runs.py [--rounds 5] [--scale 1.0]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from typing import TYPE_CHECKING

from flowbook import Flow, task
from flowbook.executors import LocalDaskExecutor, LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.executors import Executor


@task
def numbers(n):
    return list(range(n))


@task
def one(x):
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
}


def measure(flow: Flow, tasks: int, *, record: bool) -> tuple[float, float]:
    """Return µs a task, of CPU and of the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    state = flow.run(record=record)
    spent = (time.process_time() - cpu) / tasks * 1e6, (time.perf_counter() - clock) / tasks * 1e6
    assert state.is_successful(), state
    return spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_HOME"], os.environ["FLOWBOOK_KEY_FILE"] = f"{folder}/home", f"{folder}/key"
        for name, (make, usual, executor) in CASES.items():
            tasks = int(usual * given.scale)
            flow = make(tasks, executor())
            found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
            for _ in range(given.rounds):
                for record in (False, True):
                    found[record].append(measure(flow, tasks, record=record))
            cpu, clock = (
                [statistics.median(each[part] for each in found[record]) for record in (False, True)] for part in (0, 1)
            )
            print(
                f"{name:26} CPU {cpu[0]:6.1f} -> {cpu[1]:6.1f}: +{cpu[1] - cpu[0]:5.1f} µs a task;"
                f"  clock {clock[0]:6.1f} -> {clock[1]:6.1f}: +{clock[1] - clock[0]:5.1f}"
            )


if __name__ == "__main__":
    main()
