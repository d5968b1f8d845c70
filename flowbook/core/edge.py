"""An edge: what flows from one task into another, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowbook.core.task import Task

__all__ = ["Edge"]


class Edge:
    """From `upstream_task` into `downstream_task`.

    Attributes:
        key: the argument of `run` that gets the value; None: only the state matters.
        mapped: whether each child of the downstream task gets one element.
        flattened: whether one level of nesting is taken off the value first.
    """

    __slots__ = ("downstream_task", "flattened", "key", "mapped", "upstream_task")

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

    def __repr__(self) -> str:
        return f"<Edge{' ' + self.key if self.key else ''}: {self.upstream_task.name} to {self.downstream_task.name}>"
