"""An edge: what one task passes on to another, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.core.ordered_set import OrderedSet

if TYPE_CHECKING:
    from flowbook.core.task import Task

__all__ = ["Edge"]


class Edge:
    """A dependency: `downstream_task` runs after `upstream_task`. Edges are equal if all their fields are.

    Don't change an edge once it is in a flow.

    Args:
        upstream_task: runs first.
        downstream_task: runs after it.
        key: the argument of the downstream task's `run` that gets the value; None: order only, no value is passed.
        mapped: whether each child of the downstream task gets one element of the value.
        flattened: whether one level of nesting is removed from the value first.
    """

    __slots__ = ("_decides", "downstream_task", "flattened", "key", "mapped", "upstream_task")

    def __init__(
        self,
        upstream_task: Task,
        downstream_task: Task,
        key: str | None = None,
        *,
        mapped: bool = False,
        flattened: bool = False,
    ) -> None:
        self.upstream_task = upstream_task
        self.downstream_task = downstream_task
        self.key = key
        self.mapped = mapped
        self.flattened = flattened
        #: Whether the downstream task is written in the case that the upstream one is: it runs only if that is taken.
        self._decides = False

    @classmethod
    def deciding(cls, condition: Task, task: Task, *, mapped: bool = False) -> Edge:
        """Return the edge from a case to a task that is written in it."""
        edge = cls(condition, task, mapped=mapped)
        edge._decides = True
        return edge

    def between(self, upstream_task: Task, downstream_task: Task, **changes: Any) -> Edge:  # noqa: ANN401  # of its fields
        """Return an edge like this one between other tasks."""
        fields = {"key": self.key, "mapped": self.mapped, "flattened": self.flattened, **changes}
        edge = Edge(upstream_task, downstream_task, **fields)
        edge._decides = self._decides
        return edge

    @property
    def tasks(self) -> OrderedSet[Task]:
        """The upstream and the downstream task."""
        return OrderedSet((self.upstream_task, self.downstream_task))

    def _fields(self) -> tuple[Task, Task, str | None, bool, bool]:
        return self.upstream_task, self.downstream_task, self.key, self.mapped, self.flattened

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Edge) and self._fields() == other._fields())

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        return f"<Edge{' ' + self.key if self.key else ''}: {self.upstream_task.name} to {self.downstream_task.name}>"
