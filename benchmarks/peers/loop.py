"""Plain Python: a loop, and the standard library's pools. What the work costs without anybody's help."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from benchmarks.bodies import burn, doze, large, nothing
from benchmarks.sample import Prepared, Setting, serve
from benchmarks.shapes import SHAPES, first

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 16
PROCESSES = 2


def _shape(name: str) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        shape = SHAPES[name](setting.size)

        def run() -> list[object]:
            values: list[object] = []
            for parents in shape:
                values.append(first(*[values[place] for place in parents]))
            return values

        return Prepared(run, lambda values: len(values) == len(shape))

    return prepare


def _mapped(setting: Setting) -> Prepared:
    return Prepared(
        lambda: [nothing(x) for x in range(setting.size)], lambda values: values == list(range(setting.size))
    )


def _passing(setting: Setting) -> Prepared:
    value = large()

    def run() -> object:
        found: object = value
        for _ in range(setting.size):
            found = nothing(found)
        return found

    return Prepared(run, lambda found: found is value)


def _on_threads(setting: Setting) -> Prepared:
    return Prepared(lambda: _pooled(ThreadPoolExecutor(THREADS), doze, setting.size), bool)


def _on_processes(setting: Setting) -> Prepared:
    return Prepared(lambda: _pooled(ProcessPoolExecutor(PROCESSES), burn, setting.size), bool)


def _pooled(executor: Any, body: Callable[[int], Any], size: int) -> list[Any]:
    with executor as pool:
        return list(pool.map(body, range(size)))


WORKS = {
    **{(name, "caller"): _shape(name) for name in SHAPES},
    ("map", "caller"): _mapped,
    ("passing", "caller"): _passing,
    ("doze", "threads"): _on_threads,
    ("burn", "processes"): _on_processes,
}

if __name__ == "__main__":
    serve("loop", None, WORKS)
