"""Prefect's newest release, against a server on this machine that `prefect3_server` starts and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow, task
from prefect.cache_policies import INPUTS, NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from benchmarks import bodies
from benchmarks.importing import importing
from benchmarks.sample import Prepared, Setting, serve
from benchmarks.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

DOZING_THREADS = 16


def _first(*values: Any) -> Any:
    return values[0] if values else 0


def _shaped(name: str) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        shape = SHAPES[name](setting.size)
        first = task(_first, cache_policy=NO_CACHE)

        @flow
        def shaped() -> int:
            values: list[Any] = []
            for parents in shape:
                values.append(first(*[values[place] for place in parents]))
            return len(values)

        return Prepared(shaped, lambda count: count == len(shape))

    return prepare


def _mapped(body: Callable[[Any], Any], workers: int = 1) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        each = task(body, cache_policy=NO_CACHE)

        @flow(task_runner=ThreadPoolTaskRunner(max_workers=workers))
        def mapped() -> int:
            return len(each.map(range(setting.size)).result())

        return Prepared(mapped, lambda count: count == setting.size)

    return prepare


def _passing(setting: Setting) -> Prepared:
    value = bodies.large()
    nothing = task(bodies.nothing, cache_policy=NO_CACHE)

    @flow(validate_parameters=False)
    def passing() -> int:
        found: Any = value
        for _ in range(setting.size):
            found = nothing(found)
        return len(found)

    return Prepared(passing, lambda length: length == bodies.LARGE_BYTES)


def _hits(setting: Setting) -> Prepared:
    kept = task(bodies.nothing, cache_policy=INPUTS, persist_result=True, result_storage_key=None)

    @flow
    def all_kept() -> list[Any]:
        return [kept(number, return_state=True) for number in range(setting.size)]

    all_kept(return_state=True)
    names: list[str] = []

    @flow
    def again() -> int:
        names.extend(kept(number, return_state=True).name for number in range(setting.size))
        return len(names)

    return Prepared(again, lambda count: count == setting.size and set(names) == {"Cached"})


WORKS = {
    **{(name, "caller"): _shaped(name) for name in ("chain", "fan", "layers")},
    ("map", "caller"): _mapped(bodies.nothing),
    ("doze", "threads"): _mapped(bodies.doze, DOZING_THREADS),
    ("passing", "caller"): _passing,
    ("hits", "caller"): _hits,
    ("import", "caller"): importing("import prefect; prefect.flow"),
}

if __name__ == "__main__":
    serve("prefect3", "prefect", WORKS)
