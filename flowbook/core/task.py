"""A task: a step of a flow, and how it is to be run."""

from __future__ import annotations

import copy
import datetime as dt
from typing import TYPE_CHECKING, Any, Self, cast, overload

from flowbook.core.annotations import Annotation, mapped, unmapped
from flowbook.core.building import flow_or_refuse
from flowbook.core.signature import RunSignature
from flowbook.engine import cache_validators
from flowbook.engine import triggers as engine_triggers
from flowbook.engine.graph import Binding, CachePolicy, RetryPolicy, TaskSpec
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    from flowbook.core.edge import Edge
    from flowbook.core.flow import Flow
    from flowbook.engine.state import State

__all__ = ["FunctionTask", "Task", "task"]

_MANY_SECONDS = dt.timedelta(0)


class Task:
    """A step of a flow. Subclass it and write `run`, or use `@task` on a function.

    Args:
        name: what people call it; default: the class's or function's name.
        slug: its key in the flow; default: the name, then `name-2`, `name-3`.
        tags: labels, e.g. `["db"]`.
        max_retries: attempts after a failure, each `retry_delay` after it; both or none.
        retry_delay: timedelta, or seconds.
        retry_on: exception types that are retried; default: all.
        trigger: decides from the states upstream whether it runs, see `flowbook.triggers`.
        skip_on_upstream_skip: whether it is skipped when something upstream was.
        cache_for: how long its output serves other runs.
        cache_validator: decides whether a stored output fits, see `flowbook.engine.cache_validators`.
        cache_key: under which flows share the output; default: each flow and task its own.
        state_handlers: called at every change of state, `handler(task, old, new) -> State`.
        on_failure: called on every failed attempt, `on_failure(task, state)`.
        log_stdout: whether prints become log lines of the run.
        keep: False: its value is never stored, not even as another task's input.
    """

    def __init__(  # noqa: PLR0913  # the names promised to users
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        max_retries: int | None = None,
        retry_delay: dt.timedelta | float | None = None,
        retry_on: type[BaseException] | Iterable[type[BaseException]] | None = None,
        trigger: Callable[..., bool] | None = None,
        skip_on_upstream_skip: bool = True,  # noqa: FBT001, FBT002  # the seeds' order
        cache_for: dt.timedelta | None = None,
        cache_validator: Callable[..., bool] | None = None,
        cache_key: str | None = None,
        state_handlers: Iterable[Callable[..., object]] | None = None,
        on_failure: Callable[[Task, State], object] | None = None,
        log_stdout: bool = False,  # noqa: FBT001, FBT002
        *,
        keep: bool = True,
    ) -> None:
        self.name = name or type(self).__name__
        self.slug = slug
        self.tags = _tags(self.name, tags)
        self.max_retries, self.retry_delay = _retries(self.name, max_retries, retry_delay, retry_on)
        self.retry_on = _exceptions(self.name, retry_on)
        self.trigger = trigger or engine_triggers.all_successful
        self.skip_on_upstream_skip = skip_on_upstream_skip
        self.cache_for = cache_for
        self.cache_validator = _validator(self.name, cache_for, cache_validator)
        self.cache_key = cache_key
        self.state_handlers = _handlers(self.name, state_handlers)
        self.on_failure = on_failure
        self.log_stdout = log_stdout
        self.keep = keep
        _callable_or_refuse(self.name, "trigger", self.trigger)
        if on_failure is not None:
            _callable_or_refuse(self.name, "on_failure", on_failure)
        self._signature = RunSignature.of(self.run, self.name)

    #: Name of the flow whose block made this copy; None for a task that may go into any flow.
    written_in: str | None = None

    def run(self) -> Any:  # noqa: ANN401  # what the user returns
        """Do the work; inputs are arguments, the value returned is the task's result. May be `async def`."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arguments of `run`."""
        return self._signature.names

    def copy(self, **changes: object) -> Self:
        """Return a copy that is another task, with attributes changed."""
        twin = copy.copy(self)
        for name, value in changes.items():
            if not hasattr(twin, name):
                msg = f"Task {self.name!r} has no attribute {name!r} to change in a copy."
                raise DefinitionError(msg, task=self.name, attribute=name)
            setattr(twin, name, value)
        if "tags" in changes:
            twin.tags = _tags(twin.name, cast("Iterable[str] | None", changes["tags"]))
        return twin

    def __call__(
        self,
        *args: object,
        mapped: bool = False,
        task_args: Mapping[str, object] | None = None,
        upstream_tasks: Iterable[object] | None = None,
        flow: Flow | None = None,
        **kwargs: object,
    ) -> Self:
        """Copy this task into the flow that is being written and bind the copy's inputs; return the copy.

        Args:
            args: inputs by position: values, tasks, or lists, tuples, sets and dicts that hold tasks.
            kwargs: inputs by name.
            mapped: whether each child gets one element of every input that isn't `unmapped`.
            task_args: attributes to change in the copy, e.g. `{"name": "other"}`.
            upstream_tasks: tasks that come before, without giving a value.
            flow: which flow; default: the one whose block this is.
        """
        twin = self.copy(**(task_args or {}))
        twin.written_in = flow_or_refuse(flow, self.name).name
        return twin.bind(*args, mapped=mapped, upstream_tasks=upstream_tasks, flow=flow, **kwargs)

    def bind(
        self,
        *args: object,
        mapped: bool = False,
        upstream_tasks: Iterable[object] | None = None,
        flow: Flow | None = None,
        **kwargs: object,
    ) -> Self:
        """Bind the inputs of this very task, not of a copy. As for `__call__` otherwise."""
        found = flow_or_refuse(flow, self.name)
        bound = self._signature.bind(self.name, args, kwargs)
        found.bind(self, bound, list(upstream_tasks or ()), mapped=mapped)
        return self

    def map(
        self,
        *args: object,
        upstream_tasks: Iterable[object] | None = None,
        flow: Flow | None = None,
        task_args: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Self:
        """Run once for each element of the inputs, which have the same length; `unmapped(x)` goes whole to every child."""
        twin = self.copy(**(task_args or {}))
        return twin.bind(*args, mapped=True, upstream_tasks=upstream_tasks, flow=flow, **kwargs)

    def set_upstream(
        self, task: object, flow: Flow | None = None, key: str | None = None, *, mapped: bool = False
    ) -> Self:
        """Let `task` come before this one; with `key` it gives that input."""
        flow_or_refuse(flow, self.name).set_dependencies(
            self, upstream_tasks=None if key else [task], keyword_tasks={key: task} if key else None, mapped=mapped
        )
        return self

    def set_downstream(
        self, task: Task, flow: Flow | None = None, key: str | None = None, *, mapped: bool = False
    ) -> Self:
        """Let `task` come after this one; with `key` this one gives that input."""
        task.set_upstream(self, flow=flow, key=key, mapped=mapped)
        return self

    def set_dependencies(
        self,
        flow: Flow | None = None,
        upstream_tasks: Iterable[object] | None = None,
        downstream_tasks: Iterable[Task] | None = None,
        keyword_tasks: Mapping[str, object] | None = None,
        *,
        mapped: bool = False,
    ) -> Self:
        """Add edges to and from this task, as `Flow.set_dependencies`."""
        flow_or_refuse(flow, self.name).set_dependencies(
            self, upstream_tasks, downstream_tasks, keyword_tasks, mapped=mapped
        )
        return self

    def compile(self, upstream_states: Mapping[Edge, object], *, key: str | None = None) -> TaskSpec:
        """Return the spec that the engine runs, for a task by itself."""
        bindings = tuple(
            Binding(edge.upstream_task.name, edge.key, edge.mapped, edge.flattened, edge) for edge in upstream_states
        )
        return self.compile_spec(key or self.slug or self.name, bindings)

    def compile_spec(  # noqa: PLR0913
        self,
        key: str,
        bindings: tuple[Binding, ...],
        upstream: tuple[str, ...] = (),
        constants: Mapping[str, object] | None = None,
        mapped_constants: Mapping[str, object] | None = None,
        *,
        is_mapped: bool = False,
        reads_mapped: bool = False,
    ) -> TaskSpec:
        """Return the spec with these bindings; what can be known before a run is worked out here."""
        trigger: Callable[..., bool] | None = self.trigger
        if trigger is engine_triggers.all_successful:
            trigger = None
        return TaskSpec(
            key=key,
            name=self.name,
            task=self,
            run=self.run,
            bindings=bindings,
            upstream=upstream,
            constants=constants,
            mapped_constants=mapped_constants,
            trigger=trigger,
            is_manual=trigger is engine_triggers.manual_only,
            is_mapped=is_mapped,
            is_parameter=self._is_parameter,
            reads_mapped=reads_mapped,
            skip_on_upstream_skip=self.skip_on_upstream_skip,
            retry=RetryPolicy(self.max_retries, self.retry_delay.total_seconds(), self.retry_on)
            if self.max_retries
            else None,
            cache=CachePolicy(self.cache_for, self.cache_validator, self.cache_key)
            if self.cache_for is not None
            else None,
            handlers=self._all_handlers(),
            log_stdout=self.log_stdout,
            keep=self.keep,
        )

    def history(self, flow: Flow | str | None = None) -> pd.DataFrame:
        """Return every successful outcome of this task that is known, oldest first; columns as `Flow.history`.

        Args:
            flow: or its name; default: the flow whose block this copy was written in, else all. In a flow that has
                several tasks of one name, `flow.history(task)` tells them apart.
        """
        from flowbook.core.past import history  # noqa: PLC0415  # the store: longer to load than all the rest

        if flow is not None and not isinstance(flow, str):
            return flow.history(self)
        return history(flow or self.written_in, self.slug or self.name)

    _is_parameter = False

    def _all_handlers(self) -> tuple[Callable[..., object], ...]:
        if self.on_failure is None:
            return tuple(self.state_handlers)
        on_failure = self.on_failure

        def on_failure_handler(task: Task, _: State, new: State) -> State:
            if new.is_failed():
                on_failure(task, new)
            return new

        return (*self.state_handlers, on_failure_handler)

    def __bool__(self) -> bool:
        msg = (
            f"Task {self.name!r} has no truth value while the flow is written: its result is not there yet. "
            "Decide inside a task, or use flowbook.case(...)."
        )
        raise DefinitionError(msg, task=self.name)

    def __len__(self) -> int:
        msg = (
            f"Task {self.name!r} has no length while the flow is written: its result is not there yet. "
            "Take len() inside a task, or use flowbook.case(...)."
        )
        raise DefinitionError(msg, task=self.name)

    def __iter__(self) -> Any:  # noqa: ANN401
        msg = (
            f"Task {self.name!r} can't be iterated while the flow is written: its result is not there yet. "
            f"Use {self.name}.map(...) downstream, or iterate inside a task."
        )
        raise DefinitionError(msg, task=self.name)

    def __repr__(self) -> str:
        return f"<Task: {self.name}>"


class FunctionTask(Task):
    """A task made of a function, by `@task`."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:  # noqa: ANN401
        if not callable(fn):
            msg = f"@task needs a function, got {fn!r}."
            raise DefinitionError(msg, given=repr(fn))
        self.run = fn  # type: ignore[method-assign]  # the function is the task's run
        self.__doc__ = fn.__doc__
        self.__wrapped__ = fn
        super().__init__(name=name or getattr(fn, "__name__", type(fn).__name__), **options)


@overload
def task(fn: Callable[..., Any], /) -> FunctionTask: ...
@overload
def task(fn: None = None, /, **options: Any) -> Callable[[Callable[..., Any]], FunctionTask]: ...  # noqa: ANN401


def task(
    fn: Callable[..., Any] | None = None,
    /,
    **options: Any,
) -> FunctionTask | Callable[[Callable[..., Any]], FunctionTask]:
    """Make a task of a function: `@task`, or `@task(max_retries=3, retry_delay=timedelta(seconds=10))`.

    Options are those of `Task`.
    """
    if fn is None:
        return lambda function: FunctionTask(function, **options)
    return FunctionTask(fn, **options)


def is_mapped_argument(value: object, *, by_default: bool) -> bool:
    """Return whether an argument written as `value` gives each child one element."""
    if isinstance(value, Annotation):
        return isinstance(value, mapped) or (not isinstance(value, unmapped))
    return by_default


def _tags(name: str, tags: Iterable[str] | None) -> frozenset[str]:
    if isinstance(tags, str):
        msg = f"Task {name!r}: tags={tags!r} is one string. Give a list: tags=[{tags!r}]."
        raise DefinitionError(msg, task=name, tags=tags)
    return frozenset(tags or ())


def _retries(
    name: str, max_retries: int | None, delay: dt.timedelta | float | None, retry_on: object
) -> tuple[int, dt.timedelta]:
    if max_retries is not None and (
        not isinstance(max_retries, int) or isinstance(max_retries, bool) or max_retries < 0
    ):
        msg = f"Task {name!r}: max_retries={max_retries!r} is not a number of attempts. Give 0, 1, 2, ..."
        raise DefinitionError(msg, task=name, max_retries=max_retries)
    if delay is not None and not isinstance(delay, dt.timedelta):
        if not isinstance(delay, (int, float)) or isinstance(delay, bool):
            msg = f"Task {name!r}: retry_delay={delay!r} is not a time. Write timedelta(seconds=10), or a number of seconds."
            raise DefinitionError(msg, task=name, retry_delay=delay)
        delay = dt.timedelta(seconds=delay)
    if max_retries and delay is None:
        msg = f"Task {name!r} has max_retries={max_retries} and no retry_delay. Add retry_delay=timedelta(seconds=10)."
        raise DefinitionError(msg, task=name, max_retries=max_retries)
    if delay is not None and not max_retries:
        msg = f"Task {name!r} has a retry_delay and no max_retries. Add max_retries=3, or remove the delay."
        raise DefinitionError(msg, task=name, retry_delay=delay)
    if delay is not None and delay < _MANY_SECONDS:
        msg = f"Task {name!r}: retry_delay={delay} lies in the past. Give zero or more."
        raise DefinitionError(msg, task=name, retry_delay=delay)
    if retry_on is not None and not max_retries:
        msg = f"Task {name!r} has retry_on and no max_retries. Add max_retries=3 and a retry_delay."
        raise DefinitionError(msg, task=name)
    return max_retries or 0, delay or dt.timedelta(0)


def _exceptions(
    name: str, retry_on: type[BaseException] | Iterable[type[BaseException]] | None
) -> tuple[type[BaseException], ...] | None:
    if retry_on is None:
        return None
    kinds: Sequence[object] = (retry_on,) if isinstance(retry_on, type) else tuple(retry_on)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            msg = (
                f"Task {name!r}: retry_on has {kind!r}, which is not an exception type. Give types, e.g. TimeoutError."
            )
            raise DefinitionError(msg, task=name, retry_on=repr(kind))
    return cast("tuple[type[BaseException], ...]", tuple(kinds))


def _validator(name: str, cache_for: dt.timedelta | None, validator: Callable[..., bool] | None) -> Callable[..., bool]:
    if cache_for is None:
        if validator is not None and validator is not cache_validators.never_use:
            msg = f"Task {name!r} has a cache_validator and no cache_for. Add cache_for=timedelta(hours=1)."
            raise DefinitionError(msg, task=name)
        return validator or cache_validators.never_use
    if not isinstance(cache_for, dt.timedelta):
        msg = f"Task {name!r}: cache_for={cache_for!r} is not a timedelta. Write timedelta(hours=1)."
        raise DefinitionError(msg, task=name, cache_for=cache_for)
    _callable_or_refuse(name, "cache_validator", validator or cache_validators.duration_only)
    return validator or cache_validators.duration_only


def _handlers(name: str, handlers: Iterable[Callable[..., object]] | None) -> list[Callable[..., object]]:
    if handlers is not None and callable(handlers):
        msg = f"Task {name!r}: state_handlers={handlers!r} is one function. Give a list of functions."
        raise DefinitionError(msg, task=name)
    found = list(handlers or ())
    for handler in found:
        _callable_or_refuse(name, "state handler", handler)
    return found


def _callable_or_refuse(name: str, what: str, value: object) -> None:
    if not callable(value):
        msg = f"Task {name!r}: {what} {value!r} can't be called. Give a function."
        raise DefinitionError(msg, task=name)
