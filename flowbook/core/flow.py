"""A flow: tasks and the edges between them, written once and run as often as you like."""

from __future__ import annotations

import contextlib
import copy
import inspect
import itertools
import warnings
from typing import TYPE_CHECKING, Any, Literal, Never, Self

from flowbook.core import checks, compiler, flow_edits, input_binding
from flowbook.core.building import enter_flow, leave_flow, refuse_inside_block
from flowbook.core.edge import Edge
from flowbook.core.flow_options import FlowOptions
from flowbook.core.flow_past import FlowPast
from flowbook.core.traceback_trim import end_at_caller, without_library_frames
from flowbook.exceptions import DefinitionError, ExecutorError, RunFailedError
from flowbook.flow_run.run import FlowRun, start_run
from flowbook.flow_run.run_request import refuse_flow_runner

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from contextvars import Token
    from types import TracebackType

    from flowbook.core.cache_policy import FlowCache
    from flowbook.core.ports import WritableFlow
    from flowbook.core.task import Task
    from flowbook.draw.picture import Picture
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.executors.base import Executor
    from flowbook.flow_run.plan import RunPlan
    from flowbook.results.files import Result

__all__ = ["Flow"]


class Flow(FlowOptions, FlowPast):
    """Tasks and the edges between them.

    Write it as a block, in which tasks that you call become part of the flow, then run it:

        with Flow("delays") as flow:
            year = Parameter("year", default=2013)
            worst(clean(load(year)))

        state = flow.run(year=2014)

    Two flows are equal if they have the same name, tasks, edges, inputs and reference tasks.

    Args:
        name: what people call it; outputs are cached under it. Default: "flow".
        tasks: to begin with.
        edges: to begin with.
        executor: where tasks run unless a run says otherwise; default: `LocalExecutor()`.
        result: where outputs are written as files, a `flowbook.results.Result`; default: nowhere.
        state_handlers: called when the flow's state changes, `handler(flow, old, new) -> State`.
        on_failure: called when the flow fails, `on_failure(flow, state)`.
        terminal_state_handler: may replace the final state, `handler(flow, state, reference_states) -> State`.
        reference_tasks: the tasks whose states decide the flow's; default: the tasks with nothing downstream.
        cache: whether tasks that don't say otherwise are cached, as `@task(cache=True)` is. "incremental": those with
            `cache_for` and no validator too, so that whatever has changed runs again.
        notify: who is told if a run waits for a person or failed: a URL of apprise, a command (a list of texts), a function
            that takes the notice, or a list of these; `{"to": ..., "on": ["ended"]}` says of what else.

    Attributes:
        last_run: the newest FlowRun that was started here, None before the first.
    """

    #: Whether a block has ended.
    _is_compiled_ahead = False

    def __init__(  # noqa: PLR0913  # the names promised to users
        self,
        name: str | None = None,
        tasks: Iterable[Task] | None = None,
        edges: Iterable[Edge] | None = None,
        *,
        executor: Executor | None = None,
        result: Result | None = None,
        state_handlers: Iterable[Callable[..., object]] | None = None,
        on_failure: Callable[[Flow, State], object] | None = None,
        terminal_state_handler: Callable[..., object] | None = None,
        reference_tasks: Iterable[Task] | None = None,
        cache: FlowCache = False,
        notify: object = None,
        **unknown: Never,
    ) -> None:
        super().__init__(name)
        if unknown:
            checks.unknown_options(self.name, unknown, Flow.__init__, "Flow", _task_options())
        self._set_options(
            executor=executor,
            result=result,
            cache=cache,
            notify=notify,
            state_handlers=state_handlers,
            on_failure=on_failure,
            terminal_state_handler=terminal_state_handler,
        )
        self.last_run: FlowRun | None = None
        self._tokens: list[Token[tuple[WritableFlow, ...]]] = []
        self._compiled: compiler.Compiled | None = None
        for task in checks.several(self.name, "tasks", tasks, "Flow"):
            self.add_task(task)
        for edge in edges or ():
            if not isinstance(edge, Edge):
                msg = f"Flow {self.name!r}: edges hold {edge!r}, which isn't an Edge. Give e.g. Edge(a, b, key='x')."
                raise DefinitionError(msg, flow=self.name)
            self._graph.add_edge(edge)
        if reference_tasks is not None:
            self.set_reference_tasks(reference_tasks)

    # Writing

    def __enter__(self) -> Self:
        self._tokens.append(enter_flow(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave_flow(self._tokens.pop())
        unused, self._graph.unused = self._graph.unused, {}
        if isinstance(error, DefinitionError):
            end_at_caller(error)
        if kind is None:
            for task, key in self.keys().items():
                task._written(key)  # noqa: SLF001  # what a task knows of its flow, for its history
            self._compile_ahead()
            if unused:
                _warn_of_unused(self.name, unused)

    def add_task(self, task: Task) -> Task:
        """Add a task; one that is there already stays. Return it.

        Raises:
            DefinitionError: if it isn't a task, or is a second parameter of the same name.
        """
        self._graph.add(task)
        return task

    def add_edge(
        self,
        upstream_task: Task,
        downstream_task: Task,
        key: str | None = None,
        *,
        mapped: bool = False,
        flattened: bool = False,
    ) -> Edge:
        """Add an edge and both its tasks; an equal edge that is there already stays. Return the edge.

        Args:
            upstream_task: runs first.
            downstream_task: runs after it.
            key: the argument of the downstream task's `run` that gets the value; None passes no value.
            mapped: whether each child of the downstream task gets one element.
            flattened: whether one level of nesting is removed first.

        Raises:
            DefinitionError: if it leads into a parameter, to an argument that `run` lacks, or to one that has a value.
            CycleError: if the tasks would wait on each other.
        """
        return self._graph.add_edge(Edge(upstream_task, downstream_task, key, mapped=mapped, flattened=flattened))

    def set_dependencies(
        self,
        task: Task,
        upstream_tasks: Iterable[object] | None = None,
        downstream_tasks: Iterable[Task] | None = None,
        keyword_tasks: Mapping[str, object] | None = None,
        *,
        mapped: bool = False,
    ) -> None:
        """Add edges around `task`.

        Args:
            task: of this flow, or new to it.
            upstream_tasks: run before it.
            downstream_tasks: run after it.
            keyword_tasks: its inputs by argument name, tasks or plain values.
            mapped: whether it is mapped over its upstream tasks and inputs.
        """
        before = checks.several(task.name, "upstream_tasks", upstream_tasks)
        self._bind(task, keyword_tasks or {}, before, mapped=mapped)
        for below in checks.several(task.name, "downstream_tasks", downstream_tasks):
            self.add_edge(task, self._task_for(below))

    def _bind(self, task: Task, inputs: Mapping[str, object], upstream: Iterable[object], *, mapped: bool) -> None:
        input_binding.bind(self._graph, task, inputs, upstream, mapped=mapped)

    def _task_for(self, value: object) -> Task:
        return input_binding.task_for(self._graph, value)

    def chain(self, *tasks: object) -> list[Edge]:
        """Let each of these tasks run after the one before it, without passing values; return the edges.

        Raises:
            DefinitionError: if there are fewer than two.
        """
        found = [self._task_for(each) for each in tasks]
        if len(found) < 2:  # noqa: PLR2004
            msg = f"chain needs two tasks or more, got {len(found)}. Write flow.chain(a, b, c)."
            raise DefinitionError(msg, count=len(found))
        return [self.add_edge(before, after) for before, after in itertools.pairwise(found)]

    def update(self, flow: Flow, *, merge_parameters: bool = False, merge_reference_tasks: bool = False) -> None:
        """Take over all tasks, edges and constants of another flow, which stays as it is.

        Args:
            flow: whose tasks are then in both.
            merge_parameters: whether its parameters replace those of the same name here.
            merge_reference_tasks: whether its reference tasks decide this flow's state too.

        Raises:
            DefinitionError: if both have a parameter of one name and they are not to be merged.
        """
        reference = self.reference_tasks() if merge_reference_tasks else ()
        replaced = flow_edits.update(self._graph, flow._graph, merge_parameters=merge_parameters)
        if self._reference is not None:
            self._reference = tuple(replaced.get(task, task) for task in self._reference)
        if merge_reference_tasks:
            self.set_reference_tasks([*(replaced.get(task, task) for task in reference), *flow.reference_tasks()])

    def replace(self, old: Task, new: object) -> Task | None:
        """Replace `old` by `new`, which takes over its edges, its inputs and, if it was one, its role as a reference task.

        Returns:
            The task that is there now; None for a plain value, which is a constant input of the tasks downstream.

        Args:
            old: a task of this flow; it leaves the flow.
            new: a task that isn't in the flow; a collection of tasks, which comes after what `old` did and takes no inputs;
                or a plain value.

        Raises:
            DefinitionError: if the inputs of `new` differ from the inputs of `old`, or it is in the flow already.
            UnknownTaskError: if `old` isn't in the flow.
        """
        found = flow_edits.replace(self._graph, old, new)
        if self._reference is not None:
            replaced = (found if task is old else task for task in self._reference)
            self._reference = tuple(task for task in replaced if task is not None) or None
        return found

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Let these tasks decide the flow's state; an empty list means the terminal tasks, the default.

        Raises:
            UnknownTaskError: if one isn't in the flow.
        """
        found = checks.several(self.name, "reference_tasks", tasks, "Flow")
        self._reference = tuple(self._graph.known(task) for task in found) or None
        self._graph.changed()

    def copy(self) -> Self:
        """Return an independent flow with the same tasks: what you add to one isn't in the other."""
        twin = copy.copy(self)
        twin.__dict__.update(
            state_handlers=list(self.state_handlers),
            last_run=None,
            notify=self.notify,
            _graph=self._graph.copy(),
            _tokens=[],
            _compiled=None,
        )
        return twin

    def _repr_mimebundle_(self, **options: object) -> dict[str, str]:
        from flowbook.draw.picture import LARGEST_SHOWN  # noqa: PLC0415  # drawing, which few need

        if len(self) > LARGEST_SHOWN:
            return {"text/plain": repr(self)}
        try:
            picture = self.visualize()
        except DefinitionError:
            return {"text/plain": repr(self)}  # it is still being written
        return {**picture._repr_mimebundle_(**options), "text/plain": repr(self)}

    def visualize(
        self,
        flow_state: State | FlowRun | None = None,
        filename: str | os.PathLike[str] | None = None,
        format: str | None = None,  # noqa: A002  # the name promised to users
        *,
        theme: Literal["auto", "light", "dark"] = "auto",
    ) -> Picture:
        """Return a picture of the flow, which notebooks show; its tasks have the colours of their states.

        Args:
            flow_state: a FlowRun, or the state that `run` returned; default: the flow's last run, if there is one.
            filename: an SVG file to write as well.
            format: of the file; "svg" is the only one.
            theme: colours for a light or a dark page; "auto" is light, on a background of its own.

        Raises:
            DefinitionError: if `format` is another one, or `flow_state` has no states of tasks.
        """
        from flowbook.core.visualize import visualize  # noqa: PLC0415

        if format not in {None, "svg"}:
            msg = f"Pictures are written as SVG, not as {format!r}. Leave the format out."
            raise DefinitionError(msg, format=format)
        return visualize(self.compile(), self.last_run, flow_state, filename, theme)

    def __getstate__(self) -> dict[str, object]:
        #: Whom to tell is kept with each run and deployment: a URL's password must not travel with a flow.
        return {**self.__dict__, "last_run": None, "notify": (), "_tokens": [], "_compiled": None}

    # Past outputs

    # Running

    def compile(self) -> Graph:
        """Return the frozen graph that the engine runs. It is compiled again only after the flow or a task has changed.

        Raises:
            DefinitionError: if a task has no value for an input that it needs, or children of a mapped task would share a file.
        """
        found = self._compiled = compiler.compiled(self._graph, self, self._compiled, self.reference_tasks)
        return found.graph

    def _compile_ahead(self) -> None:
        """Compile after the first block, as builders of graphs do, so that a run begins at once; if it fails, a run says so.

        Later blocks may be many, with a task in each.
        """
        if not self._is_compiled_ahead:
            self._is_compiled_ahead = True
            with contextlib.suppress(DefinitionError):
                self.compile()

    def run(self, parameters: Mapping[str, object] | None = None, **options: Any) -> State:  # noqa: ANN401
        """Run the flow and wait; return its state, whose `result` maps each task to its state.

        Args:
            parameters: values by name. You may also give them as keywords, `flow.run(year=2014)`.
            options: any of these, and parameters:
                `executor`: where tasks run; default: the flow's.
                `record`: whether the whole run is stored, so that it can be resumed and inspected later.
                `flow_run_name`: what people call this run.
                `raise_on_failure`: whether a Failed run raises `RunFailedError`, which names the tasks.
                `progress`: whether a terminal shows how it goes; default: where there is one and it takes over a second.
                `max_concurrency`: how many tasks may run at once. `limits`: the same by tag, e.g. `{"db": 2}`.
                `context`: values that all tasks see in `flowbook.context`. `task_contexts`: task to values for it alone.
                `state`: the state that the flow has at first; a finished one is returned at once.
                `task_states`: task to the state that it has at first, e.g. `{load: Success(result=1)}`.
                `start_tasks`: run only these and what lies downstream, without looking upstream.
                `start_at`: run these anew, and what lies downstream; the rest keeps its results from the run before.
                `only`: run these alone, anew, with their inputs as they were in the run before.
                `up_to`: run these and what they need, nothing else.
                `based_on`: the run whose results `start_at` and `only` keep; default: the newest.
                `use_cache`: False: every task runs, though an output in the cache would fit; outputs are stored.
                `state_handlers`: called at every change of a task's state, after the task's own.
                `raise_on_exception`: for debugging: the first exception of a task stops the run and is raised here.

        Raises:
            ParameterError: if a parameter is missing or unknown; nothing has run then.
            StartTaskError: if a start task isn't in the flow, or an input that it needs has no value.
        """
        try:
            return self._new_run(parameters, options, is_called=True).run_here()
        except RunFailedError as error:
            raise without_library_frames(error) from error.__cause__

    __call__ = run

    def start(self, parameters: Mapping[str, object] | None = None, **options: Any) -> FlowRun:  # noqa: ANN401
        """Run the flow in the background; return its FlowRun at once. Arguments and errors as for `run`.

        With `flow_runner=SubprocessFlowRunner()` it runs in a process of its own, which outlives this one: the flow, its
        parameters and its context go along through the store, and what can't is named before anything is started.

        Raises:
            RunIncompleteError: if something of the run can't go to another process; says what.
            FlowRunnerError: if the process can't be started.
        """
        return self._new_run(parameters, options).run_behind()

    def plan(self, parameters: Mapping[str, object] | None = None, **options: Any) -> RunPlan:  # noqa: ANN401
        """Return what a run would do: what is taken from the cache, what runs, waits, and why; runs and loads nothing.

        Args:
            parameters: values by name. You may also give them as keywords.
            options: `start_at`, `only`, `up_to`, `based_on` and `use_cache`, as for `run`; `executor`, by which the time
                is expected; and parameters. `start` is the same as `start_at`, but needs no run before.

        Raises:
            StartTaskError: if what is asked for can't run; says why.
        """
        from flowbook.flow_run.planner import plan_run  # noqa: PLC0415  # the store: longer to load than all the rest

        return plan_run(self, parameters, self._with_base(options))

    def _new_run(
        self, parameters: Mapping[str, object] | None, options: dict[str, Any], *, is_called: bool = False
    ) -> FlowRun:
        try:
            refuse_inside_block(self)
            if is_called:
                refuse_flow_runner(self.name, options)
            self.last_run = start_run(self, parameters, self._with_base(options))
        except (DefinitionError, ExecutorError) as error:
            raise without_library_frames(error) from error.__cause__
        return self.last_run

    def _own_fields(self, task: object) -> Mapping[str, object]:
        """Return the attributes that a task's author gave it beside its options."""
        from flowbook.core.own_fields import own_fields  # noqa: PLC0415  # only where a run is recorded or compared

        return own_fields(task)


def _task_options() -> frozenset[str]:
    from flowbook.core.task import Task  # noqa: PLC0415  # only where something is wrong

    return frozenset(inspect.signature(Task.__init__).parameters) - {"self", "name", "unknown"}


def _warn_of_unused(flow: str, unused: Iterable[Task]) -> None:
    names = ", ".join(repr(task) for task in unused)
    msg = (
        f"Made in the block of flow {flow!r} and never used, so not part of it: {names}. "
        "Call a task to add it: Load()(path); use a parameter as an input. Or make it outside the block."
    )
    warnings.warn(msg, UserWarning, stacklevel=3)
