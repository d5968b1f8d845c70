"""A task as the engine runs it: what can be known before a run is worked out here, once."""
# ruff: noqa: SLF001  # it reads what tasks keep for the compiler

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.core import checks, policies
from flowbook.engine import cache_validators, triggers
from flowbook.engine.graph import ApprovalPolicy, CachePolicy, FilePolicy, RetryPolicy, TaskSpec
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.core.cache_policy import FlowCache
    from flowbook.core.task_options import TaskOptions
    from flowbook.engine.graph import Binding
    from flowbook.results.files import Result

__all__ = ["SpecMaker", "option_values"]

#: The attributes of a task that the fields of a spec from `trigger` on are made of: first those that are compared by value.
_VALUES = (
    "skip_on_upstream_skip",
    "max_retries",
    "retry_delay",
    "retry_on",
    "cache",
    "cache_for",
    "cache_key",
    "timeout",
    "log_stdout",
    "keep",
    "result",
    "checkpoint",
    "tags",
)
#: Those that may be functions, told apart by identity: callable objects may be equal and not the same. So are handlers.
_FUNCTIONS = ("trigger", "cache_validator", "on_failure", "task_run_name", "target")
#: Those that a task only has as attributes of its own where they aren't None: more than 30 would cost each copy 1.2 kB.
_RARE = ("deadline", "otherwise", "asks")
_values_of = itemgetter(*_VALUES)
_functions_of = itemgetter(*_FUNCTIONS)
_FIRST_OPTION = TaskSpec._fields.index("trigger")


class _Compiled(NamedTuple):
    """A task's compiled options: whether they need one of the optional steps, and the fields of a spec from `trigger` on."""

    options: tuple[Any, ...]
    is_plain: bool
    fields: tuple[Any, ...]


def option_values(task: TaskOptions) -> tuple[object, ...]:
    """Return a task's options that are compared by value."""
    return _values(task.__dict__)


class SpecMaker:
    """Makes the specs of one flow. Copies of one task share their compiled options.

    Args:
        flow_result: where the flow writes outputs as files, if anywhere.
        caches: whether the flow caches outputs unless a task says otherwise, see `cache_policy.FlowCache`.

    Attributes:
        has_cleanups: whether any task so far cleans up.
        has_caches: whether any task's output so far is cached.
    """

    def __init__(self, flow_result: Result | None, *, caches: FlowCache = False) -> None:
        self._flow_result = flow_result
        self._flow_caches = caches
        self.has_cleanups = False
        self.has_caches = False
        #: By what copies of one task have in common: their compiled options.
        self._known: dict[tuple[int, bool], _Compiled] = {}

    def spec(  # noqa: PLR0913  # one argument for each fact that the flow knows and the task doesn't
        self,
        task: TaskOptions,
        key: str,
        bindings: tuple[Binding, ...],
        *,
        constants: Mapping[str, object] | None = None,
        mapped_constants: Mapping[str, object] | None = None,
        is_mapped: bool = False,
        reads_mapped: bool = False,
        reads_gathered: bool = False,
        conditions: tuple[str, ...] = (),
    ) -> TaskSpec:
        """Return the spec of `task` under `key`, with its inputs bound to these edges and constants.

        Raises:
            DefinitionError: if the children of a mapped task would share one target.
        """
        if len(bindings) == 1:
            upstream: tuple[str, ...] = (bindings[0].upstream,)
        else:
            upstream = tuple(dict.fromkeys([binding.upstream for binding in bindings]))
        _, is_plain, fields = self._compiled(task, is_mapped=is_mapped)
        own = (key, task.name, task, task.run, bindings, upstream, constants, mapped_constants)
        # As `TaskSpec(...)`, at a third of its cost: there is one for each task.
        has_plain_inputs = is_plain and not (is_mapped or reads_mapped or reads_gathered)
        shape = (is_mapped, reads_mapped, reads_gathered, conditions, is_plain, has_plain_inputs)
        return tuple.__new__(TaskSpec, (*own, *shape, *fields))

    def _compiled(self, task: TaskOptions, *, is_mapped: bool) -> _Compiled:
        attributes = task.__dict__
        kind = (id(attributes.get("run", type(task))), is_mapped)
        functions = (*_functions_of(attributes), *attributes["state_handlers"])
        options = (*_values(attributes), *map(id, functions))
        known = self._known.get(kind)
        if known is None or options != known.options:
            spec = self._spec_of_options(task, is_mapped=is_mapped)
            self.has_cleanups = self.has_cleanups or spec.cleans_up
            self.has_caches = self.has_caches or spec.cache is not None
            known = self._known[kind] = _Compiled(options, _is_plain(spec), spec[_FIRST_OPTION:])
        return known

    def _spec_of_options(self, task: TaskOptions, *, is_mapped: bool) -> TaskSpec:
        """Return a spec that only says what the options of `task` say."""
        trigger = None if task.trigger is triggers.all_successful else task.trigger
        has_files = task.target is not None or task.result is not None or self._flow_result is not None
        return TaskSpec(
            key="",
            name=task.name,
            task=task,
            run=task.run,
            trigger=trigger,
            is_manual=trigger is triggers.manual_only,
            approval=_approval(task),
            is_parameter=task._is_parameter,
            cleans_up=task._cleans_up,
            gathers=task._gathers,
            skip_on_upstream_skip=task.skip_on_upstream_skip,
            retry=RetryPolicy(task.max_retries, task.retry_delay.total_seconds(), task.retry_on)
            if task.max_retries
            else None,
            cache=_cache(task, by_default=self._flow_caches),
            timeout_s=task.timeout.total_seconds() if task.timeout is not None else None,
            handlers=policies.handlers(task.state_handlers, task.on_failure),
            log_stdout=task.log_stdout,
            keep=task.keep,
            resources=checks.resources(task.name, task.tags) if task.tags else (),
            run_name=task.task_run_name,
            files=_files(task, self._flow_result, is_mapped=is_mapped)
            if has_files and task.keep and not task._is_parameter
            else None,
            tags=task.tags,
        )


def _values(attributes: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values of options."""
    found: tuple[Any, ...] = _values_of(attributes)
    if "deadline" in attributes or "asks" in attributes:  # `otherwise` comes with a deadline only
        found += tuple([attributes.get(option) for option in _RARE])
    return found


def _is_plain(spec: TaskSpec) -> bool:
    """Return whether these options need none of the optional steps."""
    return (
        spec.trigger is None
        and spec.cache is None
        and spec.files is None
        and spec.timeout_s is None
        and spec.run_name is None
        and not (spec.handlers or spec.log_stdout or spec.cleans_up)
    )


def _approval(task: TaskOptions) -> ApprovalPolicy | None:
    if task.deadline is None and task.asks is None:
        return None
    deadline_s = None if task.deadline is None else task.deadline.total_seconds()
    return ApprovalPolicy(deadline_s, task.otherwise or "", task.asks or "")


def _cache(task: TaskOptions, *, by_default: FlowCache) -> CachePolicy | None:
    """Return how the outputs of `task` are cached, None if they aren't.

    Args:
        task: of a flow.
        by_default: whether the flow caches the tasks that don't say otherwise.
    """
    if by_default == "incremental" and task.cache_validator is cache_validators.duration_only:
        return CachePolicy(task.cache_for, cache_validators.code_and_inputs, task.cache_key)
    if task.cache or task.cache_for is not None:
        return CachePolicy(task.cache_for, task.cache_validator, task.cache_key)
    if by_default and task.cache is None and _is_work(task):
        return CachePolicy(None, cache_validators.code_and_inputs, task.cache_key)
    return None


def _is_work(task: TaskOptions) -> bool:
    """Return whether a task computes something of the user's: no parameter, operator, branch, set-up or clean-up."""
    if task._is_parameter or task._cleans_up or not task.keep:
        return False
    # A class makes an object, a resource, which another run can't take over.
    return (
        not isinstance(task.run, type) and (getattr(task.run, "__module__", None) or "").partition(".")[0] != "flowbook"
    )


def _files(task: TaskOptions, flow_result: Result | None, *, is_mapped: bool) -> FilePolicy:
    """Return where the output of a task is written; call this if the task has a target or a result, or its flow has a result.

    Raises:
        DefinitionError: if the children of a mapped task would share one file.
    """
    result = task.result if task.result is not None else flow_result
    if result is None:
        from flowbook.results.files import Result  # noqa: PLC0415  # only where files are written

        result = Result()
    if is_mapped and not checks.has_fields(task.target if task.target is not None else result.location):
        msg = (
            f"Task {task.name!r} is mapped, and its children would all write {task.target or result.location!r}. "
            "Put {map_index} or an input into the name."
        )
        raise DefinitionError(msg, task=task.name)
    return FilePolicy(result, task.target, task.checkpoint)
