"""A task: a step of a flow, with its options."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Never, Self

from flowbook._context import context
from flowbook._utils.variables import variable_of
from flowbook.core import checks
from flowbook.core.building import current_tags, flow_or_refuse, mark_made, mark_used
from flowbook.core.changes import CHANGES, HandlerList
from flowbook.core.deferred import DeferredValue
from flowbook.core.signature import RunSignature
from flowbook.core.task_options import OPTION_CHECKS, TaskOptions
from flowbook.core.task_spec import SpecMaker
from flowbook.core.traceback_trim import without_library_frames
from flowbook.engine.graph import Binding
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd

    from flowbook.core.edge import Edge
    from flowbook.core.ports import WritableFlow
    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.state import State
    from flowbook.results.files import Result

__all__ = ["Task"]


#: What a task's key is made of.
_KEY_PARTS = frozenset({"name", "slug"})


class _Logger:
    """The logger of the run that a task is in. No data descriptor: a subclass may set a `logger` of its own."""

    def __get__(self, task: object, owner: type | None = None) -> Any:  # noqa: ANN401  # a Logger or an adapter
        import logging  # noqa: PLC0415  # half a hundredth of a second, for those who log

        return context.get("logger") or logging.getLogger("flowbook.task_run")


class Task(DeferredValue, TaskOptions):
    """A step of a flow. Put `@task` on a function, or subclass Task and write `run`.

    Call a task inside a flow: that adds a copy, bound to these inputs, and runs nothing yet. Inputs are plain values, other
    tasks, or lists, tuples, sets and dicts that hold tasks. A task in a flow isn't its value: operators and indexing on it
    build more tasks.

    Args:
        name: what people call it; default: the class's or function's name.
        slug: its key in the flow; default: the name, then `name-2`, `name-3`.
        tags: labels, e.g. `["db"]`.
        max_retries: how many attempts may follow the first, if it fails; needs `retry_delay`.
        retry_delay: time before each further attempt, a timedelta or seconds.
        retry_on: exception types that are retried; default: all.
        trigger: decides from the states of the tasks upstream whether this one runs, see `flowbook.triggers`; default:
            all must have succeeded.
        skip_on_upstream_skip: whether this task is skipped if a task upstream was. A `case` that isn't taken skips it anyway.
        cache: True: other runs reuse its output, without a time limit, as long as its code, what that reads and its inputs
            are the same. False: they don't, even in a flow with `cache=True`. Default: as the flow says.
        cache_for: how long other runs may reuse its output, a timedelta or seconds. Without `cache` and `cache_validator`
            they reuse it whatever their inputs and code are; then the state carries a warning.
        cache_validator: decides whether a cached output may be reused, see `flowbook.engine.cache_validators`.
        cache_key: a name under which flows share the output; default: each task of each flow has its own.
        state_handlers: called at every change of state, `handler(task, old, new) -> State`.
        on_failure: called after every failed attempt, `on_failure(task, state)`.
        log_stdout: whether prints become log lines of the run.
        timeout: how long one attempt may take, a timedelta or seconds. At the deadline an exception is raised in the task's
            thread. That stops Python code, but not a sleep or C code: these may run on, and their result is dropped. The
            state is TimedOut, which is retried like any failure.
        nout: into how many results it can be unpacked, `a, b = task(...)`; default: what a return annotation
            `tuple[int, str]` says.
        task_run_name: name of one run of the task: a text with {placeholders} for inputs and context, e.g. `"load {year}"`,
            or a function that takes them as keywords. Tasks read it as `context.task_run_name`.
        target: file that holds its output, with placeholders as in `task_run_name`, e.g. `"{today}/{task_name}.bin"`. If the
            file exists the task is Cached and doesn't run. A mapped task needs one file for each child.
        result: where outputs are written, a `flowbook.results.Result`; default: the flow's.
        checkpoint: whether `result` and `target` write anything.
        keep: whether its value may be stored, as an output or as another task's input. Without it a run can't be resumed in
            another process beyond this task.
        deadline: how long it waits for a person, a timedelta or seconds; with `trigger=triggers.manual_only` only. Then the
            answer is given by "deadline", and recorded as a person's is.
        otherwise: what that answer is: "reject" (the default), "approve" or "skip".
        asks: who is asked, e.g. `"finance"`; shown wherever the task waits.

    Raises:
        DefinitionError: if an option is unknown, has a value that is refused, or lacks another one that it needs.
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
        deadline: dt.timedelta | float | None = None,
        otherwise: str | None = None,
        asks: str | None = None,
        **unknown: Never,
    ) -> None:
        self.name = name if name is not None else type(self).__name__
        if unknown:
            checks.unknown_options(self.name, unknown, Task.__init__)
        self.slug = slug
        self.tags = checks.tags(self.name, tags) | current_tags()
        self._set_retries(max_retries, retry_delay, retry_on)
        self._set_trigger(trigger, skip_on_upstream_skip=skip_on_upstream_skip)
        self._set_approval(deadline, otherwise, asks)
        self.keep = keep
        self._set_cache(cache, cache_for, cache_validator)
        self.cache_key = checks.cache_key(self.name, cache_key)
        self._set_handlers(state_handlers, on_failure)
        self.log_stdout = log_stdout
        self.timeout = checks.timeout(self.name, timeout)
        self.nout = checks.nout(self.name, nout)
        self.task_run_name = checks.run_name(self.name, task_run_name)
        self._set_output(target, result, checkpoint=checkpoint)
        self._begin()

    def _begin(self) -> None:
        """Set what a task knows of itself besides its options."""
        self._signature = RunSignature.of(self.run, self.name)
        #: From the start, as all tasks of a class share the names of their attributes: a late one costs a copy 1.2 kB.
        self._written_in = self._written_as = None
        if self._warns_if_unused:
            mark_made(self)

    #: Name of the flow whose block made this copy; None for a task that may go into any flow.
    _written_in: str | None = None
    #: Its key in that flow, as of the end of the block.
    _written_as: str | None = None
    #: Counts the changes of its attributes, so that a flow knows when to compile again.
    _version = 0
    #: Whether to warn if it was made in a flow's block and not used there.
    _warns_if_unused = True
    #: Whether its value comes from outside the block in which it is first used, so that a `case` there doesn't decide on it.
    _is_external = False
    #: Whether it decides the flow's state if the flow's author chose no reference tasks.
    _is_reference_by_default = True

    logger = _Logger()

    def __setattr__(self, name: str, value: object) -> None:
        is_set_up = "_signature" in self.__dict__
        if is_set_up and name in OPTION_CHECKS:
            for option, checked in self._checked(name, value).items():
                object.__setattr__(self, option, checked)
        else:  # an __init__ checks its options, though not what a task's key is made of
            if name in _KEY_PARTS:
                value = OPTION_CHECKS[name](self.__dict__.get("name", type(self).__name__), value)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_version", self._version + 1)
        if is_set_up:  # else it is in no flow yet
            CHANGES.count += 1

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        object.__setattr__(self, "_version", self._version + 1)
        CHANGES.count += 1

    if not TYPE_CHECKING:  # types are checked by the attributes that there are

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # called only for what is missing
            """Explain why there is no such attribute: a task isn't its value, or its `__init__` didn't call this class's."""
            kind = type(self).__name__
            if name in {"name", "slug", "tags", "_signature"}:
                msg = f"A task of class {kind!r} wasn't set up. Call super().__init__(...) in the __init__ of {kind}."
                raise DefinitionError(msg, kind=kind)
            msg = f"{kind!r} object has no attribute {name!r}"
            if not name.startswith("_"):
                msg = (
                    f"{self.name!r} is a task and has no attribute {name!r}; its value comes when the flow runs. "
                    f"In another task use .{name} of its input{self._where_its_value_is(name)}"
                )
            raise AttributeError(msg, name=name, obj=self)

    def _where_its_value_is(self, name: str) -> str:
        """Return the end of the sentence that says where to find this attribute of its value."""
        path = f"last_run[{self._key_in()!r}].result.{name}"
        if flow := variable_of(self._is_flow_of_this):
            return f"; after a run: {flow}.{path}."
        if self._written_in is not None:
            return f"; after a run of flow {self._written_in!r}: its {path}."
        call = f"with Flow('name') as flow: {self.name}(...)"
        return f". No flow here has it: call it in one, {call}; after a run: flow.{path}."

    def _is_flow_of_this(self, value: Any) -> bool:  # noqa: ANN401  # whatever a variable holds
        if type(value).__name__ != "Flow" or self._written_in not in {None, value.name}:
            return False
        return any(each.name == self.name for each in value.tasks)

    def run(self) -> Any:  # noqa: ANN401  # what the user returns
        """Do the work. Arguments are the task's inputs, the return value is its result. May be `async def`."""

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
        """Note the key in the flow whose block made this copy. That is no change: the flow needn't be compiled again."""
        if self._written_in is not None:
            self.__dict__["_written_as"] = key

    def _twin(self) -> Self:
        twin = copy.copy(self)
        twin.__dict__["state_handlers"] = HandlerList(self.state_handlers)
        return twin

    def copy(self, **changes: Any) -> Self:  # noqa: ANN401  # what an option may be
        """Return a copy, which is another task, with these options changed: `load.copy(name="load_raw", timeout=60)`.

        Raises:
            DefinitionError: if there is no such option, or its value is refused.
        """
        twin = self._twin()
        if changes:
            twin._change(self, changes)  # noqa: SLF001  # its own
        if added := current_tags():
            twin.tags |= added
        mark_used(self)
        return twin

    def _change(self, before: Task, changes: Mapping[str, Any]) -> None:
        """Change attributes of this copy of `before`."""
        name = checks.name(changes.get("name", self.name))
        for attribute, value in changes.items():
            if not hasattr(self, attribute):
                msg = f"Task {before.name!r} has no attribute {attribute!r} to change in a copy."
                raise DefinitionError(msg, task=before.name, attribute=attribute)
            if attribute in OPTION_CHECKS:
                object.__setattr__(self, attribute, OPTION_CHECKS[attribute](name, value))
            else:
                setattr(self, attribute, value)
        self._change_together(before, changes)

    def pipe(self, other: Task, **inputs: Any) -> Task:  # noqa: ANN401  # what a task takes
        """Call `other` with this task as its first input: `load().pipe(clean).pipe(fit, model="ridge")`."""
        return other(self, **inputs)

    def __call__(
        self,
        *args: object,
        mapped: bool = False,
        task_args: Mapping[str, object] | None = None,
        upstream_tasks: Iterable[object] | None = None,
        flow: WritableFlow | None = None,
        **kwargs: object,
    ) -> Self:
        """Copy this task into the flow that is being written and bind the copy's inputs; return the copy.

        Args:
            args: inputs by position: values, tasks, or lists, tuples, sets and dicts that hold tasks.
            kwargs: inputs by name.
            mapped: whether each child gets one element of every input that isn't `unmapped`.
            task_args: options to change in the copy, e.g. `{"name": "other"}`.
            upstream_tasks: tasks that run before, without passing a value.
            flow: default: the flow whose block this is.

        Raises:
            DefinitionError: if an input is missing, unknown or given twice, or no flow is being written.
        """
        try:
            twin = self._called_in(flow, task_args)
            return twin.bind(*args, mapped=mapped, upstream_tasks=upstream_tasks, flow=flow, **kwargs)
        except DefinitionError as error:
            raise without_library_frames(error) from error.__cause__

    def _called_in(self, flow: WritableFlow | None, task_args: Mapping[str, object] | None) -> Self:
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
        flow: WritableFlow | None = None,
        **kwargs: object,
    ) -> Self:
        """Add this task itself, not a copy, to the flow and bind its inputs; return it. Arguments as for a call."""
        found = flow_or_refuse(flow, self.name)
        bound = self._signature.bind(self.name, args, kwargs)
        found._bind(self, bound, checks.several(self.name, "upstream_tasks", upstream_tasks), mapped=mapped)  # noqa: SLF001
        return self

    def map(
        self,
        *args: object,
        upstream_tasks: Iterable[object] | None = None,
        flow: WritableFlow | None = None,
        task_args: Mapping[str, object] | None = None,
        **kwargs: object,
    ) -> Self:
        """Copy this task into the flow that is being written, to run once for each element of its inputs; return the copy.

        Mapped inputs need the same length; `unmapped(x)` goes whole to every child. If all inputs are unmapped the task runs
        once. Arguments as for a call.
        """
        try:
            twin = self._called_in(flow, task_args)
            return twin.bind(*args, mapped=True, upstream_tasks=upstream_tasks, flow=flow, **kwargs)
        except DefinitionError as error:
            raise without_library_frames(error) from error.__cause__

    def set_upstream(
        self, task: object, flow: WritableFlow | None = None, key: str | None = None, *, mapped: bool = False
    ) -> Self:
        """Run `task` before this one. With `key`, its result becomes that input."""
        flow_or_refuse(flow, self.name).set_dependencies(
            self, upstream_tasks=None if key else [task], keyword_tasks={key: task} if key else None, mapped=mapped
        )
        return self

    def set_downstream(
        self, task: Task, flow: WritableFlow | None = None, key: str | None = None, *, mapped: bool = False
    ) -> Self:
        """Run `task` after this one. With `key`, this one's result becomes that input of `task`."""
        task.set_upstream(self, flow=flow, key=key, mapped=mapped)
        return self

    def set_dependencies(
        self,
        flow: WritableFlow | None = None,
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
        return SpecMaker(None).spec(self, key or self.slug or self.name, bindings)

    def history(self, flow: WritableFlow | str | None = None) -> pd.DataFrame:
        """Return every known successful result of this task, oldest first; columns as in `Flow.history`.

        Args:
            flow: a flow or its name; default: the flow whose block called this task, else all flows. If a flow has several
                tasks of this name, a called task finds its own results.
        """
        from flowbook.core.time_travel import history  # noqa: PLC0415  # the store: longer to load than all the rest

        if flow is not None and not isinstance(flow, str):
            return flow.history(self)
        return history(flow or self._written_in, [self._key_in(flow)])

    def _key_in(self, flow: str | None = None) -> str:
        """Return its key in the flow of this name; default: the flow whose block called it. Before that, the likely key."""
        own = self._written_as if flow in (None, self._written_in) else None
        return own or self.slug or self.name

    def __or__(self, other: Any) -> Any:  # noqa: ANN401  # a task, or what holds some
        """`a | b`: run `b` after `a`, without passing a value; return `b`."""
        self.set_dependencies(downstream_tasks=[other])
        return other

    def __ror__(self, other: object) -> Self:
        self.set_dependencies(upstream_tasks=[other])
        return self

    def __repr__(self) -> str:
        return f"<Task: {self.name}>"
