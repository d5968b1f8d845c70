"""`FlowRunner`: runs a flow without store or notebook, as `TaskRunner` runs a task. What a run does is in `epoch`.

Not where a run's process lives: that is `flowbook.flow_runners`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.executors.base import Executor

__all__ = ["FlowRunner"]


class FlowRunner:
    """Runs a flow once a call, and keeps nothing of it.

    Args:
        flow: a `flowbook.Flow`.
        state_handlers: called for the flow and its tasks, after their own.

    Raises:
        DefinitionError: if it isn't a flow.
    """

    def __init__(self, flow: object, state_handlers: Sequence[Callable[..., object]] = ()) -> None:
        if not callable(getattr(flow, "compile", None)) or not callable(getattr(flow, "start", None)):
            msg = f"FlowRunner can't run {flow!r}, which is not a flow. Give a flowbook.Flow; TaskRunner runs a task."
            raise DefinitionError(msg, given=repr(flow))
        self.flow = flow
        self.state_handlers = tuple(state_handlers)

    def run(  # noqa: PLR0913  # the seeds' names
        self,
        state: State | None = None,
        task_states: Mapping[object, State] | None = None,
        return_tasks: Iterable[object] | None = None,
        parameters: Mapping[str, object] | None = None,
        executor: Executor | None = None,
        context: Mapping[str, object] | None = None,
        task_contexts: Mapping[object, Mapping[str, object]] | None = None,
        start_tasks: Iterable[object] | None = None,
    ) -> State:
        """Run the flow and wait; return its state, whose `result` maps each task to its state.

        Args:
            state: of the flow before; a finished one is returned as it is, and nothing runs.
            task_states: states given from before, by task.
            return_tasks: those whose states the result holds; default: all.
            parameters: values by name.
            executor: default: the flow's own, else `LocalExecutor`.
            context: values for `flowbook.context`.
            task_contexts: further ones by task.
            start_tasks: tasks to treat as roots.

        Raises:
            DefinitionError: as `Flow.run`.
        """
        if state is not None and state.is_finished():
            return state
        final: State = self.flow.run(  # type: ignore[attr-defined]  # a Flow; engine knows no core
            parameters,
            task_states=task_states,
            executor=executor,
            context=context,
            task_contexts=task_contexts,
            start_tasks=start_tasks,
            state_handlers=self.state_handlers,
            record=False,
        )
        if return_tasks is None:
            return final
        wanted = final.copy()
        wanted.result = {task: final.result[task] for task in return_tasks}
        return wanted
