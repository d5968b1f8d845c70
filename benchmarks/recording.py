"""What the recorder costs by itself: CPU µs a task, log lines a second, and what waits at 10,000 changes a second.

python benchmarks/recording.py [--tasks 5000] [--rounds 5] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import tempfile
import threading
import time
from typing import TYPE_CHECKING

from flowbook.engine.events import Logged, StateChanged
from flowbook.engine.state import Running, Success
from flowbook.store import Recorder, RunRecord, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_THREADS = 4
_CHANGES_A_SECOND = 10_000


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
    with _recording(store, name) as recorder:
        begin = time.process_time()
        case(recorder, tasks, value)
        recorder.close()
        return (time.process_time() - begin) / tasks * 1e6


def lines_a_second(store: Store, lines: int) -> float:
    """Return how many log lines a second are written, of 100 tasks."""
    with _recording(store, "lines") as recorder:
        begin = time.perf_counter()
        for number in range(lines):
            recorder.emit(Logged(number + 1, f"task-{number % 100}", begin, 20, f"line {number}"))
        recorder.flush()
        return lines / (time.perf_counter() - begin)


def backlog(store: Store, seconds: float = 2.0) -> tuple[float, int]:
    """Make 10,000 changes a second; return how many were made, and the most rows that ever waited."""
    with _recording(store, "flood") as recorder:
        numbers, most = itertools.count(1), 0
        begin = time.perf_counter()
        for index in range(int(_CHANGES_A_SECOND * seconds / 2)):
            for event in _pair(numbers, index, lambda index: index):
                recorder.emit(event)
            most = max(most, len(recorder._rows))  # noqa: SLF001  # what is measured
            ahead = index * 2 / _CHANGES_A_SECOND - (time.perf_counter() - begin)
            if ahead > 0.005:
                time.sleep(ahead)
        return index * 2 / (time.perf_counter() - begin), most


@contextlib.contextmanager
def _recording(store: Store, name: str) -> Iterator[Recorder]:
    run_id = f"run-{time.time_ns()}"
    store.runs.create(RunRecord(run_id, name, "benchmark", {"name": name, "tasks": []}))
    recorder = store.runs.recorder(run_id, 1)
    yield recorder
    recorder.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one line of JSON after the table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_KEY_FILE"] = f"{folder}/key"
        with open_store(f"{folder}/home") as store:
            rounds = [{name: measure(store, name, given.tasks) for name in CASES} for _ in range(given.rounds)]
            lines = statistics.median(lines_a_second(store, given.tasks * 4) for _ in range(given.rounds))
            made, waited = backlog(store)
    table = {name: statistics.median(one[name] for one in rounds) for name in CASES}
    for name, found in table.items():
        print(f"{name:32} {found:6.1f} µs a task")
    print(f"log lines: {lines:,.0f} a second")
    print(f"at {made:,.0f} changes a second at most {waited:,} rows waited")
    if given.json:
        facts = {"cases": table, "log_lines_a_second": lines, "changes_a_second": made, "most_waiting": waited}
        print(json.dumps({"benchmark": "recording", "unit": "µs a task", **facts}))


def _pair(numbers: Iterator[int], index: int, value: Callable[[int], object]) -> list[StateChanged]:
    states = (Running(), Success(result=value(index)))
    return [StateChanged(next(numbers), f"task[{index}]", state) for state in states]


if __name__ == "__main__":
    main()
