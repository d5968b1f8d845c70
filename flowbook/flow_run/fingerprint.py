"""A compiled flow as plain JSON with hashes of its code: recorded with a run, and compared when the run resumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._utils.gc_pause import gc_paused
from flowbook.engine.task_code import TaskCode
from flowbook.exceptions import UnpicklableError
from flowbook.results.code_source import source_name, sources_of
from flowbook.results.content_hash import literal_hash
from flowbook.store import graph_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FunctionType

    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.flow_run.ports import RunnableFlow

__all__ = ["fingerprint"]


def fingerprint(
    flow: RunnableFlow, graph: Graph, codes: dict[Callable[..., object], TaskCode] | None = None
) -> dict[str, object]:
    """Return the graph as `store.graph_record` makes it, with hashes of each task's code and of its other settings.

    `sources` are the functions, by the name of `code_source.source_name`; `functions` has that name for each task that isn't
    called as its function is.

    Args:
        flow: the flow.
        graph: of it.
        codes: what is known of functions; what is read here is added.
    """
    # Thousands of copies of a task share one function, and one trigger.
    hashes = _CodeHashes({} if codes is None else codes, graph)
    with gc_paused():
        code_hashes = {key: hashes[spec.run] for key, spec in graph.specs.items()}
    wirings = {key: wiring for key, spec in graph.specs.items() if (wiring := _wiring(flow, spec, hashes)) is not None}
    functions = {key: name for key, spec in graph.specs.items() if (name := hashes.name_of(spec))}
    sources: dict[str, object] = {"sources": sources_of(hashes.functions())}
    return {**graph_record(graph, code_hashes, wirings), **sources, **({"functions": functions} if functions else {})}


class _CodeHashes:
    def __init__(self, codes: dict[Callable[..., object], TaskCode], graph: Graph) -> None:
        self._codes = codes
        self._known = graph.codes

    def functions(self) -> Iterator[FunctionType]:
        """Yield the functions that were read, and those that they reach."""
        for code in self._codes.values():
            yield from code.functions

    def name_of(self, spec: TaskSpec) -> str:
        """Return the source name of a task's function that was read; "" if the task is called as its function."""
        function = next(iter(self._codes[spec.run].functions), None)
        return "" if function is None or function.__name__ == spec.name else source_name(function)

    def __getitem__(self, function: Callable[..., object]) -> str:
        found = self._codes.get(function)
        if found is None:
            found = self._codes[function] = TaskCode(function, self._known)
        return found.hash


def _wiring(flow: RunnableFlow, spec: TaskSpec, hashes: _CodeHashes) -> str | None:
    """Return a hash of a task's settings apart from its code and edges; None if it has none."""
    given: list[tuple[object, ...]] = [("constant", *item) for item in (spec.constants or {}).items()]
    given += [("mapped", *item) for item in (spec.mapped_constants or {}).items()]
    given += [("way", bound.argument, bound.flattened) for bound in spec.bindings if bound.mapped or bound.flattened]
    given += [("own", *item) for item in flow._own_fields(spec.task).items()]  # noqa: SLF001  # for runs only, by ports.py
    if spec.trigger is not None:
        cells = [cell.cell_contents for cell in getattr(spec.trigger, "__closure__", None) or ()]
        given.append(("trigger", hashes[spec.trigger], *(each for each in cells if not callable(each))))
    try:
        return literal_hash(given) if given else None
    except UnpicklableError:
        return literal_hash([tuple(map(_hash, each)) for each in given])


def _hash(value: object) -> str:
    """Return a hash of the value; if it can't be pickled, of its type alone."""
    try:
        return literal_hash(value)
    except UnpicklableError:
        return type(value).__qualname__
