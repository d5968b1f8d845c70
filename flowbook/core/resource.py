"""Resources: set up before the tasks that need them, cleaned up after them whatever happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never, overload

from flowbook.core import checks
from flowbook.core.building import flow_or_refuse
from flowbook.core.edge import Edge
from flowbook.core.function_task import FunctionTask
from flowbook.core.task import Task
from flowbook.engine.signals import SKIP
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from flowbook.core.flow import Flow
    from flowbook.core.ports import WritableFlow
    from flowbook.core.task_graph import TaskGraph
    from flowbook.engine.state import State

__all__ = ["ResourceBlock", "ResourceManager", "resource_cleanup_trigger", "resource_manager"]


class _Setup(Task):
    """Sets a resource up."""

    def run(self, manager: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Return the result of `manager.setup()`, None if it has no setup."""
        setup = getattr(manager, "setup", None)
        return None if setup is None else setup()


class _Cleanup(Task):
    """Cleans a resource up. The tasks in the block decide the flow's state, this one doesn't."""

    _is_reference_by_default = False
    _cleans_up = True

    def run(self, manager: Any, resource: Any) -> None:  # type: ignore[override]  # noqa: ANN401  # its own inputs
        """Call `manager.cleanup(resource)`."""
        manager.cleanup(resource)


def resource_cleanup_trigger(upstream_states: Mapping[Any, State]) -> bool:
    """Pass once everything upstream has ended, however it did; skip where there is nothing to clean up."""
    for edge, state in upstream_states.items():
        if edge.key is not None and (state.is_skipped() or not state.is_successful()):
            raise SKIP("Nothing to clean up: the resource was not set up.")
    return True


class ResourceManager:
    """A class under `@resource_manager`. Call it in a flow: `with Cluster(workers=4) as client:`.

    Args:
        resource_class: has `cleanup(self, resource)` and, if it likes, `setup(self)`, which returns the resource.
        name: default: the class's.
        init_task_kwargs: options of the task that calls the class.
        setup_task_kwargs: options of the task that calls `setup`.
        cleanup_task_kwargs: options of the task that calls `cleanup`.
    """

    def __init__(
        self,
        resource_class: Callable[..., Any],
        name: str | None = None,
        init_task_kwargs: Mapping[str, Any] | None = None,
        setup_task_kwargs: Mapping[str, Any] | None = None,
        cleanup_task_kwargs: Mapping[str, Any] | None = None,
        **unknown: Never,
    ) -> None:
        self.resource_class = resource_class
        self.name = name or str(getattr(resource_class, "__name__", "resource"))
        if unknown:
            checks.unknown_options(self.name, unknown, ResourceManager.__init__, "Resource")
        self.__doc__ = resource_class.__doc__
        if isinstance(resource_class, type) and not callable(getattr(resource_class, "cleanup", None)):
            msg = f"Resource {self.name!r} has no cleanup. Write cleanup(self, resource)."
            raise DefinitionError(msg, resource=self.name)
        self._init_options = {"name": self.name, **(init_task_kwargs or {})}
        self._setup_options = {"name": f"{self.name}.setup", **(setup_task_kwargs or {})}
        self._cleanup_options = {
            "name": f"{self.name}.cleanup",
            "trigger": resource_cleanup_trigger,
            "skip_on_upstream_skip": False,
            **(cleanup_task_kwargs or {}),
        }

    def __call__(self, *args: Any, flow: Flow | None = None, **kwargs: Any) -> ResourceBlock:  # noqa: ANN401
        """Add the three tasks to the flow; return the context manager in which the resource is used."""
        found = flow_or_refuse(flow, self.name)
        made = FunctionTask(self.resource_class, **self._init_options).bind(*args, flow=found, **kwargs)
        setup = _Setup(**self._setup_options).bind(made, flow=found)
        cleanup = _Cleanup(**self._cleanup_options).bind(made, setup, flow=found)
        return ResourceBlock(found, made, setup, cleanup)

    def __repr__(self) -> str:
        return f"<ResourceManager: {self.name}>"


class ResourceBlock:
    """Context manager: tasks written in it run after `setup_task`, and `cleanup_task` after them."""

    def __init__(self, flow: WritableFlow, init_task: Task, setup_task: Task, cleanup_task: Task) -> None:
        self.init_task = init_task
        self.setup_task = setup_task
        self.cleanup_task = cleanup_task
        self._graph: TaskGraph = flow._graph  # noqa: SLF001  # a block is a part of its flow
        self._tasks: dict[Task, None] = {}

    def add(self, task: Task) -> None:
        """Add a task that was called in the block."""
        self._tasks[task] = None

    def attach(self, graph: TaskGraph) -> None:
        """It knows its flow from the start."""

    def __enter__(self) -> Task:
        self._graph.blocks.append(self)
        return self.setup_task

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        graph = self._graph
        graph.blocks.remove(self)
        if kind is not None:
            return
        for task in self._tasks:
            upstream = set(graph.above(task))
            if self.setup_task not in upstream and not any(up in self._tasks for up in upstream):
                graph.add_edge(Edge(self.setup_task, task))
            downstream = set(graph.below(task))
            if self.cleanup_task not in downstream and not any(below in self._tasks for below in downstream):
                graph.add_edge(Edge(task, self.cleanup_task))


@overload
def resource_manager(resource_class: Callable[..., Any], /) -> ResourceManager: ...
@overload
def resource_manager(
    resource_class: None = None,
    /,
    **options: Any,  # noqa: ANN401
) -> Callable[[Callable[..., Any]], ResourceManager]: ...


def resource_manager(
    resource_class: Callable[..., Any] | None = None,
    /,
    **options: Any,
) -> ResourceManager | Callable[[Callable[..., Any]], ResourceManager]:
    """Make a resource of a class with `setup(self)` and `cleanup(self, resource)`.

    In a flow, `with Cluster(workers=4) as client:` passes the result of `setup` to the tasks in the block. If the setup
    succeeded, `cleanup` runs when these tasks have ended, whatever their states, and also if the run is cancelled. The flow's
    state doesn't depend on it by default. If tasks in the block run again later (a retry, a cancelled run that is resumed),
    the resource is set up again for them.

    Args:
        resource_class: the class. `setup` may be missing: then the resource is None.
        options: as for `ResourceManager`: `name`, `init_task_kwargs`, `setup_task_kwargs`, `cleanup_task_kwargs`.
    """
    if resource_class is None:
        return lambda decorated: ResourceManager(decorated, **options)
    return ResourceManager(resource_class, **options)
