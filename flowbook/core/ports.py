"""What tasks and blocks need of the flow they are written in. Below them all: nothing here names a class of core.

Where a method takes a Task or a TaskGraph, `Any` stands for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import pandas as pd

__all__ = ["Block", "WritableFlow"]


class WritableFlow(Protocol):
    """A flow that tasks add themselves to; `Flow` is the only one."""

    #: The flow's TaskGraph.
    _graph: Any

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def tasks(self) -> Collection[Any]:
        """All tasks, in order of definition."""
        ...

    def set_dependencies(
        self,
        task: Any,  # noqa: ANN401
        upstream_tasks: Iterable[object] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, object] | None = None,
        *,
        mapped: bool = False,
    ) -> None:
        """Add `task` and edges around it."""
        ...

    def keys(self) -> Mapping[Any, str]:
        """Return each task's key."""
        ...

    def history(self, task: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return every known successful result of a task, oldest first."""
        ...

    def _bind(self, task: Any, inputs: Mapping[str, object], upstream: Iterable[object], *, mapped: bool) -> None:  # noqa: ANN401
        """Add `task` and bind its inputs."""
        ...


class Block(Protocol):
    """A part of a flow that needs to know which tasks are written in it: `case`, a resource."""

    def add(self, task: Any) -> None:  # noqa: ANN401
        """Add a task that was called in this block."""
        ...

    def attach(self, graph: Any) -> None:  # noqa: ANN401
        """Belong to the flow of `graph`, unless the block has a flow already."""
        ...
