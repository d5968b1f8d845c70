"""`TaskRunner` runs one task by itself, without a flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowbook._context import ContextLayer, current_layer
from flowbook.engine.job import Job
from flowbook.engine.masks import Masks
from flowbook.engine.state import Mapped, Pending, State
from flowbook.engine.task_attempt import run_task
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.engine.job import ComparesInputs
    from flowbook.engine.ports import OutputCache
    from flowbook.engine.task_progress import TaskProgress

__all__ = ["TaskRunner"]


class TaskRunner:
    """Runs one task by itself, without a flow.

    Args:
        task: a `flowbook.Task`.
        state_handlers: called after the task's own.
    """

    def __init__(self, task: object, state_handlers: Sequence[Callable[..., object]] = ()) -> None:
        if not callable(getattr(task, "compile", None)):
            msg = f"TaskRunner can't run {task!r}, which is not a task. Give a flowbook.Task, e.g. a function under @task."
            raise DefinitionError(msg, given=repr(task))
        self.task = task
        self.run_id = ""
        self.flow_name = ""
        self.parameters: Mapping[str, object] = {}
        self.handlers = tuple(state_handlers)
        self.layer: ContextLayer | None = None
        self.cache: OutputCache | None = None
        self.interrupted = False
        self.input_checks: ComparesInputs | None = None
        self.masks: Masks | None = None
        #: Every state the task went through, in order.
        self.history: list[State] = []

    def run(
        self,
        state: State | None = None,
        upstream_states: Mapping[object, State] | None = None,
        context: Mapping[str, object] | None = None,
    ) -> State:
        """Run the task once, return its last state.

        Args:
            state: its state before; default Pending.
            upstream_states: by Edge; keyed edges give the inputs.
            context: values for `flowbook.context`.

        Raises:
            DefinitionError: if these are no states, or an input is missing.
        """
        _check_given(self.task, state, upstream_states)
        spec = self.task.compile(upstream_states or {})  # type: ignore[attr-defined]  # a Task; engine knows no core
        self.history.clear()
        self.layer = ContextLayer(context, current_layer()) if context else None
        self.masks = Masks.around(self.layer or current_layer()) or None
        if any(_has_open_children(each) for each in (upstream_states or {}).values()):
            return state or Pending("Waits for children of a mapped task above.")
        return run_task(Job(spec, spec.key, state or Pending(), list((upstream_states or {}).values())), self)

    def state_changed(self, key: str, state: State) -> None:
        """Keep the state in `history`."""
        del key
        self.history.append(state)

    def logged(self, key: str, level: int, text: str, shown: object = None) -> None:
        """Drop a log line."""

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Drop a report of progress."""


def _has_open_children(state: State) -> bool:
    return isinstance(state, Mapped) and not all(child.is_finished() for child in state.map_states)


def _check_given(task: object, state: object, upstream_states: object) -> None:
    name = getattr(task, "name", repr(task))
    if state is not None and not isinstance(state, State):
        msg = f"{state!r} is not a state. Give task {name!r} one, e.g. Pending() of flowbook.engine.state, or none."
        raise DefinitionError(msg, state=repr(state))
    given = upstream_states if isinstance(upstream_states, Mapping) else None if upstream_states else {}
    if given is None or not all(hasattr(e, "upstream_task") and isinstance(s, State) for e, s in given.items()):
        msg = (
            f"upstream_states={upstream_states!r} are not states by edge. "
            f"Give e.g. {{Edge(up, {name}, key='x'): Success(result=1)}}."
        )
        raise DefinitionError(msg, upstream_states=repr(upstream_states))
    if mapped := [edge.key for edge in given if getattr(edge, "mapped", False)]:
        msg = f"Edge to {mapped[0]!r} is mapped: TaskRunner runs one child. Give it one element, or run a flow."
        raise DefinitionError(msg, argument=mapped[0])
