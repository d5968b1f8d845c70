"""What a flow consists of: its tasks, the edges between them, which of them decide its state. Read only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core import checks, compiler
from flowbook.core.ordered_set import OrderedSet
from flowbook.core.task_graph import TaskGraph
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flowbook.core.edge import Edge
    from flowbook.core.parameter import Parameter
    from flowbook.core.task import Task

__all__ = ["FlowStructure"]


class FlowStructure:
    """The tasks and edges of a flow. Base of Flow, which changes and runs them."""

    def __init__(self, name: str | None) -> None:
        self.is_named = name is not None
        self._graph = TaskGraph(_checked_name(name))
        #: The reference tasks where the author chose some.
        self._reference: tuple[Task, ...] | None = None

    @property
    def name(self) -> str:
        """What people call it; outputs are cached under it."""
        return self._graph.flow_name

    @name.setter
    def name(self, name: str) -> None:
        self._graph.flow_name = _checked_name(name)
        self._graph.changed()

    @property
    def tasks(self) -> OrderedSet[Task]:
        """All tasks, in order of definition."""
        return OrderedSet(self._graph.tasks)

    @property
    def edges(self) -> OrderedSet[Edge]:
        """All edges, in order of definition of the tasks they lead into."""
        return OrderedSet(edge for edges in self._graph.incoming.values() for edge in edges)

    @property
    def constants(self) -> dict[Task, dict[str, object]]:
        """The plain values written in the flow, by task and input; a copy."""
        return {task: dict(values) for task, values in self._graph.constants.items()}

    def edges_to(self, task: Task) -> OrderedSet[Edge]:
        """Return the edges into `task`."""
        return OrderedSet(self._graph.incoming[self._graph.known(task)])

    def edges_from(self, task: Task) -> OrderedSet[Edge]:
        """Return the edges out of `task`."""
        return OrderedSet(self._graph.outgoing[self._graph.known(task)])

    def upstream_tasks(self, task: Task) -> OrderedSet[Task]:
        """Return the tasks directly upstream of `task`."""
        return OrderedSet(self._graph.above(self._graph.known(task)))

    def downstream_tasks(self, task: Task) -> OrderedSet[Task]:
        """Return the tasks directly downstream of `task`."""
        return OrderedSet(self._graph.below(self._graph.known(task)))

    def parameters(self) -> OrderedSet[Parameter]:
        """Return the parameters."""
        return OrderedSet(self._graph.parameters.values())

    def root_tasks(self) -> OrderedSet[Task]:
        """Return the tasks with nothing upstream."""
        return OrderedSet(task for task, edges in self._graph.incoming.items() if not edges)

    def terminal_tasks(self) -> OrderedSet[Task]:
        """Return the tasks with nothing downstream."""
        return OrderedSet(task for task, edges in self._graph.outgoing.items() if not edges)

    def reference_tasks(self) -> OrderedSet[Task]:
        """Return the tasks whose states decide the flow's."""
        if self._reference is not None:
            return OrderedSet(self._reference)
        return OrderedSet(self._graph.default_reference())

    def all_upstream_edges(self) -> dict[Task, OrderedSet[Edge]]:
        """Return for each task the edges into it."""
        return {task: OrderedSet(edges) for task, edges in self._graph.incoming.items()}

    def all_downstream_edges(self) -> dict[Task, OrderedSet[Edge]]:
        """Return for each task the edges out of it."""
        return {task: OrderedSet(edges) for task, edges in self._graph.outgoing.items()}

    def sorted_tasks(self, root_tasks: Iterable[Task] | None = None) -> tuple[Task, ...]:
        """Return the tasks so that each comes after its upstream.

        Args:
            root_tasks: only these and what lies downstream of them; default: all.

        Raises:
            UnknownTaskError: if a root task isn't in the flow.
        """
        roots = None if root_tasks is None else checks.several(self.name, "root_tasks", root_tasks, "Flow")
        return compiler.sorted_tasks(self._graph, roots)

    def keys(self) -> dict[Task, str]:
        """Return each task's key: its slug, else its name, then `name-2`, `name-3`; parameters take theirs first."""
        return self._graph.keys()

    @property
    def slugs(self) -> dict[Task, str]:
        """Each task's slug or name with its number in the order of definition, `name-1`, `name-2`; a parameter's name.

        Keys differ for the first of a name only: it has the key `name`. Commands and `run[...]` take keys.
        """
        return self._graph.slugs()

    def get_tasks(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        task_type: type[Task] | None = None,
    ) -> list[Task]:
        """Return the tasks to which all of this applies, in order of definition.

        Args:
            name: their name.
            slug: their key, or their slug as in `slugs`.
            tags: labels that they all have.
            task_type: their class, or a base of it, e.g. Parameter.
        """
        wanted = frozenset(checks.texts(self.name, "tags", tags, "Flow"))
        keys, slugs = self.keys(), self.slugs if slug is not None else {}
        return [
            task
            for task, key in keys.items()
            if (name is None or task.name == name)
            and (slug is None or slug in {key, slugs[task]})
            and wanted <= task.tags
            and (task_type is None or isinstance(task, task_type))
        ]

    def validate(self) -> None:
        """Check that the flow can run. Each task and edge was checked when it was added; this checks them once more.

        Raises:
            ArgumentError: if a task has no value for an input that it needs.
            CycleError: if tasks wait on each other.
        """
        compiler.check_inputs(self._graph)
        self.sorted_tasks()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        #: Mostly, the tasks differ, which is seen at once: a flow that is written again has other ones.
        if not isinstance(other, FlowStructure) or self._graph.tasks != other._graph.tasks:
            return False
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def _content(self) -> tuple[object, ...]:
        """Return what makes two flows equal; constants count by identity, as values may not be comparable."""
        graph = self._graph
        return (
            type(self),
            self.name,
            graph.tasks,
            self.edges,
            self.reference_tasks(),
            [
                {task: {name: id(value) for name, value in values.items()} for task, values in constants.items()}
                for constants in (graph.constants, graph.mapped_constants)
            ],
        )

    def __contains__(self, task: object) -> bool:
        return task in self._graph.tasks

    def __iter__(self) -> Iterator[Task]:
        return iter(self._graph.tasks)

    def __len__(self) -> int:
        return len(self._graph.tasks)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        parameters = self.parameters()
        count = sum(task not in parameters and not task._gathers for task in self)  # noqa: SLF001  # a task's own
        return f"<Flow: {self.name!r}, {count} {'task' if count == 1 else 'tasks'}>"


def _checked_name(name: str | None) -> str:
    if name is None:
        return "flow"
    if not isinstance(name, str) or not name.strip():
        msg = f"Flow name {name!r} isn't a name. Give a text, e.g. Flow('delays')."
        raise DefinitionError(msg, name=name)
    return name
