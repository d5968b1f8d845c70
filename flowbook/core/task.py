"""A task: a step of a flow, and how it is to be run."""

from __future__ import annotations

import copy
import datetime as dt
import math
from typing import TYPE_CHECKING, Any, Self, cast, overload

from flowbook.core import checks
from flowbook.core.annotations import Annotation, mapped, unmapped
from flowbook.core.building import current_tags, flow_or_refuse
from flowbook.core.signature import RunSignature
from flowbook.engine import cache_validators
from flowbook.engine import triggers as engine_triggers
from flowbook.engine.graph import Binding, CachePolicy, FilePolicy, RetryPolicy, TaskSpec
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from flowbook.core.edge import Edge
    from flowbook.core.flow import Flow
    from flowbook.engine.state import State
    from flowbook.results.files import Result

__all__ = ["FunctionTask", "Task", "task"]

#: Begins a tag that says what a worker of a Dask cluster must have.
_RESOURCE = "dask-resource:"
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
        timeout: seconds (fractions count) or a timedelta that one attempt may take. At the deadline an exception is raised
            in the task's thread, then that thread is left alone: what it does in a sleep or in C code may still go on,
            and its result is dropped. The state is TimedOut, retried like any failure.
        nout: into how many results it may be unpacked, `a, b = task(...)`; default: as a return annotation
            `tuple[int, str]` says.
        task_run_name: what one run of it is called: a text with {placeholders} for inputs and context, e.g.
            `"load {year}"`, or a function that takes them as keywords. Seen as `context.task_run_name`.
        target: file that holds its output, with placeholders as for `task_run_name`, e.g. `"{today}/{task_name}.bin"`; where
            it exists the task is Cached and does not run. A task that is mapped needs one file for each child.
        result: where outputs are written, a `flowbook.results.Result`; default: the flow's.
        checkpoint: False: nothing is written by `result` or `target`.
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
        timeout: dt.timedelta | float | None = None,
        nout: int | None = None,
        task_run_name: str | Callable[..., str] | None = None,
        target: str | Callable[..., str] | None = None,
        result: Result | None = None,
        checkpoint: bool = True,
        keep: bool = True,
    ) -> None:
        self.name = checks.name(name) if name is not None else type(self).__name__
        self.slug = checks.slug(self.name, slug)
        self.tags = _tags(self.name, tags) | current_tags()
        self.max_retries, self.retry_delay = _retries(self.name, max_retries, retry_delay, retry_on)
        self.retry_on = _exceptions(self.name, retry_on)
        self.trigger = trigger or engine_triggers.all_successful
        self.skip_on_upstream_skip = skip_on_upstream_skip
        self.cache_for = cache_for
        self.cache_validator = _validator(self.name, cache_for, cache_validator)
        self.cache_key = checks.cache_key(self.name, cache_key)
        self.state_handlers = checks.handlers(self.name, state_handlers)
        self.on_failure = on_failure
        self.log_stdout = log_stdout
        self.timeout = checks.timeout(self.name, timeout)
        self.nout = checks.nout(self.name, nout)
        self.task_run_name = checks.run_name(self.name, task_run_name)
        self.target = checks.target(self.name, target)
        self.result = checks.result(self.name, result)
        self.checkpoint = checkpoint
        self.keep = keep
        if not keep and (target is not None or result is not None):
            which = "target" if target is not None else "result"
            msg = f"Task {self.name!r} has keep=False and a {which}, which would keep its value. Remove one."
            raise DefinitionError(msg, task=self.name)
        checks.trigger(self.name, self.trigger)
        checks.function(self.name, "on_failure", on_failure)
        self._signature = RunSignature.of(self.run, self.name)

    #: Name of the flow whose block made this copy; None for a task that may go into any flow.
    written_in: str | None = None
    #: Its key in that flow, as of the end of the block.
    written_as: str | None = None

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
        for name in changes.keys() & checks.OPTIONS.keys():
            setattr(twin, name, checks.OPTIONS[name](twin.name, changes[name]))
        if changes.keys() & {"max_retries", "retry_delay", "retry_on"}:
            twin._change_retries(self, changes)  # noqa: SLF001  # its own
        if changes.keys() & {"cache_for", "cache_validator"}:
            is_default = "cache_validator" not in changes and (self.cache_for is None or twin.cache_for is None)
            twin.cache_validator = _validator(twin.name, twin.cache_for, None if is_default else twin.cache_validator)
        if added := current_tags():
            twin.tags |= added
        return twin

    def _change_retries(self, before: Task, changes: Mapping[str, object]) -> None:
        """Check what a copy changed of `before`; what only made sense with retries goes with them."""
        delay: dt.timedelta | float | None = self.retry_delay
        if "retry_delay" not in changes and not (self.max_retries and before.max_retries):
            delay = None
        if not self.max_retries and "retry_on" not in changes:
            self.retry_on = None
        self.retry_on = _exceptions(self.name, self.retry_on)
        self.max_retries, self.retry_delay = _retries(self.name, self.max_retries, delay, self.retry_on)

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
        twin = self.copy(**checks.task_args(self.name, task_args))
        twin.written_in = flow_or_refuse(flow, self.name).name
        twin.written_as = None
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
        found.bind(self, bound, checks.several(self.name, "upstream_tasks", upstream_tasks), mapped=mapped)
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
        twin = self.copy(**checks.task_args(self.name, task_args))
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
        flow_result: Result | None = None,
    ) -> TaskSpec:
        """Return the spec with these bindings; what can be known before a run is worked out here.

        Raises:
            DefinitionError: if the children of a mapped task would share one target.
        """
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
            cleans_up=self.cleans_up,
            reads_mapped=reads_mapped,
            skip_on_upstream_skip=self.skip_on_upstream_skip,
            retry=RetryPolicy(self.max_retries, self.retry_delay.total_seconds(), self.retry_on)
            if self.max_retries
            else None,
            cache=CachePolicy(self.cache_for, self.cache_validator, self.cache_key)
            if self.cache_for is not None
            else None,
            timeout_s=self.timeout.total_seconds() if self.timeout is not None else None,
            run_name=self.task_run_name,
            files=self._files(flow_result, is_mapped=is_mapped)
            if self.target is not None or self.result is not None or flow_result is not None
            else None,
            tags=self.tags,
            handlers=self._all_handlers(),
            log_stdout=self.log_stdout,
            keep=self.keep,
            resources=_resources(self.name, self.tags) if self.tags else (),
        )

    def history(self, flow: Flow | str | None = None) -> pd.DataFrame:
        """Return every successful outcome of this task that is known, oldest first; columns as `Flow.history`.

        Args:
            flow: or its name; default: the flow whose block this copy was written in, else all. Of several tasks of one
                name, a copy's own outcomes are told from the others'.
        """
        from flowbook.core.past import history  # noqa: PLC0415  # the store: longer to load than all the rest

        if flow is not None and not isinstance(flow, str):
            return flow.history(self)
        return history(flow or self.written_in, self.key_in(flow))

    def key_in(self, flow: str | None = None) -> str:
        """Return its key in the flow of that name, by default the one that this copy was written in; as far as it knows."""
        own = self.written_as if flow in (None, self.written_in) else None
        return own or self.slug or self.name

    _is_parameter = False
    #: Whether a flow is judged by it where its author did not say by which tasks.
    is_reference_by_default = True
    #: Whether it runs in a run that was cancelled, if its inputs are there.
    cleans_up = False

    def _files(self, flow_result: Result | None, *, is_mapped: bool) -> FilePolicy | None:
        if self._is_parameter or not self.keep:
            return None
        result = self.result if self.result is not None else flow_result
        if result is None:
            from flowbook.results.files import Result  # noqa: PLC0415  # only where files are written

            result = Result()
        if is_mapped and not checks.has_fields(self.target if self.target is not None else result.location):
            msg = (
                f"Task {self.name!r} is mapped, and its children would all write {self.target or result.location!r}. "
                "Put {map_index} or an input into the name."
            )
            raise DefinitionError(msg, task=self.name)
        return FilePolicy(result, self.target, self.checkpoint)

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

    def __iter__(self) -> Iterator[Task]:
        nout = self.nout if self.nout is not None else checks.nout_of(self.run)
        if nout is None:
            msg = (
                f"Task {self.name!r} can't be iterated while the flow is written: its result is not there yet. "
                f"To unpack it, say how many results it has: @task(nout=2). "
                f"Else use {self.name}.map(...) downstream, or iterate inside a task."
            )
            raise DefinitionError(msg, task=self.name)
        return iter([self[index] for index in range(nout)])

    def is_equal(self, other: object) -> Task:
        """Return a task that says whether the two results are equal; `==` compares the tasks themselves."""
        return _operation("Equal", self, other)

    def not_equal(self, other: object) -> Task:
        """Return a task that says whether the two results differ."""
        return _operation("NotEqual", self, other)

    # Operators: each builds a task. `==` does not: it is used to find tasks in lists.

    def __add__(self, other: object) -> Task:
        return _operation("Add", self, other)

    def __radd__(self, other: object) -> Task:
        return _operation("Add", other, self)

    def __sub__(self, other: object) -> Task:
        return _operation("Sub", self, other)

    def __rsub__(self, other: object) -> Task:
        return _operation("Sub", other, self)

    def __mul__(self, other: object) -> Task:
        return _operation("Mul", self, other)

    def __rmul__(self, other: object) -> Task:
        return _operation("Mul", other, self)

    def __truediv__(self, other: object) -> Task:
        return _operation("Div", self, other)

    def __rtruediv__(self, other: object) -> Task:
        return _operation("Div", other, self)

    def __floordiv__(self, other: object) -> Task:
        return _operation("FloorDiv", self, other)

    def __rfloordiv__(self, other: object) -> Task:
        return _operation("FloorDiv", other, self)

    def __mod__(self, other: object) -> Task:
        return _operation("Mod", self, other)

    def __rmod__(self, other: object) -> Task:
        return _operation("Mod", other, self)

    def __pow__(self, other: object) -> Task:
        return _operation("Pow", self, other)

    def __rpow__(self, other: object) -> Task:
        return _operation("Pow", other, self)

    def __and__(self, other: object) -> Task:
        return _operation("And", self, other)

    def __rand__(self, other: object) -> Task:
        return _operation("And", other, self)

    def __or__(self, other: object) -> Task:
        return _operation("Or", self, other)

    def __ror__(self, other: object) -> Task:
        return _operation("Or", other, self)

    def __lt__(self, other: object) -> Task:
        return _operation("LessThan", self, other)

    def __le__(self, other: object) -> Task:
        return _operation("LessThanOrEqual", self, other)

    def __gt__(self, other: object) -> Task:
        return _operation("GreaterThan", self, other)

    def __ge__(self, other: object) -> Task:
        return _operation("GreaterThanOrEqual", self, other)

    def __getitem__(self, key: object) -> Task:
        return _operation("GetItem", self, key)

    def __invert__(self) -> Task:
        return _operation("Not", self)

    def __neg__(self) -> Task:
        return _operation("Neg", self)

    def __pos__(self) -> Task:
        return _operation("Pos", self)

    def __abs__(self) -> Task:
        return _operation("Abs", self)

    def __repr__(self) -> str:
        return f"<Task: {self.name}>"


class FunctionTask(Task):
    """A task made of a function, by `@task`."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:  # noqa: ANN401
        if not callable(fn) or isinstance(fn, Task) or (isinstance(fn, type) and issubclass(fn, Task)):
            hint = " It is a task already: call it in a flow." if isinstance(fn, Task) else ""
            hint = f" Make a task of it: {fn.__name__}()." if isinstance(fn, type) else hint
            msg = f"@task needs a function, got {fn!r}.{hint}"
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


def _operation(name: str, *operands: object) -> Task:
    from flowbook.core.operators import operation  # noqa: PLC0415  # few flows use operators; it is made after Task

    return operation(name, operands)


def is_mapped_argument(value: object, *, by_default: bool) -> bool:
    """Return whether an argument written as `value` gives each child one element."""
    if isinstance(value, Annotation):
        return isinstance(value, mapped) or (not isinstance(value, unmapped))
    return by_default


def _tags(name: str, tags: Iterable[str] | None) -> frozenset[str]:
    if isinstance(tags, str):
        msg = f"Task {name!r}: tags={tags!r} is one string. Give a list: tags=[{tags!r}]."
        raise DefinitionError(msg, task=name, tags=tags)
    found = frozenset(checks.texts(name, "tags", tags))
    if found:
        _resources(name, found)  # says at once what is wrong with them
    return found


def _resources(name: str, tags: frozenset[str]) -> tuple[tuple[str, float], ...]:
    """Return what the tags `dask-resource:NAME=N` ask for."""
    found = []
    for tag in sorted(tags):
        if tag.startswith(_RESOURCE):
            resource, _, count = tag.removeprefix(_RESOURCE).partition("=")
            try:
                found.append((resource.strip(), float(count)))
            except ValueError:
                found.append(("", 0.0))
            if not found[-1][0] or not 0 < found[-1][1] < math.inf:
                msg = f"Task {name!r}: tag {tag!r} names no resource. Write e.g. {_RESOURCE}GPU=1."
                raise DefinitionError(msg, task=name, tag=tag)
    return tuple(found)


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
            advice = "Write timedelta(seconds=10), or a number of seconds."
            msg = f"Task {name!r}: retry_delay={delay!r} is not a time. {advice}"
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
    kinds: Sequence[object] = tuple(retry_on) if isinstance(retry_on, (tuple, list, set, frozenset)) else (retry_on,)
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
    if cache_for <= dt.timedelta(0):
        msg = f"Task {name!r}: cache_for={cache_for} keeps nothing. Give e.g. timedelta(hours=1), or leave it out."
        raise DefinitionError(msg, task=name, cache_for=cache_for)
    checks.function(name, "cache_validator", validator)
    return validator or cache_validators.duration_only
