"""Maps on a cluster and on processes, beside Dask itself and the standard library's pool: `python benchmarks/dask_map.py`.

Each row is measured in turn with its peer, several rounds, medians. Walls, since the work is done elsewhere.
"""

import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from distributed import Client, LocalCluster

from flowbook import Flow, task
from flowbook.executors import DaskExecutor, LocalDaskExecutor

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3


def nothing(x):
    return x


def doze(x):
    time.sleep(0.05)
    return x


def burn(x):
    end = time.process_time() + 0.5
    while time.process_time() < end:
        pass
    return x


def ones(x):
    return np.ones(25_000_000) if x is None else x


def mapped(function, count):
    with Flow("map") as flow:
        task(function).map(list(range(count)))
    return flow


def chain(function, count):
    with Flow("chain") as flow:
        found = task(function)(None)
        for _ in range(count - 1):
            found = task(function)(found)
    return flow


def wall(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(*works):
    walls = [[wall(work) for work in works] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*walls, strict=True)]


def run(flow, executor):
    state = flow.run(executor=executor)
    assert state.is_successful(), state


def on_the_cluster(rows):
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        executor = DaskExecutor(cluster.scheduler_address)

        def raw():
            client.gather(client.map(nothing, range(10_000), pure=False))

        flow = mapped(nothing, 10_000)
        rows.append(("map of 10,000 no-ops, against client.map", *in_turn(lambda: run(flow, executor), raw), 0.25))
        slow = mapped(doze, 1000)
        (taken,) = in_turn(lambda: run(slow, executor))
        rows.append(("map of 1,000 × 50 ms on 4 threads, against the ideal", taken, 12.5, 1.1))
        large = chain(ones, 10)
        (taken,) = in_turn(lambda: run(large, executor))
        rows.append(("10 tasks that pass on 200 MB", taken, None, None))


def on_processes(rows):
    flow = mapped(burn, 8)

    def ours():
        run(flow, LocalDaskExecutor("processes", num_workers=2))

    def pool():
        with ProcessPoolExecutor(2) as found:
            list(found.map(burn, range(8)))

    rows.append(("8 × 0.5 s of CPU on 2 processes, against ProcessPoolExecutor", *in_turn(ours, pool), 1.10))
    quick = mapped(nothing, 10_000)
    (taken,) = in_turn(lambda: run(quick, LocalDaskExecutor("processes", num_workers=2)))
    rows.append(("map of 10,000 no-ops on 2 processes", taken, None, None))


def main():
    rows = []
    on_the_cluster(rows)
    on_processes(rows)
    print(f"{'work':<62} {'flowbook s':>10} {'peer s':>8} {'ratio':>6} {'goal':>5}")
    for work, ours, peer, goal in rows:
        tail = f"{peer:8.2f} {ours / peer:6.2f} {goal:5.2f}" if peer is not None else ""
        print(f"{work:<62} {ours:10.3f} {tail}")


if __name__ == "__main__":
    main()
