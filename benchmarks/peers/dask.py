"""Dask on this machine: `dask.get`, `dask.threaded.get`, `dask.multiprocessing.get`, on graphs written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.multiprocessing
import dask.threaded
from dask.local import get_sync

from benchmarks import bodies
from benchmarks.importing import importing
from benchmarks.sample import Prepared, Setting, serve
from benchmarks.shapes import SHAPES, first

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 4
DOZING_THREADS = 16
PROCESSES = 2

GETS: dict[str, Callable[..., Any]] = {
    "caller": get_sync,
    "threads": dask.threaded.get,
    "processes": dask.multiprocessing.get,
}


def _shaped(name: str, on: str) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        shape = SHAPES[name](setting.size)
        names = [f"t{place}" for place in range(len(shape))]
        graph = {names[place]: (first, *[names[above] for above in parents]) for place, parents in enumerate(shape)}
        # Roots take a number: without an argument Dask sees a bare tuple, not a call.
        graph.update({names[place]: (first, 0) for place, parents in enumerate(shape) if not parents})
        return _computed(graph, names[-1:] if name == "chain" else names, on, THREADS)

    return prepare


def _mapped(on: str, body: Callable[[Any], Any] = bodies.nothing, workers: int = THREADS) -> Callable[..., Prepared]:
    def prepare(setting: Setting) -> Prepared:
        graph = {f"t{place}": (body, place) for place in range(setting.size)}
        return _computed(graph, list(graph), on, workers)

    return prepare


def _passing(setting: Setting) -> Prepared:
    value = bodies.large()
    graph: dict[str, Any] = {"t0": (bodies.large,)}
    graph.update({f"t{place}": (first, f"t{place - 1}") for place in range(1, setting.size)})
    return Prepared(lambda: get_sync(graph, f"t{setting.size - 1}"), lambda found: found is value)


def _computed(graph: dict[str, Any], keys: list[str], on: str, workers: int) -> Prepared:
    options = {} if on == "caller" else {"num_workers": workers}
    return Prepared(lambda: GETS[on](graph, keys, **options), lambda found: len(found) == len(keys))


WORKS = {
    **{(name, on): _shaped(name, on) for name in SHAPES for on in ("caller", "threads")},
    **{("map", on): _mapped(on) for on in ("caller", "threads")},
    ("doze", "threads"): _mapped("threads", bodies.doze, DOZING_THREADS),
    ("burn", "processes"): _mapped("processes", bodies.burn, PROCESSES),
    ("passing", "caller"): _passing,
    ("import", "caller"): importing("import dask.threaded"),
}

if __name__ == "__main__":
    serve("dask", "dask", WORKS)
