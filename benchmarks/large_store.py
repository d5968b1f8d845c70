"""What a large store costs whoever looks: ms a question in one of 100 runs and in one of 20,000, medians, in turn.

python -m benchmarks.large_store [--runs 20000] [--events 50] [--rounds 5] [--json]

Written by SQL, without running anything: 20,000 runs of 50 flows take about 20 s.
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import hashlib
import json
import os
import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Any

import flowbook
from flowbook import Flow, task
from flowbook.store import RunRecord, graph_record, open_store
from flowbook.store.queries import queries
from flowbook.store.runs import insert_run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.store import Store

FLOWS = 50
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()
MINUTE = 60.0
DAY = 1440 * MINUTE
FOREVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC).timestamp()
PROJECT = "large"
#: Of so many runs, one waits for a person.
WAITING = 20


@task
def step(x: int) -> int:
    return x


def flow_of(number: int, tasks: int) -> Flow:
    """A chain of `tasks`."""
    with Flow(f"flow-{number}") as flow:
        found = step(0)
        for _ in range(tasks - 1):
            found = step(found)
    return flow


def fill(store: Store, runs: int, events: int, begin: float = BEGIN) -> None:
    """Write runs of chains, one a minute; each has a cache entry, and every 20th waits at its last task."""
    tasks = (events - 2) // 2
    flows = [flow_of(number, tasks) for number in range(FLOWS)]
    graphs = [graph_record(flow.compile()) for flow in flows]
    kept = [store.runs.store_flow(flow)[0] for flow in flows]
    keys = [spec["key"] for spec in graphs[0]["tasks"]]
    for first in range(0, runs, 1000):
        numbers = range(first, min(first + 1000, runs))
        add = functools.partial(_fill, numbers=numbers, keys=keys, graphs=graphs, kept=kept, begin=begin)
        store._database.write(add)  # noqa: SLF001  # so many rows only go in this way


def _fill(  # noqa: PLR0913  # what all rows have in common
    connection: sqlite3.Connection,
    numbers: range,
    keys: list[str],
    graphs: list[dict[str, Any]],
    kept: list[Any],
    begin: float,
) -> None:
    sql = queries()
    values: list[tuple[object, ...]] = []
    events: list[tuple[object, ...]] = []
    entries: list[tuple[object, ...]] = []
    for number in numbers:
        at = begin + number * MINUTE
        which = number % FLOWS
        run_id = f"run-{number}"
        end = "Paused" if number % WAITING == 7 else "Success"
        row = _add_run(connection, run_id, which, at, graphs[which], kept[which], end)
        seq = 1
        events.append((row, seq, 0, "", at, "Running", None, None, None))
        for place, key in enumerate(keys):
            content = b"FLOWBOOK\x01J\0\0\0\0\0\0" + json.dumps([number, place]).encode()
            digest = hashlib.sha256(content).digest()
            name = end if key == keys[-1] else "Success"
            kept_as = (digest, len(content)) if name == "Success" else (None, None)
            values.append((digest, len(content), content, None, None, at))
            events.append((row, seq + 1, 0, key, at + place, "Running", None, None, None))
            events.append((row, seq + 2, 0, key, at + place + 1, name, None, *kept_as))
            seq += 2
            if place == 0:
                expires = FOREVER if which % 2 else at + DAY
                entries.append((
                    f"{number:016x}", PROJECT, f"flow-{which}", key, None, at, expires, '{"x":"ab"}',
                    json.dumps({"day": str(number // 1440), "minute": number % 1440}), None, digest, len(content), run_id, 0, 0,
                ))  # fmt: skip
        events.append((row, seq + 1, 0, "", at + len(keys) + 1, end, None, None, None))
    connection.executemany(sql["keep_value"], values)
    connection.executemany(sql["add_event"], events)
    connection.executemany(sql["add_entry"], entries)


def _add_run(  # noqa: PLR0913  # one row
    connection: sqlite3.Connection, run_id: str, which: int, begin: float, graph: dict[str, Any], flow: Any, state: str
) -> int:
    record = RunRecord(
        run_id, f"flow-{which}", PROJECT, graph, dt.datetime.fromtimestamp(begin, dt.UTC),
        parameters={"day": run_id}, flow_ref=flow, executor="local", owner="ada@host:1",
    )  # fmt: skip
    row, _ = insert_run(connection, record, json.dumps(graph))
    connection.execute(
        "UPDATE run SET state = ?, started = ?, ended = ?, claimed = ?, owner = NULL, process = NULL, counts = ? WHERE id = ?",
        (state, begin, None if state == "Paused" else begin + 30, begin + 30, '{"Success": 24}', row),
    )
    return row


def questions(store: Store, runs: int) -> dict[str, Callable[[], object]]:
    """What people and panels ask, by name. The last two tell of every run: their cost is in proportion."""
    last = f"run-{runs - 1}"
    flow = flow_of((runs - 1) % FLOWS, 24)
    key = list(flow.compile().specs)[-1]
    middle = dt.datetime.fromtimestamp(BEGIN + runs // 2 * MINUTE, dt.UTC)
    run = flowbook.run(last)
    return {
        "flowbook.runs(limit=20)": lambda: flowbook.runs(limit=20),
        "the newest 20 of a flow": lambda: store.runs.list(flow=flow.name, project=PROJECT, limit=20),
        "the newest 20 that wait": lambda: store.runs.list(state="Paused", limit=20),
        "run(run_id)": lambda: flowbook.run(last),
        "run.states()": lambda: dict(run.states),
        "run.states(at=...)": lambda: run.states(at=middle),
        "store.history.states(run_id)": lambda: store.history.states(last),
        "a task's last 14 outcomes": lambda: store.history.task_history(flow.name, key, project=PROJECT),
        "a run's owner": lambda: store.ownership.is_owned(last),
        "cache entries of one task": lambda: store.cache.entries(flow=flow.name, task="step", project=PROJECT),
        "flow.as_of(now)[task]": lambda: flow.as_of(dt.datetime.now(dt.UTC))[key],
        "flow.history(task)": lambda: flow.history(key),
        "all: flowbook.runs()": flowbook.runs,
        "all: flowbook.cache.entries()": flowbook.cache.entries,
    }


def measure(ask: Callable[[], object]) -> float:
    """Return how many ms it takes."""
    begin = time.perf_counter()
    ask()
    return (time.perf_counter() - begin) * 1e3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one line of JSON after the table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_KEY_FILE"], os.environ["FLOWBOOK_PROJECT"] = f"{folder}/key", PROJECT
        found: dict[str, dict[int, list[float]]] = {}
        for runs in (100, given.runs):
            os.environ["FLOWBOOK_HOME"] = f"{folder}/{runs}"
            store = open_store()
            fill(store, runs, given.events)
        for _ in range(given.rounds):
            for runs in (100, given.runs):
                os.environ["FLOWBOOK_HOME"] = f"{folder}/{runs}"
                for name, ask in questions(open_store(), runs).items():
                    found.setdefault(name, {}).setdefault(runs, []).append(measure(ask))
    tell("large_store", given.runs, found, as_json=given.json)


def tell(benchmark: str, runs: int, found: Mapping[str, Mapping[int, Sequence[float]]], *, as_json: bool) -> None:
    """Print the medians of what each question took, in ms, by the number of runs."""
    table = {name: {count: statistics.median(times) for count, times in by.items()} for name, by in found.items()}
    print(f"{'':32} {'100 runs':>12} {f'{runs:,} runs':>12}   ms")
    for name, by in table.items():
        small, large = by.values()
        print(f"{name:32} {small:12.2f} {large:12.2f}   x {large / small:.2f}")
    if as_json:
        print(json.dumps({"benchmark": benchmark, "unit": "ms", "runs": runs, "questions": table}))


if __name__ == "__main__":
    main()
