"""Dask's own client on a cluster of two processes with two threads each: `client.map`, `client.gather`."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed import Client, LocalCluster

from benchmarks import bodies
from benchmarks.importing import importing
from benchmarks.sample import Prepared, Setting, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def _cluster() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0") as opened,
        Client(opened) as client,
    ):
        yield client


def _mapped(body: Callable[[Any], Any]) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        client: Client = setting.place
        return Prepared(
            lambda: client.gather(client.map(body, range(setting.size), pure=False)),
            lambda values: len(values) == setting.size,
        )

    return prepare


def _slow(setting: Setting) -> Prepared:
    client: Client = setting.place

    def run() -> tuple[float, list[tuple[float, float]]]:
        began = time.time()
        return began, client.gather(client.map(bodies.doze_long_at_1, range(setting.size), pure=False))

    return Prepared(
        run,
        bool,
        lambda found: {"others_s": max(span[1] for place, span in enumerate(found[1]) if place != 1) - found[0]},
    )


def _passing(setting: Setting) -> Prepared:
    client: Client = setting.place

    def run() -> object:
        found = client.submit(bodies.large, pure=False)
        for _ in range(setting.size - 1):
            found = client.submit(bodies.nothing, found, pure=False)
        return client.submit(len, found, pure=False).result()

    return Prepared(run, lambda length: length == bodies.LARGE_BYTES)


WORKS = {
    ("map", "cluster"): _mapped(bodies.nothing),
    ("doze", "cluster"): _mapped(bodies.doze),
    ("doze_long_at_1", "cluster"): _slow,
    ("passing", "cluster"): _passing,
    ("import", "caller"): importing("import distributed"),
}

if __name__ == "__main__":
    serve("distributed", "distributed", WORKS, {"cluster": _cluster})
