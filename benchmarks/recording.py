"""What recording costs: CPU µs a task on top of a run, median of several rounds, in a store of its own.

python benchmarks/recording.py [--tasks 5000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import threading
import time
from typing import TYPE_CHECKING

from flowbook.engine.events import StateChanged
from flowbook.engine.state import Running, Success
from flowbook.store import Recorder, RunRecord, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_THREADS = 4


def chain(recorder: Recorder, tasks: int, value: Callable[[int], object]) -> None:
    """Each task's result is committed before the next begins."""
    numbers = itertools.count(1)
    for index in range(tasks):
        recorder.secure(("task",))
        for event in _pair(numbers, index, value):
            recorder.emit(event)


def threads(recorder: Recorder, tasks: int, value: Callable[[int], object]) -> None:
    """Four threads share tasks that nothing is downstream of: they are committed together."""
    numbers = itertools.count(1)

    def work(first: int) -> None:
        for index in range(first, tasks, _THREADS):
            for event in _pair(numbers, index, value):
                recorder.emit(event)

    workers = [threading.Thread(target=work, args=(first,)) for first in range(_THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


CASES: dict[str, tuple[Callable[[Recorder, int, Callable[[int], object]], None], Callable[[int], object]]] = {
    "chain, no value": (chain, lambda _: None),
    "chain, a number each": (chain, lambda index: index),
    "chain, a tuple each (pickled)": (chain, lambda index: (index, "x")),
    f"{_THREADS} threads, a number each": (threads, lambda index: index),
}


def measure(store: Store, name: str, tasks: int) -> float:
    """Return CPU µs a task for one round."""
    case, value = CASES[name]
    run_id = f"run-{time.time_ns()}"
    store.runs.create(RunRecord(run_id, name, "benchmark", {"name": name, "tasks": []}))
    recorder = store.runs.recorder(run_id, 1)
    begin = time.process_time()
    case(recorder, tasks, value)
    recorder.close()
    return (time.process_time() - begin) / tasks * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_KEY_FILE"] = f"{folder}/key"
        with open_store(f"{folder}/home") as store:
            rounds = [{name: measure(store, name, given.tasks) for name in CASES} for _ in range(given.rounds)]
    for name in CASES:
        print(f"{name:32} {statistics.median(one[name] for one in rounds):6.1f} µs a task")


def _pair(numbers: Iterator[int], index: int, value: Callable[[int], object]) -> list[StateChanged]:
    states = (Running(), Success(result=value(index)))
    return [StateChanged(next(numbers), f"task[{index}]", state) for state in states]


if __name__ == "__main__":
    main()
