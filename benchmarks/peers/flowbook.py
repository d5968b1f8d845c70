"""flowbook itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks import bodies
from benchmarks.importing import importing
from benchmarks.sample import Prepared, Setting, serve
from benchmarks.shapes import SHAPES
from flowbook import Flow, task
from flowbook.engine.cache_validators import all_inputs
from flowbook.engine.events import Event, StateChanged
from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowbook.engine.state import State
    from flowbook.executors import Executor

THREADS = 4
#: The 64 sleeps run on 16.
DOZING_THREADS = 16
PROCESSES = 2

Making = Callable[[Setting], "Executor"]


@task
def root() -> int:
    return 0


@task
def one(x: Any) -> Any:
    return x


@task
def three(x: Any, y: Any, z: Any) -> Any:
    del y, z
    return x


@task
def numbers(size: int) -> list[int]:
    return list(range(size))


@task(cache_for=timedelta(hours=1), cache_validator=all_inputs)
def kept(x: int) -> int:
    return x


def here(_: Setting) -> Executor:
    return LocalExecutor()


def on_threads(_: Setting) -> Executor:
    return LocalDaskExecutor("threads", num_workers=THREADS)


def on_dozing_threads(_: Setting) -> Executor:
    return LocalDaskExecutor("threads", num_workers=DOZING_THREADS)


def on_processes(_: Setting) -> Executor:
    return LocalDaskExecutor("processes", num_workers=PROCESSES)


def on_cluster(setting: Setting) -> Executor:
    return DaskExecutor(setting.place)


def shaped(name: str, making: Making = here, *, record: bool = False) -> Callable[[Setting], Prepared]:
    """Return the work of a shape."""

    def prepare(setting: Setting) -> Prepared:
        flow = flow_of(SHAPES[name](setting.size), name)
        return _run(flow, making(setting), record=record)

    return prepare


def flow_of(shape: Sequence[tuple[int, ...]], name: str) -> Flow:
    """Return a flow of that shape."""
    with Flow(name) as flow:
        tasks: list[Any] = []
        for parents in shape:
            above = [tasks[place] for place in parents]
            if len(above) <= 1:
                tasks.append(one(*above) if above else root())
            elif len(above) == 3:
                tasks.append(three(*above))
            else:
                tasks.append(one(above[0], upstream_tasks=above[1:]))
    return flow


def mapped(making: Making = here, body: Callable[[Any], Any] | None = None) -> Callable[[Setting], Prepared]:
    """Return the work of mapping over numbers that a task makes."""

    def prepare(setting: Setting) -> Prepared:
        with Flow("map") as flow:
            (one if body is None else task(body)).map(numbers(setting.size))
        return _run(flow, making(setting))

    return prepare


def empty(setting: Setting) -> Prepared:
    """Run a flow without tasks, as often as the size says."""
    flow = Flow("empty")
    return Prepared(
        lambda: [flow.run(record=False) for _ in range(setting.size)],
        lambda states: all(state.is_successful() for state in states),
    )


def recorded_map(setting: Setting) -> Prepared:
    with Flow("map") as flow:
        one.map(numbers(setting.size))
    return _run(flow, LocalExecutor(), record=True)


def timed(making: Making, body: Callable[[int], tuple[float, float]]) -> Callable[[Setting], Prepared]:
    """Return a map of sleeps that also tells how late Running was seen, and when all but the second child had ended."""

    def prepare(setting: Setting) -> Prepared:
        with Flow("map") as flow:
            task(body).map(list(range(setting.size)))
        executor = making(setting)

        def run() -> tuple[State, dict[str, float], float]:
            seen = _Seen()
            began = time.time()
            started = flow.start(executor=executor, record=False)
            started.subscribe(seen)
            return started.wait(), seen.running, began

        return Prepared(
            run,
            lambda found: found[0].is_successful(),
            lambda found: _times(found[0], found[1], found[2], body.__name__),
        )

    return prepare


class _Seen:
    """Notes when this process heard that a child runs."""

    def __init__(self) -> None:
        self.running: dict[str, float] = {}

    def emit(self, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state.is_running():
            self.running[event.key] = time.time()


def _times(state: State, running: dict[str, float], began: float, name: str) -> dict[str, float]:
    (mapped_state,) = (found for each, found in state.result.items() if each.name == name)
    spans = mapped_state.result
    late_s = [running[f"{name}[{place}]"] - span[0] for place, span in enumerate(spans)]
    return {
        "running_seen_s": max(late_s),
        "others_s": max(span[1] for place, span in enumerate(spans) if place != 1) - began,
    }


def passing(making: Making = here) -> Callable[[Setting], Prepared]:
    """Return the work of handing 200 MB on; where it stays in this process, the very same object must arrive."""

    def prepare(setting: Setting) -> Prepared:
        is_here = making is here
        if is_here:
            bodies.large()
        with Flow("passing") as flow:
            found: Any = task(bodies.large)()
            for _ in range(setting.size - 1):
                found = one(found)
        executor = making(setting)

        def is_right(state: State) -> bool:
            return state.is_successful() and (not is_here or state.result[found].result is bodies.large())

        return Prepared(lambda: flow.run(executor=executor, record=False), is_right)

    return prepare


def hits(setting: Setting) -> Prepared:
    """Every task's output is in the store: this process put it there."""
    os.environ["FLOWBOOK_HOME"] = str(setting.folder)
    fill(setting.size)
    return _hit(setting.size)


def hits_elsewhere(setting: Setting) -> Prepared:
    """Every task's output is in the store: another process put it there."""
    os.environ["FLOWBOOK_HOME"] = str(setting.folder)
    code = f"from benchmarks.peers.flowbook import fill; fill({setting.size})"
    subprocess.run([sys.executable, "-c", code], check=True)
    return _hit(setting.size)


def fill(size: int) -> None:
    """Put the outputs of the tasks of `_keeping` into the store."""
    assert _keeping(size).run(record=False).is_successful()


def _keeping(size: int) -> Flow:
    with Flow("kept") as flow:
        for number in range(size):
            kept(number)
    return flow


def _hit(size: int) -> Prepared:
    flow = _keeping(size)

    def is_right(state: State) -> bool:
        return [found.is_cached() for found in state.result.values()].count(True) == size

    return Prepared(lambda: flow.run(record=False), is_right)


def _run(flow: Flow, executor: Executor, *, record: bool = False) -> Prepared:
    return Prepared(lambda: flow.run(executor=executor, record=record), lambda state: state.is_successful())


def cluster() -> Iterator[str]:
    """Open a cluster of two processes with two threads each; its address."""
    from distributed import LocalCluster  # noqa: PLC0415  # heavy: only where it is used

    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0") as opened:
        yield opened.scheduler_address


WORKS: dict[tuple[str, str], Callable[[Setting], Prepared]] = {
    **{(name, "caller"): shaped(name) for name in SHAPES},
    **{(name, "threads"): shaped(name, on_threads) for name in SHAPES},
    **{(name, "recorded"): shaped(name, record=True) for name in SHAPES},
    ("empty", "caller"): empty,
    ("map", "caller"): mapped(),
    ("map", "threads"): mapped(on_threads),
    ("map", "recorded"): recorded_map,
    ("map", "processes"): mapped(on_processes),
    ("map", "cluster"): mapped(on_cluster),
    ("doze", "threads"): mapped(on_dozing_threads, bodies.doze),
    ("doze", "cluster"): timed(on_cluster, bodies.doze),
    ("doze_long_at_1", "cluster"): timed(on_cluster, bodies.doze_long_at_1),
    ("burn", "processes"): mapped(on_processes, bodies.burn),
    ("passing", "caller"): passing(),
    ("passing", "cluster"): passing(on_cluster),
    ("hits", "caller"): hits,
    ("hits", "elsewhere"): hits_elsewhere,
    ("import", "caller"): importing("import flowbook"),
}

if __name__ == "__main__":
    from contextlib import contextmanager

    serve("flowbook", "jupyter-flowbook", WORKS, {"cluster": contextmanager(cluster)})
