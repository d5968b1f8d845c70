"""Hamilton: a node a task, in a module made for the purpose; Parallelizable and Collect where it maps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from hamilton import ad_hoc_utils, driver
from hamilton.execution import executors
from hamilton.htypes import Collect, Parallelizable

from benchmarks import bodies
from benchmarks.importing import importing
from benchmarks.sample import Prepared, Setting, serve
from benchmarks.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

DOZING_THREADS = 16
PROCESSES = 2
_SERIAL = itertools.count()


def _module(source: str, *names: str, **known: object) -> Any:
    """Return a module of functions, whose parameters name what they stand on: that is how a graph is written here."""
    space: dict[str, Any] = dict(known)
    exec(source, space)  # the source is made above
    return ad_hoc_utils.create_temporary_module(
        *[space[name] for name in names], module_name=f"benchmark_{next(_SERIAL)}"
    )


def _shaped(name: str) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        shape = SHAPES[name](setting.size)
        names = [f"t{place}" for place in range(len(shape))]
        source = "\n".join(
            f"def {names[place]}({', '.join(f'{names[above]}: int' for above in parents)}) -> int: "
            f"return {names[parents[0]] if parents else 0}"
            for place, parents in enumerate(shape)
        )
        built = driver.Builder().with_modules(_module(source, *names)).build()
        wanted = names[-1:] if name == "chain" else names
        return Prepared(lambda: built.execute(wanted), lambda found: len(found) == len(wanted))

    return prepare


_MAP = """
def item(size: int) -> Parallelizable[int]:
    yield from range(size)

def done(item: int) -> object:
    return body(item)

def all_done(done: Collect[object]) -> list:
    return list(done)
"""


def _mapped(body: Callable[[int], Any], executor: Callable[[], Any] | None = None) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        module = _module(_MAP, "item", "done", "all_done", Parallelizable=Parallelizable, Collect=Collect, body=body)
        builder = driver.Builder().enable_dynamic_execution(allow_experimental_mode=True).with_modules(module)
        remote = executors.SynchronousLocalTaskExecutor() if executor is None else executor()
        built = (
            builder.with_local_executor(executors.SynchronousLocalTaskExecutor()).with_remote_executor(remote).build()
        )
        return Prepared(
            lambda: built.execute(["all_done"], inputs={"size": setting.size}),
            lambda found: len(found["all_done"]) == setting.size,
        )

    return prepare


def _passing(setting: Setting) -> Prepared:
    value = bodies.large()
    names = [f"t{place}" for place in range(setting.size)]
    source = "def t0() -> bytes: return large()\n" + "\n".join(
        f"def {name}({above}: bytes) -> bytes: return {above}" for above, name in itertools.pairwise(names)
    )
    built = driver.Builder().with_modules(_module(source, *names, large=bodies.large)).build()
    return Prepared(lambda: built.execute(names[-1:]), lambda found: found[names[-1]] is value)


def _hits(setting: Setting) -> Prepared:
    names = [f"t{place}" for place in range(setting.size)]
    source = "\n".join(f"def {name}() -> int: return 0" for name in names)
    module = _module(source, *names)

    def built() -> Any:
        return driver.Builder().with_modules(module).with_cache(path=setting.folder).build()

    built().execute(names)
    again = built()
    return Prepared(lambda: again.execute(names), lambda found: len(found) == setting.size)


WORKS = {
    **{(name, "caller"): _shaped(name) for name in SHAPES},
    ("map", "caller"): _mapped(bodies.nothing),
    ("doze", "threads"): _mapped(bodies.doze, lambda: executors.MultiThreadingExecutor(max_tasks=DOZING_THREADS)),
    ("burn", "processes"): _mapped(bodies.burn, lambda: executors.MultiProcessingExecutor(max_tasks=PROCESSES)),
    ("passing", "caller"): _passing,
    ("hits", "caller"): _hits,
    ("import", "caller"): importing("import hamilton.driver"),
}

if __name__ == "__main__":
    serve("hamilton", "sf-hamilton", WORKS)
