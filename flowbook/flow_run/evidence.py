"""What earlier runs tell about values that need not be loaded: the content hash of an input, by where it came from.

A run notes the digest of what each task gave, and each cached output the content hashes of what it was made from. Together
they say the content hash of a stored value, as an input of the tasks below it.

An origin says where a value comes from: the digest of a stored output, or, for tasks whose outputs aren't cached, the task's
code and constants with the origins of its inputs. Equal origins have equal values, if what isn't cached gives the same again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.task_keys import child_key
from flowbook.results.value_record import value_digest

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from flowbook.engine.graph import Binding, Graph, TaskSpec
    from flowbook.store.plan_reads import PastOutput, PlanReads

__all__ = ["Evidence", "Origin", "element", "made_by", "stored"]

#: Of a value; None: not known.
Origin = tuple["Hashable", ...]

#: A task that returns None stores nothing.
_NONE = ("stored", "")
_NONE_DIGEST = value_digest(None)


def stored(digest: str) -> Origin:
    """Return the origin of a stored value."""
    return _NONE if digest == _NONE_DIGEST else ("stored", digest)


def element(origin: Origin, index: int, *, flattened: bool) -> Origin:
    """Return the origin of one element of a sequence that a task is mapped over."""
    return ("flat element" if flattened else "element", origin, index)


def made_by(task: Mapping[str, Any], inputs: Mapping[str, Origin | None]) -> Origin | None:
    """Return the origin of what a task gives whose output isn't cached; None if an input's isn't known.

    Args:
        task: as in `graph_record`.
        inputs: origins by argument.
    """
    if None in inputs.values():
        return None
    return ("made", task.get("code_hash"), task.get("wiring"), *sorted(inputs.items()))


class Evidence:
    """Collects from recorded runs what they tell. For one plan, in one thread.

    Args:
        graph: of the flow as it is now.
        reads: of the flow.
    """

    def __init__(self, graph: Graph, reads: PlanReads) -> None:
        self._graph = graph
        self._reads = reads
        self._seen: set[str] = set()
        self._hashes: dict[Origin, str] = {}
        self._widths: dict[Origin, int] = {}

    def add(self, run_id: str) -> None:
        """Take in what a run tells; once. A run that isn't recorded tells nothing."""
        if run_id in self._seen:
            return
        self._seen.add(run_id)
        outputs = self._reads.outputs(run_id)
        if outputs:
            _PastRun(self._graph, self._reads.graph(run_id), outputs).tell(self._hashes, self._widths)

    def hash_of(self, origin: Origin) -> str | None:
        """Return the content hash of a value, as a task below gets it; None if no run tells."""
        return self._hashes.get(origin)

    def width_of(self, origin: Origin) -> int | None:
        """Return how many elements a value has, as the tasks that were mapped over it tell."""
        return self._widths.get(origin)

    def kept(self, run_id: str) -> dict[str, Origin | None]:
        """Return the origins of what the tasks of a run gave, by key."""
        past = _PastRun(self._graph, self._reads.graph(run_id), self._reads.outputs(run_id))
        return {key: past.origin(key) for key in self._graph.specs}


class _PastRun:
    """One recorded run, seen by a flow as it is now. Tasks that are gone or new are passed over."""

    def __init__(self, graph: Graph, tasks: Mapping[str, Mapping[str, Any]], outputs: Mapping[str, PastOutput]) -> None:
        self._specs = graph.specs
        self._tasks = tasks
        self._outputs = outputs
        self._origins: dict[str, Origin | None] = {}
        for key in graph.specs:
            if key in tasks:
                self._origins[key] = self._find(key)

    def origin(self, key: str) -> Origin | None:
        """Return the origin of what a task gave."""
        return self._origins.get(key)

    def tell(self, hashes: dict[Origin, str], widths: dict[Origin, int]) -> None:
        """Add the content hashes and widths that this run tells; what newer runs told stays."""
        for key, spec in self._specs.items():
            if key not in self._tasks or spec.cache is None:
                continue
            for binding in spec.bindings:
                if self._tasks[key]["inputs"].get(binding.argument) == binding.upstream:
                    self._tell_input(spec, binding, hashes, widths)

    def _tell_input(
        self, spec: TaskSpec, binding: Binding, hashes: dict[Origin, str], widths: dict[Origin, int]
    ) -> None:
        origin, argument = self.origin(binding.upstream), str(binding.argument)
        if origin is None:
            return
        if not spec.is_mapped:
            self._note(spec.key, argument, origin, hashes)
            return
        width = self._width(spec.key)
        if width is None:
            return
        if binding.mapped and origin[0] != "children":
            widths.setdefault(origin, width)
        for index in range(width):
            own = child_origin(origin, index, binding) if binding.mapped else origin
            self._note(child_key(spec.key, index), argument, own, hashes)

    def _note(self, key: str, argument: str, origin: Origin | None, hashes: dict[Origin, str]) -> None:
        past = self._outputs.get(key)
        found = past.input_hashes.get(argument) if past is not None else None
        if found is not None and origin is not None:
            hashes.setdefault(origin, found)

    def _find(self, key: str) -> Origin | None:
        spec, task = self._specs[key], self._tasks[key]
        if spec.cache is None and not spec.is_parameter:
            return made_by(task, {name: self.origin(up) for name, up in task["inputs"].items()})
        if not spec.is_mapped:
            return self._given(key)
        width = self._width(key)
        if width is None:
            return None
        found = tuple(self._given(child_key(key, index)) for index in range(width))
        return None if None in found else ("children", *found)

    def _given(self, key: str) -> Origin | None:
        past = self._outputs.get(key)
        if past is None or not past.is_kept:
            return None
        return _NONE if past.digest is None else stored(past.digest)

    def _width(self, key: str) -> int | None:
        past = self._outputs.get(key)
        return None if past is None else past.width


def child_origin(origin: Origin, index: int, binding: Binding) -> Origin | None:
    """Return the origin of what child `index` of a task gets from what it is mapped over."""
    if origin[0] == "children" and not binding.flattened:
        return origin[index + 1] if index + 1 < len(origin) else None  # type: ignore[return-value]  # an Origin, or None
    return element(origin, index, flattened=binding.flattened)
