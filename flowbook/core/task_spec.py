"""A task as the engine runs it: what can be known before a run is worked out here, once."""
# ruff: noqa: SLF001  # it reads what tasks keep for the compiler

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core import cache_policy, checks, policies
from flowbook.engine import triggers
from flowbook.engine.graph import RetryPolicy, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.core.task import Task
    from flowbook.engine.graph import Binding
    from flowbook.results.files import Result

__all__ = ["spec_of"]


def spec_of(  # noqa: PLR0913  # one argument for each fact that the flow knows and the task doesn't
    task: Task,
    key: str,
    bindings: tuple[Binding, ...],
    *,
    constants: Mapping[str, object] | None = None,
    mapped_constants: Mapping[str, object] | None = None,
    is_mapped: bool = False,
    reads_mapped: bool = False,
    conditions: tuple[str, ...] = (),
    flow_result: Result | None = None,
    flow_caches: bool = False,
) -> TaskSpec:
    """Return the spec of `task` under `key`, with its inputs bound to these edges and constants.

    Raises:
        DefinitionError: if the children of a mapped task would share one target.
    """
    trigger: Callable[..., bool] | None = task.trigger
    if trigger is triggers.all_successful:
        trigger = None
    has_files = task.target is not None or task.result is not None or flow_result is not None
    is_parameter = task._is_parameter
    return TaskSpec(
        key=key,
        name=task.name,
        task=task,
        run=task.run,
        bindings=bindings,
        upstream=(bindings[0].upstream,)
        if len(bindings) == 1
        else tuple(dict.fromkeys([binding.upstream for binding in bindings])),
        constants=constants,
        mapped_constants=mapped_constants,
        trigger=trigger,
        is_manual=trigger is triggers.manual_only,
        is_mapped=is_mapped,
        is_parameter=is_parameter,
        cleans_up=task._cleans_up,
        reads_mapped=reads_mapped,
        skip_on_upstream_skip=task.skip_on_upstream_skip,
        conditions=conditions,
        retry=RetryPolicy(task.max_retries, task.retry_delay.total_seconds(), task.retry_on)
        if task.max_retries
        else None,
        cache=cache_policy.policy_of(task, by_default=flow_caches),
        timeout_s=task.timeout.total_seconds() if task.timeout is not None else None,
        run_name=task.task_run_name,
        files=policies.files(task, flow_result, is_mapped=is_mapped)
        if has_files and task.keep and not is_parameter
        else None,
        tags=task.tags,
        handlers=policies.handlers(task.state_handlers, task.on_failure),
        log_stdout=task.log_stdout,
        keep=task.keep,
        resources=checks.resources(task.name, task.tags) if task.tags else (),
    )
