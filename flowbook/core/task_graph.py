"""The tasks of a flow, the edges between them and their constant inputs, while the flow is written.

Every change goes through a method here, which checks it, costs no more than it touches, and counts it in `version`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core.building import mark_used, waiting_blocks
from flowbook.core.parameter import Parameter
from flowbook.core.task import Task
from flowbook.core.topological_order import TopologicalOrder
from flowbook.engine.graph import cycle_error
from flowbook.exceptions import DefinitionError, UnknownTaskError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from flowbook.core.edge import Edge
    from flowbook.core.ports import Block
    from flowbook.exceptions import CycleError

__all__ = ["TaskGraph"]

#: A task with more incoming edges gets an index of them; up to here a scan is faster.
_FEW = 8
_NO_EDGES: tuple[Edge, ...] = ()


class TaskGraph:
    """Tasks, edges and constants. Read its attributes; change them through its methods only.

    Attributes:
        flow_name: for messages.
        tasks: in order of definition.
        incoming: the edges into each task. A list only where there are edges: a flow may have very many tasks without.
        outgoing: the edges out of each task, likewise.
        constants: values written in the flow, by task and input.
        mapped_constants: sequences written in the flow, one element for each child, by task and input.
        parameters: by name.
        called: the tasks whose calls put copies of them here.
        outer: of a part that is written by itself and then moved there, as `apply_map` does: whose tasks it may use too.
        blocks: the open `case` and resource blocks, innermost last.
        unused: tasks that were made in the flow's block and not used so far.
        version: counts the changes.
    """

    def __init__(self, flow_name: str, outer: TaskGraph | None = None) -> None:
        self.flow_name = flow_name
        self.tasks: dict[Task, None] = {}
        self.incoming: dict[Task, list[Edge] | tuple[Edge, ...]] = {}
        self.outgoing: dict[Task, list[Edge] | tuple[Edge, ...]] = {}
        self.constants: dict[Task, dict[str, object]] = {}
        self.mapped_constants: dict[Task, dict[str, Sequence[Any]]] = {}
        self.parameters: dict[str, Parameter] = {}
        self.called: set[Task] = set()
        self.outer = outer
        self.blocks: list[Block] = []
        self.unused: dict[Task, None] = {}
        self.version = 0
        self._order: TopologicalOrder[Task] = TopologicalOrder()
        #: By task with more than a few incoming edges: the edges, and the inputs that have one.
        self._index: dict[Task, tuple[dict[Edge, Edge], set[str]]] = {}

    def changed(self) -> None:
        """Count a change: what was compiled from this graph is out of date."""
        self.version += 1

    def add(self, task: Task) -> None:
        """Add a task; one that is there already stays.

        Raises:
            DefinitionError: if it isn't a task, or is a second parameter of the same name.
        """
        if task in self.tasks:
            return
        if not isinstance(task, Task):
            msg = f"{task!r} is not a task. Make one with @task, or subclass Task."
            raise DefinitionError(msg, value=repr(task))
        if isinstance(task, Parameter):
            self._add_parameter(task)
        self.tasks[task] = None
        self._order.add(task)
        self.incoming[task] = self.outgoing[task] = _NO_EDGES
        mark_used(task)
        self._note_in_blocks(task)
        self.changed()

    def _note_in_blocks(self, task: Task) -> None:
        if self.outer is None:
            for block in waiting_blocks():
                block.attach(self)
        if self.blocks and not task._is_external and not self.is_outside(task):  # noqa: SLF001  # for the graph only
            for block in self.blocks:
                block.add(task)

    def is_outside(self, task: Task) -> bool:
        """Return whether `task` belongs to the flow for which this part is written."""
        around = self.outer
        while around is not None and task not in around.tasks:
            around = around.outer
        return around is not None

    def _add_parameter(self, parameter: Parameter) -> None:
        if parameter.name in self.parameters:
            msg = (
                f"Flow {self.flow_name!r} has a parameter {parameter.name!r} already. "
                "Use that one, or give this one another name."
            )
            raise DefinitionError(msg, parameter=parameter.name)
        self.parameters[parameter.name] = parameter

    def add_edge(self, edge: Edge) -> Edge:
        """Add an edge and both its tasks; return the equal edge instead, if there is one.

        Raises:
            DefinitionError: if it leads into a parameter, to an argument that `run` lacks, or to one that has a value.
            CycleError: if the tasks would wait on each other.
        """
        before, after = edge.upstream_task, edge.downstream_task
        if before not in self.tasks:
            self.add(before)
        if after not in self.tasks:
            self.add(after)
        if self.incoming[after] and (found := self._find(edge)) is not None:
            if edge._decides and not found._decides:  # noqa: SLF001  # a part of this graph
                found.decide()
                self.changed()
            return found
        if isinstance(after, Parameter):
            msg = f"Parameter {after.name!r} can't have tasks upstream: its value is given when the flow is run."
            raise DefinitionError(msg, parameter=after.name)
        if edge.key is not None:
            self.check_input(after, edge.key)
        if not self._order.admits(before, after, self.above, self.below):
            raise self._ring(edge)
        _append(self.incoming, after, edge)
        _append(self.outgoing, before, edge)
        if self._index and after in self._index:
            _note(self._index[after], edge)
        self.changed()
        return edge

    def _find(self, edge: Edge) -> Edge | None:
        task = edge.downstream_task
        edges = self.incoming[task]
        if len(edges) > _FEW:
            return self._index_of(task)[0].get(edge)
        for each in edges:
            if each.upstream_task is edge.upstream_task and each == edge:
                return each
        return None

    def _index_of(self, task: Task) -> tuple[dict[Edge, Edge], set[str]]:
        found = self._index.get(task)
        if found is None:
            found = self._index[task] = ({}, set())
            for edge in self.incoming[task]:
                _note(found, edge)
        return found

    def check_input(self, task: Task, name: str) -> None:
        """Refuse an input that `task` doesn't have, or that has its value already."""
        task._check_inputs((name,))  # noqa: SLF001  # a task knows its inputs, and says so only to its graph
        is_constant = name in self.constants.get(task, ()) or name in self.mapped_constants.get(task, ())
        if is_constant or (self.incoming.get(task) and self._is_fed(task, name)):
            msg = f"Input {name!r} of task {task.name!r} is given twice. Remove one of the two."
            raise DefinitionError(msg, task=task.name, argument=name)

    def _is_fed(self, task: Task, name: str) -> bool:
        edges = self.incoming[task]
        if len(edges) > _FEW:
            return name in self._index_of(task)[1]
        return name in [edge.key for edge in edges]

    def set_constant(self, task: Task, name: str, value: object) -> None:
        """Give input `name` of `task` a value that is known now."""
        self.check_input(task, name)
        self.constants.setdefault(task, {})[name] = value
        self.changed()

    def set_mapped_constant(self, task: Task, name: str, elements: Sequence[Any]) -> None:
        """Give each child of `task` one of these elements as input `name`."""
        self.check_input(task, name)
        self.mapped_constants.setdefault(task, {})[name] = elements
        self.changed()

    def copy_constants(self, source: TaskGraph, task: Task, twin: Task | None = None) -> None:
        """Give `twin` (default: `task` itself) the constants that `task` has in `source`."""
        if found := source.constants.get(task):
            self.constants.setdefault(twin or task, {}).update(found)
        if elements := source.mapped_constants.get(task):
            self.mapped_constants.setdefault(twin or task, {}).update(elements)
        self.changed()

    def remove(self, task: Task) -> None:
        """Remove a task with its edges and constants."""
        for edge in self.incoming.pop(task):
            _remove(self.outgoing, edge.upstream_task, edge)
        for edge in self.outgoing.pop(task):
            _remove(self.incoming, edge.downstream_task, edge)
            self._index.pop(edge.downstream_task, None)
        self._index.pop(task, None)
        self.constants.pop(task, None)
        self.mapped_constants.pop(task, None)
        del self.tasks[task]
        self._order.remove(task)
        if isinstance(task, Parameter):
            del self.parameters[task.name]
        self.changed()

    def above(self, task: Task) -> Iterator[Task]:
        """Yield the tasks directly upstream, once for each edge."""
        return (edge.upstream_task for edge in self.incoming[task])

    def below(self, task: Task) -> Iterator[Task]:
        """Yield the tasks directly downstream, once for each edge."""
        return (edge.downstream_task for edge in self.outgoing[task])

    def default_reference(self) -> list[Task]:
        """Return the tasks with nothing downstream, as if tasks that only clean up weren't there."""
        judged = [task for task in self.tasks if task._is_reference_by_default]  # noqa: SLF001  # for the graph only
        if len(judged) == len(self.tasks):
            return [task for task, edges in self.outgoing.items() if not edges]
        counts = dict.fromkeys(judged)
        return [task for task in judged if not any(below in counts for below in self.below(task))]

    def downstream(self, tasks: Iterable[Task]) -> set[Task]:
        """Return these tasks and all downstream of them."""
        seen = {self.known(task) for task in tasks}
        stack = list(seen)
        while stack:
            fresh = [task for task in self.below(stack.pop()) if task not in seen]
            seen.update(fresh)
            stack.extend(fresh)
        return seen

    def known(self, task: Task) -> Task:
        """Return `task`. Raises UnknownTaskError if it isn't here."""
        if task not in self.tasks:
            names = ", ".join(self.keys().values()) or "none"
            msg = f"{task!r} is not in flow {self.flow_name!r}. Its tasks: {names}."
            raise UnknownTaskError(msg, key=getattr(task, "name", repr(task)))
        return task

    def keys(self) -> dict[Task, str]:
        """Return each task's key: its slug, else its name, then `name-2`, `name-3`; parameters take theirs first."""
        keys: dict[Task, str] = {p: p.name for p in self.parameters.values()}
        taken = set(keys.values())
        counts: dict[str, int] = {}
        for task in self.tasks:
            if task in keys:
                continue
            wanted = task.slug or task.name
            key = wanted
            while key in taken:
                counts[wanted] = counts.get(wanted, 1) + 1
                key = f"{wanted}-{counts[wanted]}"
            taken.add(key)
            keys[task] = key
        return {task: keys[task] for task in self.tasks} if self.parameters else keys

    def slugs(self) -> dict[Task, str]:
        """Return each task's slug or name with its number among those of that name; a parameter's name."""
        counts: dict[str, int] = {}
        slugs: dict[Task, str] = {}
        for task in self.tasks:
            name = task.slug or task.name
            counts[name] = counts.get(name, 0) + 1
            slugs[task] = name if isinstance(task, Parameter) else f"{name}-{counts[name]}"
        return slugs

    def copy(self) -> TaskGraph:
        """Return an independent copy, with the same tasks and no open blocks."""
        twin = TaskGraph(self.flow_name)
        twin.tasks = dict(self.tasks)
        twin.incoming = {task: edges and list(edges) for task, edges in self.incoming.items()}
        twin.outgoing = {task: edges and list(edges) for task, edges in self.outgoing.items()}
        twin.constants = {task: dict(values) for task, values in self.constants.items()}
        twin.mapped_constants = {task: dict(values) for task, values in self.mapped_constants.items()}
        twin.parameters = dict(self.parameters)
        twin.version = self.version
        twin._order = self._order.copy()
        return twin

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "blocks": [], "called": set(), "unused": {}, "outer": None, "_index": {}}

    def _ring(self, edge: Edge) -> CycleError:
        """Return the error that names the tasks of the ring that `edge`, which isn't in the graph, would close."""
        keys = self.keys()
        came_from: dict[Task, Task] = {}
        stack = [edge.downstream_task]
        while edge.upstream_task not in came_from and edge.upstream_task is not edge.downstream_task:
            task = stack.pop()
            for below in self.below(task):
                if below not in came_from:
                    came_from[below] = task
                    stack.append(below)
        ring = [edge.upstream_task]
        while ring[-1] is not edge.downstream_task:
            ring.append(came_from[ring[-1]])
        return cycle_error([keys[task] for task in reversed(ring)])


def _note(index: tuple[dict[Edge, Edge], set[str]], edge: Edge) -> None:
    index[0][edge] = edge
    if edge.key is not None:
        index[1].add(edge.key)


def _append(edges: dict[Task, list[Edge] | tuple[Edge, ...]], task: Task, edge: Edge) -> None:
    found = edges[task]
    if isinstance(found, list):
        found.append(edge)
    else:
        edges[task] = [edge]


def _remove(edges: dict[Task, list[Edge] | tuple[Edge, ...]], task: Task, edge: Edge) -> None:
    edges[task] = [each for each in edges[task] if each is not edge] or _NO_EDGES
