"""What the engine costs: CPU µs a no-op task of `flow.run()` on LocalExecutor beside `dask.get` on the same graph.

Both run in turn, in one process; the median of several rounds is shown, and how both grow with ten times the tasks.

python benchmarks/engine.py [--rounds 5] [--quick]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from typing import TYPE_CHECKING, Any

from dask.local import get_sync

from flowbook import Flow, task

if TYPE_CHECKING:
    from collections.abc import Callable

_PARENTS = 3
_WIDTH = 10
#: What flowbook must reach, as a share of dask's time.
GOAL = 0.7


def _first(*args: Any) -> Any:
    return args[0] if args else 0


@task
def _root():
    return 0


@task
def _next(x):
    return x


@task
def _join(x, y, z):  # noqa: ARG001  # three parents
    return x


@task
def _numbers(n):
    return list(range(n))


def chain(n: int) -> tuple[Flow, dict[str, Any], list[str]]:
    """Each task after the one before."""
    with Flow("chain") as flow:
        last = _root()
        for _ in range(n - 1):
            last = _next(last)
    graph: dict[str, Any] = {"t0": (_first, 0)}
    graph.update({f"t{i}": (_first, f"t{i - 1}") for i in range(1, n)})
    return flow, graph, [f"t{n - 1}"]


def fan(n: int) -> tuple[Flow, dict[str, Any], list[str]]:
    """One task, and n - 1 below it."""
    with Flow("fan") as flow:
        root = _root()
        for _ in range(n - 1):
            _next(root)
    graph: dict[str, Any] = {"t0": (_first, 0)}
    graph.update({f"t{i}": (_first, "t0") for i in range(1, n)})
    return flow, graph, list(graph)


def layers(n: int) -> tuple[Flow, dict[str, Any], list[str]]:
    """Layers of ten tasks, each with three parents in the layer above."""
    with Flow("layers") as flow:
        row = [_root() for _ in range(_WIDTH)]
        for _ in range(n // _WIDTH - 1):
            row = [_join(*(row[(i + k) % _WIDTH] for k in range(_PARENTS))) for i in range(_WIDTH)]
    graph: dict[str, Any] = {f"t0-{i}": (_first, 0) for i in range(_WIDTH)}
    for depth in range(1, n // _WIDTH):
        for i in range(_WIDTH):
            graph[f"t{depth}-{i}"] = (_first, *(f"t{depth - 1}-{(i + k) % _WIDTH}" for k in range(_PARENTS)))
    return flow, graph, list(graph)


def mapped(n: int) -> tuple[Flow, dict[str, Any], list[str]]:
    """One task mapped over n elements."""
    with Flow("map") as flow:
        _next.map(_numbers(n))
    graph: dict[str, Any] = {f"t{i}": (_first, i) for i in range(n)}
    return flow, graph, list(graph)


SHAPES: dict[str, tuple[Callable[[int], tuple[Flow, dict[str, Any], list[str]]], int]] = {
    "chain": (chain, 5_000),
    "fan": (fan, 10_000),
    "layers": (layers, 1_000),
    "map": (mapped, 100_000),
}


def measure(shape: str, n: int, rounds: int) -> tuple[float, float]:
    """Return the median CPU µs a task of flowbook and of dask, taken in turn."""
    flow, graph, keys = SHAPES[shape][0](n)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_cpu_us(flow.run, n))
        theirs.append(_cpu_us(lambda: get_sync(graph, keys), n))
    return statistics.median(ours), statistics.median(theirs)


def _cpu_us(call: Callable[[], object], n: int) -> float:
    gc.collect()
    start = time.process_time()
    call()
    return (time.process_time() - start) / n * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the tasks")
    args = parser.parse_args()
    print(f"{'work':<8} {'tasks':>8} {'flowbook':>9} {'dask.get':>9} {'ratio':>6}  growth from a tenth")
    for shape, (_, full) in SHAPES.items():
        n = full // 10 if args.quick else full
        small, _ = measure(shape, n // 10, args.rounds)
        ours, theirs = measure(shape, n, args.rounds)
        verdict = "" if ours / theirs <= GOAL else f"  misses {GOAL}"
        print(
            f"{shape:<8} {n:>8,} {ours:>8.1f}µ {theirs:>8.1f}µ {ours / theirs:>6.2f}  ×{10 * ours / small:.1f}{verdict}"
        )


if __name__ == "__main__":
    main()
