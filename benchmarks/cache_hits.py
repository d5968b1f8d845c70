"""What a cache hit costs in another process, in the one that filled the cache, and there once more: µs of wall a task.

python benchmarks/cache_hits.py [--tasks 10000] [--rounds 3] [--json]

The whole run is timed, also without a cache: the tasks themselves do nothing. `map` is one task mapped over so many.
"again" is a run right after another one, with no commit in between.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flowbook import Flow, Parameter, task
from flowbook.engine import cache_validators
from flowbook.executors import LocalExecutor

DAY = dt.timedelta(days=1)
VALIDATORS = {
    "no cache": None,
    "duration_only": cache_validators.duration_only,
    "all_inputs": cache_validators.all_inputs,
    "all_parameters": cache_validators.all_parameters,
    "code_and_inputs": cache_validators.code_and_inputs,
    "partial_inputs_only": cache_validators.partial_inputs_only(["x"]),
    "partial_parameters_only": cache_validators.partial_parameters_only(["day"]),
}


def body(x: int) -> int:
    return x + 1


def numbers(n: int) -> list[int]:
    return list(range(n))


def flow_of(shape: str, validator: str, tasks: int) -> Flow:
    """A fan of `tasks` of their own, or one task mapped over so many."""
    options = {} if validator == "no cache" else {"cache_for": DAY, "cache_validator": VALIDATORS[validator]}
    cached = task(body, **options)
    with Flow(f"{shape}-{validator}", executor=LocalExecutor()) as flow:
        Parameter("day", default="2026-11-20")()
        if shape == "map":
            cached.map(task(numbers)(tasks))
        else:
            for number in range(tasks):
                cached(number)
    return flow


def measure(case: str, tasks: int) -> float:
    """Return µs a task for one run of "shape/validator"."""
    shape, validator = case.split("/")
    flow = flow_of(shape, validator, tasks)
    gc.collect()  # what the case before left is not this one's cost
    begin = time.perf_counter()
    state = flow.run(record=False)
    spent = time.perf_counter() - begin
    assert state.is_successful(), state.message
    return spent / tasks * 1e6


def elsewhere(cases: list[str], tasks: int) -> dict[str, float]:
    """Return the same for the second run in another process; the first loads what is loaded once."""
    command = [sys.executable, __file__, "--measure", json.dumps(cases), "--tasks", str(tasks)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one line of JSON after the table")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure("fan/duration_only", 1)
        print(json.dumps({case: measure(case, given.tasks) for case in json.loads(given.measure)}))
        return
    cases = [f"{shape}/{validator}" for shape in ("fan", "map") for validator in VALIDATORS]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_HOME"], os.environ["FLOWBOOK_KEY_FILE"] = f"{folder}/home", f"{folder}/key"
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
        filled = {case: measure(case, given.tasks) for case in cases}
        rounds = []
        for _ in range(given.rounds):
            here = {case: (measure(case, given.tasks), measure(case, given.tasks)) for case in cases}
            rounds.append((here, elsewhere(cases, given.tasks)))
    table = {
        case: {
            "miss": filled[case],
            "here": statistics.median(here[case][0] for here, _ in rounds),
            "again": statistics.median(here[case][1] for here, _ in rounds),
            "elsewhere": statistics.median(there[case] for _, there in rounds),
        }
        for case in cases
    }
    print(f"{'µs a task':32} {'miss':>8} {'hit, here':>10} {'again':>8} {'hit, other process':>20}")
    for case, row in table.items():
        print(f"{case:32} {row['miss']:8.1f} {row['here']:10.1f} {row['again']:8.1f} {row['elsewhere']:20.1f}")
    if given.json:
        print(json.dumps({"benchmark": "cache_hits", "unit": "µs a task", "tasks": given.tasks, "cases": table}))


if __name__ == "__main__":
    main()
