"""An edge: what one task passes on to another, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.core.ordered_set import OrderedSet
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from typing import Never

    from flowbook.core.task import Task

__all__ = ["Edge"]


class Edge:
    """A dependency: `downstream_task` runs after `upstream_task`. It doesn't change; edges are equal if all their fields are.

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
        _set_upstream_task(self, upstream_task)
        _set_downstream_task(self, downstream_task)
        _set_key(self, key)
        _set_mapped(self, mapped)
        _set_flattened(self, flattened)
        _set_decides(self, False)  # noqa: FBT003  # a slot takes nothing else

    if TYPE_CHECKING:
        upstream_task: Task
        downstream_task: Task
        key: str | None
        mapped: bool
        flattened: bool
        #: Whether the downstream task is written in the case that the upstream one is: it runs only if that is taken.
        _decides: bool
    else:

        def __setattr__(self, name: str, value: object) -> Never:
            msg = f"{self!r} doesn't change: {name}={value!r} was not set. Add another edge with flow.add_edge(...)."
            raise DefinitionError(msg, name=name)

    @classmethod
    def deciding(cls, condition: Task, task: Task, *, mapped: bool = False) -> Edge:
        """Return the edge from a case to a task that is written in it."""
        edge = cls(condition, task, mapped=mapped)
        edge.decide()
        return edge

    def decide(self) -> None:
        """Note that the downstream task is written in the case that the upstream one is."""
        _set_decides(self, True)  # noqa: FBT003  # as above

    def between(self, upstream_task: Task, downstream_task: Task, **changes: Any) -> Edge:  # noqa: ANN401  # of its fields
        """Return an edge like this one between other tasks."""
        fields = {"key": self.key, "mapped": self.mapped, "flattened": self.flattened, **changes}
        edge = Edge(upstream_task, downstream_task, **fields)
        if self._decides:
            edge.decide()
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

    def __setstate__(self, state: tuple[None, dict[str, object]]) -> None:
        for name, value in state[1].items():
            object.__setattr__(self, name, value)


_fields: Any = Edge  # its slots' descriptors: half the time of `object.__setattr__`
_set_upstream_task = _fields.upstream_task.__set__
_set_downstream_task = _fields.downstream_task.__set__
_set_key = _fields.key.__set__
_set_mapped = _fields.mapped.__set__
_set_flattened = _fields.flattened.__set__
_set_decides = _fields._decides.__set__  # noqa: SLF001  # its own
