"""A task: a step of a flow, and how it is to be run."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from flowbook.core import checks, policies
from flowbook.core.annotations import Annotation, mapped, unmapped
from flowbook.core.building import current_tags, flow_or_refuse
from flowbook.core.signature import RunSignature
from flowbook.engine import triggers as engine_triggers
from flowbook.engine.graph import Binding, CachePolicy, RetryPolicy, TaskSpec
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd

    from flowbook.core.edge import Edge
    from flowbook.core.flow import Flow
    from flowbook.engine.state import State
    from flowbook.results.files import Result

__all__ = ["FunctionTask", "Task", "task"]

T = TypeVar("T", bound="Task")


def _operation(name: str, *operands: object) -> Task:
    from flowbook.core.operators import operation  # noqa: PLC0415  # few flows use operators; it is made after Task

    return operation(name, operands)


def _of_one(name: str) -> Callable[[Task], Task]:
    return lambda task: _operation(name, task)


def _of_two(name: str) -> Callable[[Task, object], Task]:
    return lambda task, other: _operation(name, task, other)


def _of_two_swapped(name: str) -> Callable[[Task, object], Task]:
    return lambda task, other: _operation(name, other, task)


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
        self.tags = checks.tags(self.name, tags) | current_tags()
        self.max_retries, self.retry_delay = policies.retries(self.name, max_retries, retry_delay, retry_on)
        self.retry_on = policies.retry_on(self.name, retry_on)
        self.trigger = trigger or engine_triggers.all_successful
        self.skip_on_upstream_skip = skip_on_upstream_skip
        self.cache_for = cache_for
        self.cache_validator = policies.validator(self.name, cache_for, cache_validator)
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
        #: From the start, as all tasks of a class share the names of their attributes: a late one costs a copy 1.2 kB.
        self.written_in = self.written_as = None

    #: Name of the flow whose block made this copy; None for a task that may go into any flow.
    written_in: str | None = None
    #: Its key in that flow, as of the end of the block.
    written_as: str | None = None
    _is_parameter = False
    #: Whether a flow is judged by it where its author did not say by which tasks.
    is_reference_by_default = True
    #: Whether it runs in a run that was cancelled, if its inputs are there.
    cleans_up = False

    if not TYPE_CHECKING:  # types are checked by the attributes that there are

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # asked only for what is not there
            """Name the usual reason why a subclassed task has no name: its `__init__` left this class's out."""
            kind = type(self).__name__
            if name in {"name", "slug", "tags", "_signature"}:
                msg = f"A task of class {kind!r} was not set up. Call super().__init__(...) in the __init__ of {kind}."
                raise DefinitionError(msg, kind=kind)
            msg = f"{kind!r} object has no attribute {name!r}"
            raise AttributeError(msg, name=name, obj=self)

    def run(self) -> Any:  # noqa: ANN401  # what the user returns
        """Do the work; inputs are arguments, the value returned is the task's result. May be `async def`."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arguments of `run`."""
        return self._signature.names

    def copy(self, **changes: object) -> Self:
        """Return a copy that is another task, with attributes changed."""
        twin = _twin(self)
        for name, value in changes.items():
            if not hasattr(twin, name):
                msg = f"Task {self.name!r} has no attribute {name!r} to change in a copy."
                raise DefinitionError(msg, task=self.name, attribute=name)
            setattr(twin, name, value)
        if "tags" in changes:
            twin.tags = checks.tags(twin.name, cast("Iterable[str] | None", changes["tags"]))
        for name in changes.keys() & checks.OPTIONS.keys():
            setattr(twin, name, checks.OPTIONS[name](twin.name, changes[name]))
        if changes.keys() & {"max_retries", "retry_delay", "retry_on"}:
            twin._change_retries(self, changes)  # noqa: SLF001  # its own
        if changes.keys() & {"cache_for", "cache_validator"}:
            is_default = "cache_validator" not in changes and (self.cache_for is None or twin.cache_for is None)
            twin.cache_validator = policies.validator(
                twin.name, twin.cache_for, None if is_default else twin.cache_validator
            )
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
        self.retry_on = policies.retry_on(self.name, self.retry_on)
        self.max_retries, self.retry_delay = policies.retries(self.name, self.max_retries, delay, self.retry_on)

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
        has_files = self.target is not None or self.result is not None or flow_result is not None
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
            files=policies.files(self, flow_result, is_mapped=is_mapped)
            if has_files and self.keep and not self._is_parameter
            else None,
            tags=self.tags,
            handlers=policies.handlers(self.state_handlers, self.on_failure),
            log_stdout=self.log_stdout,
            keep=self.keep,
            resources=checks.resources(self.name, self.tags) if self.tags else (),
        )

    def history(self, flow: Flow | str | None = None) -> pd.DataFrame:
        """Return every successful outcome of this task that is known, oldest first; columns as `Flow.history`.

        Args:
            flow: or its name; default: the flow whose block this copy was written in, else all. Of several tasks of one
                name, a copy's own outcomes are told from the others'.
        """
        from flowbook.core.time_travel import history  # noqa: PLC0415  # the store: longer to load than all the rest

        if flow is not None and not isinstance(flow, str):
            return flow.history(self)
        return history(flow or self.written_in, self.key_in(flow))

    def key_in(self, flow: str | None = None) -> str:
        """Return its key in the flow of that name, by default the one that this copy was written in; as far as it knows."""
        own = self.written_as if flow in (None, self.written_in) else None
        return own or self.slug or self.name

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

    __add__, __radd__ = _of_two("Add"), _of_two_swapped("Add")
    __sub__, __rsub__ = _of_two("Sub"), _of_two_swapped("Sub")
    __mul__, __rmul__ = _of_two("Mul"), _of_two_swapped("Mul")
    __truediv__, __rtruediv__ = _of_two("Div"), _of_two_swapped("Div")
    __floordiv__, __rfloordiv__ = _of_two("FloorDiv"), _of_two_swapped("FloorDiv")
    __mod__, __rmod__ = _of_two("Mod"), _of_two_swapped("Mod")
    __pow__, __rpow__ = _of_two("Pow"), _of_two_swapped("Pow")
    __and__, __rand__ = _of_two("And"), _of_two_swapped("And")
    __or__, __ror__ = _of_two("Or"), _of_two_swapped("Or")
    __lt__ = _of_two("LessThan")
    __le__ = _of_two("LessThanOrEqual")
    __gt__ = _of_two("GreaterThan")
    __ge__ = _of_two("GreaterThanOrEqual")
    __getitem__ = _of_two("GetItem")
    __invert__ = _of_one("Not")
    __neg__ = _of_one("Neg")
    __pos__ = _of_one("Pos")
    __abs__ = _of_one("Abs")

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


def _twin(task: T) -> T:
    if type(task) is not FunctionTask:
        return copy.copy(task)
    #: What `copy.copy` does, in a third of the time.
    twin = object.__new__(type(task))
    twin.__dict__.update(task.__dict__)
    return twin


def is_mapped_argument(value: object, *, by_default: bool) -> bool:
    """Return whether an argument written as `value` gives each child one element."""
    if isinstance(value, Annotation):
        return isinstance(value, mapped) or (not isinstance(value, unmapped))
    return by_default
