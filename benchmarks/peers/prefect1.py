"""Prefect 1, the system whose flows the seeds show: `Flow`, `flow.run()`. Nothing of it reaches for a server."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prefect import Flow, task
from prefect.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor

from benchmarks import bodies
from benchmarks.importing import importing
from benchmarks.sample import Prepared, Setting, serve
from benchmarks.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THREADS = 4
DOZING_THREADS = 16
PROCESSES = 2


@task
def root() -> Any:
    return 0


@task
def one(x: Any) -> Any:
    return x


@task
def three(x: Any, y: Any, z: Any) -> Any:
    del y, z
    return x


@task
def numbers(size: Any) -> Any:
    return list(range(size))


_BODIES: dict[int, Any] = {0: root, 1: one, 3: three}


def _shaped(name: str) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        with Flow(name) as flow:
            tasks: list[Any] = []
            for parents in SHAPES[name](setting.size):
                above = [tasks[place] for place in parents]
                tasks.append(_BODIES[len(above)](*above))
        return _run(flow, LocalExecutor())

    return prepare


def _mapped(body: Any, making: Callable[[Setting], Any]) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        with Flow("map") as flow:
            body.map(numbers(setting.size))
        return _run(flow, making(setting))

    return prepare


def _passing(setting: Setting) -> Prepared:
    bodies.large()
    with Flow("passing") as flow:
        found = task(bodies.large)()
        for _ in range(setting.size - 1):
            found = one(found)
    return _run(flow, LocalExecutor())


def _run(flow: Any, executor: Any) -> Prepared:
    return Prepared(lambda: flow.run(executor=executor), lambda state: state.is_successful())


@contextmanager
def _cluster() -> Iterator[str]:
    from distributed import LocalCluster  # noqa: PLC0415  # heavy: only where it is used

    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0") as opened:
        yield opened.scheduler_address


WORKS = {
    **{(name, "caller"): _shaped(name) for name in ("chain", "fan", "layers")},
    ("map", "caller"): _mapped(one, lambda _: LocalExecutor()),
    ("map", "threads"): _mapped(one, lambda _: LocalDaskExecutor("threads", num_workers=THREADS)),
    ("map", "cluster"): _mapped(one, lambda setting: DaskExecutor(address=setting.place)),
    ("doze", "threads"): _mapped(task(bodies.doze), lambda _: LocalDaskExecutor("threads", num_workers=DOZING_THREADS)),
    ("burn", "processes"): _mapped(task(bodies.burn), lambda _: LocalDaskExecutor("processes", num_workers=PROCESSES)),
    ("passing", "caller"): _passing,
    ("import", "caller"): importing("import prefect"),
}

if __name__ == "__main__":
    serve("prefect1", "prefect", WORKS, {"cluster": _cluster})
