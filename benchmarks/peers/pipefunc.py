"""pipefunc: a PipeFunc a task, and a mapspec where it maps."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pipefunc import PipeFunc, Pipeline

from benchmarks import bodies
from benchmarks.importing import importing
from benchmarks.sample import Prepared, Setting, serve
from benchmarks.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

DOZING_THREADS = 16
PROCESSES = 2


def _root() -> int:
    return 0


def _one(x: Any) -> Any:
    return x


def _three(x: Any, y: Any, z: Any) -> Any:
    del y, z
    return x


_BODIES: list[tuple[Callable[..., Any], str]] = [(_root, ""), (_one, "x"), (_root, ""), (_three, "xyz")]


def _shaped(name: str) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        shape = SHAPES[name](setting.size)
        functions = []
        for place, parents in enumerate(shape):
            body, arguments = _BODIES[len(parents)]
            renames = {argument: f"t{above}" for argument, above in zip(arguments, parents, strict=True)}
            functions.append(PipeFunc(body, f"t{place}", renames=renames))
        pipeline = Pipeline(functions, validate_type_annotations=False)
        wanted = [f"t{place}" for place in range(len(shape))]
        if name == "chain":
            return Prepared(lambda: pipeline.run(wanted[-1], kwargs={}), lambda found: found == 0)
        return Prepared(lambda: pipeline.run(wanted, kwargs={}), lambda found: len(found) == len(wanted))

    return prepare


def _mapped(body: Callable[[Any], Any], pool: Callable[[], Any] | None = None) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        pipeline = Pipeline([PipeFunc(body, "y", mapspec="x[i] -> y[i]")], validate_type_annotations=False)
        inputs = {"x": list(range(setting.size))}

        def run() -> Any:
            if pool is None:
                return pipeline.map(inputs, parallel=False, show_progress=False, storage="dict")["y"].output
            with pool() as executor:
                return pipeline.map(inputs, executor=executor, show_progress=False, storage="dict", chunksizes=1)[
                    "y"
                ].output

        return Prepared(run, lambda found: len(found) == setting.size)

    return prepare


def _passing(setting: Setting) -> Prepared:
    value = bodies.large()
    functions = [PipeFunc(bodies.large, "t0")]
    functions += [PipeFunc(_one, f"t{place}", renames={"x": f"t{place - 1}"}) for place in range(1, setting.size)]
    pipeline = Pipeline(functions, validate_type_annotations=False)
    return Prepared(lambda: pipeline.run(f"t{setting.size - 1}", kwargs={}), lambda found: found is value)


WORKS = {
    **{(name, "caller"): _shaped(name) for name in ("chain", "fan", "layers")},
    ("map", "caller"): _mapped(_one),
    ("doze", "threads"): _mapped(bodies.doze, lambda: ThreadPoolExecutor(DOZING_THREADS)),
    ("burn", "processes"): _mapped(bodies.burn, lambda: ProcessPoolExecutor(PROCESSES)),
    ("passing", "caller"): _passing,
    ("import", "caller"): importing("import pipefunc"),
}

if __name__ == "__main__":
    serve("pipefunc", "pipefunc", WORKS)
