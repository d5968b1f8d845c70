"""A task: a step of a flow, and how it is to be run."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any, Never, Self, cast

from flowbook._context import context
from flowbook.core import cache_policy, checks, policies
from flowbook.core.building import current_tags, flow_or_refuse, mark_made, mark_used
from flowbook.core.deferred import DeferredValue
from flowbook.core.signature import RunSignature
from flowbook.core.task_spec import spec_of
from flowbook.engine import triggers as engine_triggers
from flowbook.engine.graph import Binding
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd

    from flowbook.core.edge import Edge
    from flowbook.core.flow import Flow
    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.state import State
    from flowbook.results.files import Result

__all__ = ["Task"]


class _Logger:
    """The logger of the run that a task is in. No data descriptor: a subclass may set a `logger` of its own."""

    def __get__(self, task: object, owner: type | None = None) -> Any:  # noqa: ANN401  # a Logger or an adapter
        return context.get("logger") or logging.getLogger("flowbook.task_run")


class Task(DeferredValue):
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
        cache: True: its output serves other runs for good, as long as its code, what that reads and its inputs are the same.
            False: not even in a flow with `cache=True`.
        cache_for: how long its output serves other runs: a timedelta, or seconds. Without `cache` whatever its inputs are,
            unless `cache_validator` says otherwise; an output that was made from others carries a warning.
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
        cache_for: dt.timedelta | float | None = None,
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
        cache: bool | None = None,
        **unknown: Never,
    ) -> None:
        self.name = checks.name(name) if name is not None else type(self).__name__
        if unknown:
            checks.unknown_options(self.name, unknown, Task.__init__)
        self.slug = checks.slug(self.name, slug)
        self.tags = checks.tags(self.name, tags) | current_tags()
        self.max_retries, self.retry_delay = policies.retries(self.name, max_retries, retry_delay, retry_on)
        self.retry_on = policies.retry_on(self.name, retry_on)
        self.trigger = trigger or engine_triggers.all_successful
        self.skip_on_upstream_skip = skip_on_upstream_skip
        self.cache_for = cache_policy.duration(self.name, cache_for)
        self.cache = cache_policy.switch(self.name, cache, self.cache_for, keep=keep)
        self.cache_validator = cache_policy.validator(self.name, self.cache_for, cache_validator, cache=self.cache)
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
        self._written_in = self._written_as = None
        if self._warns_if_unused:
            mark_made(self)

    #: Name of the flow whose block made this copy; None for a task that may go into any flow.
    _written_in: str | None = None
    #: Its key in that flow, as of the end of the block.
    _written_as: str | None = None
    #: Counts the changes of its attributes, so that a flow knows when to compile anew.
    _version = 0
    _is_parameter = False
    #: Whether to warn if it was made in a flow's block and not used there.
    _warns_if_unused = True
    #: Whether its value comes from outside the block in which it is first used, so that a `case` there doesn't decide on it.
    _is_given = False
    #: Whether it is a case, which decides whether other tasks run.
    _is_condition = False
    #: Whether a flow is judged by it where its author did not say by which tasks.
    _is_reference_by_default = True
    #: Whether it runs in a run that was cancelled, if its inputs are there.
    _cleans_up = False

    logger = _Logger()

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        object.__setattr__(self, "_version", self._version + 1)

    if not TYPE_CHECKING:  # types are checked by the attributes that there are

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # asked only for what is not there
            """Name the usual reason why a subclassed task has no name: its `__init__` left this class's out."""
            kind = type(self).__name__
            if name in {"name", "slug", "tags", "_signature"}:
                msg = f"A task of class {kind!r} wasn't set up. Call super().__init__(...) in the __init__ of {kind}."
                raise DefinitionError(msg, kind=kind)
            msg = f"{kind!r} object has no attribute {name!r}"
            if not name.startswith("_"):
                flow = self._written_in if self._written_in and self._written_in.isidentifier() else "flow"
                msg = (
                    f"{self.name!r} is a task and has no attribute {name!r}; its value comes when the flow runs. "
                    f"In another task use .{name} of its input; after a run: {flow}.last_run[{self.key_in()!r}].result.{name}."
                )
            raise AttributeError(msg, name=name, obj=self)

    def run(self) -> Any:  # noqa: ANN401  # what the user returns
        """Do the work; inputs are arguments, the value returned is the task's result. May be `async def`."""

    def inputs(self) -> dict[str, dict[str, object]]:
        """Return the arguments of `run` by name, each with its `type` (Any if not annotated) and whether it is `required`."""
        types = checks.type_hints(self.run)
        return {
            name: {"type": types.get(name, Any), "required": name in self._signature.required}
            for name in self._signature.names
        }

    def outputs(self) -> Any:  # noqa: ANN401  # a type, or what an annotation may be
        """Return the type that `run` is annotated to return, Any if it isn't annotated."""
        return checks.type_hints(self.run).get("return", Any)

    def _check_inputs(self, names: Iterable[str]) -> None:
        """Refuse names that `run` lacks."""
        self._signature.check(self.name, names)

    def _written(self, key: str) -> None:
        """Note the key in the flow whose block made this copy; changes nothing that is compiled."""
        if self._written_in is not None:
            self.__dict__["_written_as"] = key

    def _twin(self) -> Self:
        return copy.copy(self)

    def copy(self, **changes: Any) -> Self:  # noqa: ANN401  # what an option may be
        """Return a copy that is another task, with attributes changed."""
        twin = self._twin()
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
        if changes.keys() & {"cache", "cache_for", "cache_validator"}:
            twin._change_cache(self, changes)  # noqa: SLF001  # its own
        if added := current_tags():
            twin.tags |= added
        mark_used(self)
        return twin

    def pipe(self, other: Task, **inputs: Any) -> Task:  # noqa: ANN401  # what a task takes
        """Call `other` with this task as its first input: `load().pipe(clean).pipe(fit, model="ridge")`."""
        return other(self, **inputs)

    def _change_cache(self, before: Task, changes: Mapping[str, object]) -> None:
        """Check what a copy changed of `before`; a validator that came with an option goes with it."""
        self.cache_for = cache_policy.duration(self.name, self.cache_for)
        self.cache = cache_policy.switch(self.name, self.cache, self.cache_for, keep=self.keep)
        was_cached = before.cache or before.cache_for is not None
        is_default = "cache_validator" not in changes and (
            "cache" in changes or not was_cached or not (self.cache or self.cache_for is not None)
        )
        given = None if is_default else self.cache_validator
        self.cache_validator = cache_policy.validator(self.name, self.cache_for, given, cache=self.cache)

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
        twin = self._called_in(flow, task_args)
        return twin.bind(*args, mapped=mapped, upstream_tasks=upstream_tasks, flow=flow, **kwargs)

    def _called_in(self, flow: Flow | None, task_args: Mapping[str, object] | None) -> Self:
        """Return the copy that a call puts into the flow, still without inputs."""
        twin = self.copy(**checks.task_args(self.name, task_args))
        graph = flow_or_refuse(flow, self.name)._graph  # noqa: SLF001  # a task is a part of its flow
        graph.called.add(self)
        twin.__dict__.update(_written_in=graph.flow_name, _written_as=None)
        return twin

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
        found._bind(self, bound, checks.several(self.name, "upstream_tasks", upstream_tasks), mapped=mapped)  # noqa: SLF001
        return self

    def map(
        self,
        *args: object,
        upstream_tasks: Iterable[object] | None = None,
        flow: Flow | None = None,
        task_args: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Self:
        """Copy this task into the flow that is being written, to run once for each element of its inputs; return the copy.

        Inputs that are mapped have the same length; `unmapped(x)` goes whole to every child. If all inputs are unmapped the
        task runs once. Arguments as for a call.
        """
        twin = self._called_in(flow, task_args)
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
        return spec_of(self, key or self.slug or self.name, bindings)

    def history(self, flow: Flow | str | None = None) -> pd.DataFrame:
        """Return every successful outcome of this task that is known, oldest first; columns as `Flow.history`.

        Args:
            flow: or its name; default: the flow whose block this copy was written in, else all. Of several tasks of one
                name, a copy's own outcomes are told from the others'.
        """
        from flowbook.core.time_travel import history  # noqa: PLC0415  # the store: longer to load than all the rest

        if flow is not None and not isinstance(flow, str):
            return flow.history(self)
        return history(flow or self._written_in, self.key_in(flow))

    def key_in(self, flow: str | None = None) -> str:
        """Return its key in the flow of that name, by default the one that this copy was written in; as far as it knows."""
        own = self._written_as if flow in (None, self._written_in) else None
        return own or self.slug or self.name

    def __or__(self, other: Any) -> Any:  # noqa: ANN401  # a task, or what holds some
        """`a | b`: let `b` run after this task, without passing a value; return `b`."""
        self.set_dependencies(downstream_tasks=[other])
        return other

    def __ror__(self, other: object) -> Self:
        self.set_dependencies(upstream_tasks=[other])
        return self

    def __repr__(self) -> str:
        return f"<Task: {self.name}>"
