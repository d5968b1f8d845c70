"""A flow: tasks, the edges between them, and how they are compiled and run."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any, Literal, Self

from flowbook.core import checks, policies, surgery
from flowbook.core.annotations import Annotation, flatten
from flowbook.core.building import enter_flow, leave_flow, refuse_inside_block
from flowbook.core.collections import as_task, holds_tasks
from flowbook.core.collector import collector_paused
from flowbook.core.edge import Edge
from flowbook.core.order import Order
from flowbook.core.parameter import Parameter
from flowbook.core.task import Task, is_mapped_argument
from flowbook.engine.graph import Binding, Graph, cycle_error, sort_keys
from flowbook.exceptions import DefinitionError, UnknownTaskError
from flowbook.flow_run.run import FlowRun, start_run

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextvars import Token
    from types import TracebackType

    import pandas as pd

    from flowbook.core.building import Block
    from flowbook.core.time_travel import AsOf
    from flowbook.draw.picture import Picture
    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.state import State
    from flowbook.exceptions import CycleError
    from flowbook.executors.base import Executor
    from flowbook.results.files import Result

__all__ = ["Flow"]

#: So many edges into a task are looked through sooner than noted.
_FEW = 8


class Flow:
    """Tasks and the edges between them.

    Args:
        name: what people call it; outputs are cached under it.
        tasks: to begin with.
        edges: to begin with.
        executor: where tasks run unless a run says otherwise; default: `LocalExecutor`.
        result: where outputs are written as files, a `flowbook.results.Result`; default: nowhere.
        state_handlers: called when the flow's state changes, `handler(flow, old, new) -> State`.
        on_failure: called when the flow failed, `on_failure(flow, state)`.
        terminal_state_handler: may replace the final state, `handler(flow, state, reference_states) -> State`.
        reference_tasks: the tasks whose states decide the flow's; default: those with nothing below them.
    """

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
    ) -> None:
        self.is_named = name is not None
        self.name = _flow_name(name)
        self.executor = None if executor is None else checks.executor(executor)
        self.result = checks.result(self.name, result)
        self.state_handlers = checks.handlers(self.name, state_handlers, "Flow")
        self.on_failure = on_failure
        self.terminal_state_handler = terminal_state_handler
        for option, given in (("on_failure", on_failure), ("terminal_state_handler", terminal_state_handler)):
            if given is not None and not callable(given):
                msg = f"Flow {self.name!r}: {option}={given!r} can't be called. Give a function."
                raise DefinitionError(msg, flow=self.name)
        #: The newest run started here, None before the first.
        self.last_run: FlowRun | None = None
        self.constants: dict[Task, dict[str, object]] = {}
        self._tasks: dict[Task, None] = {}
        #: A list only where there are edges: a flow may have very many tasks without.
        self._in: dict[Task, list[Edge] | tuple[()]] = {}
        self._out: dict[Task, list[Edge] | tuple[()]] = {}
        self._mapped_constants: dict[Task, dict[str, Sequence[Any]]] = {}
        #: Inputs that edges give, of tasks that were asked for and have more than a few: some gather thousands.
        self._fed: dict[Task, set[str | None]] = {}
        self._parameters: dict[str, Parameter] = {}
        self._order = Order()
        self._reference: tuple[Task, ...] | None = None
        self._tokens: list[Token[tuple[Flow, ...]]] = []
        #: The `case` and resource blocks that are open, innermost last.
        self._blocks: list[Block] = []
        for task in checks.several(self.name, "tasks", tasks, "Flow"):
            self.add_task(task)
        for edge in edges or ():
            if not isinstance(edge, Edge):
                msg = f"Flow {self.name!r}: edges hold {edge!r}, which is no Edge. Give e.g. Edge(a, b, key='x')."
                raise DefinitionError(msg, flow=self.name)
            up, down = edge.upstream_task, edge.downstream_task
            self.add_edge(up, down, edge.key, mapped=edge.mapped, flattened=edge.flattened)
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
        if kind is None:
            for task, key in self.keys().items():
                if task.written_in is not None:
                    task.written_as = key

    def add_task(self, task: Task) -> Task:
        """Add a task; one that is there already stays.

        Raises:
            DefinitionError: if it is no task, or a second parameter of the same name.
        """
        if task in self._tasks:
            return task
        if not isinstance(task, Task):
            msg = f"{task!r} is not a task. Make one with @task, or by a subclass of Task."
            raise DefinitionError(msg, given=repr(task))
        if isinstance(task, Parameter):
            if task.name in self._parameters:
                msg = f"Flow {self.name!r} has a parameter {task.name!r} already. Use that one, or give another name."
                raise DefinitionError(msg, parameter=task.name)
            self._parameters[task.name] = task
        self._tasks[task] = None
        self._order.add(task)
        self._in[task] = self._out[task] = ()
        if self._blocks:
            self._blocks[-1].add(task)
        return task

    def open_block(self, block: Block) -> None:
        """Let `block` know of tasks that are added, until it is closed."""
        self._blocks.append(block)

    def close_block(self, block: Block) -> None:
        """Go back to the block around it."""
        self._blocks.remove(block)

    def add_edge(
        self,
        upstream_task: Task,
        downstream_task: Task,
        key: str | None = None,
        *,
        mapped: bool = False,
        flattened: bool = False,
    ) -> Edge:
        """Add an edge and both its tasks.

        Raises:
            DefinitionError: if it would go into a parameter, to an argument that `run` lacks, or to one that has a value.
            CycleError: if the tasks would wait on each other.
        """
        self.add_task(upstream_task)
        self.add_task(downstream_task)
        if isinstance(downstream_task, Parameter):
            msg = f"Parameter {downstream_task.name!r} can't have tasks upstream: it is given when the flow is run."
            raise DefinitionError(msg, parameter=downstream_task.name)
        if key is not None:
            self._check_argument(downstream_task, key)
        edge = Edge(upstream_task, downstream_task, key, mapped=mapped, flattened=flattened)
        if not self._order.admits(upstream_task, downstream_task, self._above, self._below):
            raise self._ring(edge)
        for edges, task in ((self._in, downstream_task), (self._out, upstream_task)):
            if found := edges[task]:
                found.append(edge)
            else:
                edges[task] = [edge]
        if self._fed and downstream_task in self._fed:
            self._fed[downstream_task].add(key)
        return edge

    def _above(self, task: Task) -> Iterator[Task]:
        return (edge.upstream_task for edge in self._in[task])

    def _below(self, task: Task) -> Iterator[Task]:
        return (edge.downstream_task for edge in self._out[task])

    def _ring(self, edge: Edge) -> CycleError:
        """Return the error that names the tasks of the ring which `edge` would close; the edge is not in the flow."""
        keys = self.keys()
        came_from: dict[Task, Task] = {}
        stack = [edge.downstream_task]
        while edge.upstream_task not in came_from and edge.upstream_task is not edge.downstream_task:
            task = stack.pop()
            for below in self._below(task):
                if below not in came_from:
                    came_from[below] = task
                    stack.append(below)
        ring = [edge.upstream_task]
        while ring[-1] is not edge.downstream_task:
            ring.append(came_from[ring[-1]])
        return cycle_error([keys[task] for task in reversed(ring)])

    def set_dependencies(
        self,
        task: Task,
        upstream_tasks: Iterable[object] | None = None,
        downstream_tasks: Iterable[Task] | None = None,
        keyword_tasks: Mapping[str, object] | None = None,
        *,
        mapped: bool = False,
    ) -> None:
        """Add edges around `task`: tasks before it, after it, and inputs by argument name (constants included)."""
        for name in keyword_tasks or ():
            self._check_argument(task, name)
        before = checks.several(task.name, "upstream_tasks", upstream_tasks)
        self.bind(task, dict(keyword_tasks or {}), before, mapped=mapped)
        for below in checks.several(task.name, "downstream_tasks", downstream_tasks):
            self.add_edge(task, below)

    def bind(self, task: Task, inputs: Mapping[str, object], upstream: list[object], *, mapped: bool) -> None:
        """Bind values and tasks to the arguments of `task`; what holds no task is a constant."""
        self.add_task(task)
        for name, written in inputs.items():
            value = written.value if isinstance(written, Annotation) else written
            is_mapped = mapped or isinstance(written, Annotation)
            if is_mapped:
                is_mapped = is_mapped_argument(written, by_default=mapped)
                if isinstance(written, flatten) and not holds_tasks(value):
                    value = _flat(value, name, task.name)
            if holds_tasks(value):
                self.add_edge(
                    self.task_for(value), task, name, mapped=is_mapped, flattened=isinstance(written, flatten)
                )
            else:
                self._check_argument(task, name)
                if is_mapped:
                    self._mapped_constants.setdefault(task, {})[name] = checks.elements(task.name, name, value)
                else:
                    self.constants.setdefault(task, {})[name] = value
        for written in upstream:
            value = written.value if isinstance(written, Annotation) else written
            self.add_edge(self.task_for(value), task, mapped=is_mapped_argument(written, by_default=mapped))
        if task in self._mapped_constants:
            checks.same_length(task.name, self._mapped_constants[task])
        elif mapped and not any(edge.mapped for edge in self._in[task]):
            msg = (
                f"Task {task.name!r} has nothing to map over. "
                "Give it a list or a task that is not unmapped(...), or call it plainly."
            )
            raise DefinitionError(msg, task=task.name)

    def task_for(self, value: object) -> Task:
        """Return the task that stands for `value`, a task or a collection with one inside; it is in the flow from now on.

        Raises:
            DefinitionError: if it holds no task, or one of another flow.
        """
        if not holds_tasks(value):
            msg = f"{value!r} is not a task, so nothing can wait for it. Give a task, or a value for one of the inputs."
            raise DefinitionError(msg, given=repr(value))
        found, items = as_task(value)
        if items:
            self.bind(found, items, [], mapped=False)
        elif found not in self._tasks:
            self._refuse_foreign(found)
            self.add_task(found)
        return found

    def _refuse_foreign(self, task: Task) -> None:
        if task.written_in is not None:
            msg = (
                f"Task {task.name!r} belongs to flow {task.written_in!r}, not to {self.name!r}. "
                "Call the task anew inside this flow."
            )
            raise DefinitionError(msg, task=task.name)

    def _check_argument(self, task: Task, name: str) -> None:
        task._signature.check(task.name, {name: None})  # noqa: SLF001
        taken = (
            name in self.constants.get(task, ())
            or name in self._mapped_constants.get(task, ())
            or (self._in.get(task) and self._is_fed(task, name))
        )
        if taken:
            msg = f"Input {name!r} of task {task.name!r} is given twice. Remove one of the two."
            raise DefinitionError(msg, task=task.name, argument=name)

    def _is_fed(self, task: Task, name: str) -> bool:
        edges = self._in.get(task, ())
        if len(edges) <= _FEW:
            return any(edge.key == name for edge in edges)
        fed = self._fed.get(task)
        if fed is None:
            fed = self._fed[task] = {edge.key for edge in edges}
        return name in fed

    def chain(self, *tasks: object) -> list[Edge]:
        """Let each of these tasks come after the one before it, without passing values; return the edges.

        Raises:
            DefinitionError: if there are fewer than two.
        """
        found = [self.task_for(each) for each in tasks]
        if len(found) < 2:  # noqa: PLR2004
            msg = f"chain needs two tasks or more, got {len(found)}. Write flow.chain(a, b, c)."
            raise DefinitionError(msg, count=len(found))
        return [self.add_edge(before, after) for before, after in itertools.pairwise(found)]

    def update(self, flow: Flow, *, merge_parameters: bool = False) -> None:
        """Take over all tasks, edges and constants of another flow, which stays as it is.

        Args:
            flow: to take from; the tasks are then in both.
            merge_parameters: whether its parameters give way to those of the same name here.

        Raises:
            DefinitionError: if both have a parameter of one name and they are not to be merged.
        """
        surgery.update(self, flow, merge_parameters=merge_parameters)

    def replace(self, old: Task, new: object) -> Task:
        """Put `new` in the place of `old`: its edges, its inputs, its place among the reference tasks; return it.

        Args:
            old: a task of this flow; it leaves the flow.
            new: a task that is not in the flow, or a collection of tasks: that comes after what `old` did, and takes no
                inputs.

        Raises:
            DefinitionError: if the inputs of `new` are others than those `old` was given, or it is in the flow already.
            UnknownTaskError: if `old` is not in the flow.
        """
        return surgery.replace(self, old, new)

    def _forget(self, task: Task) -> None:
        for edge in self._in.pop(task):
            _remove(self._out, edge.upstream_task, edge)
        for edge in self._out.pop(task):
            _remove(self._in, edge.downstream_task, edge)
            self._fed.pop(edge.downstream_task, None)
        self._fed.pop(task, None)
        del self._tasks[task]
        self._order.remove(task)
        if isinstance(task, Parameter):
            del self._parameters[task.name]

    def copy(self) -> Self:
        """Return a flow of its own with the same tasks: what is added to one is not in the other."""
        twin = copy.copy(self)
        twin.__dict__.update(
            state_handlers=list(self.state_handlers),
            constants={task: dict(values) for task, values in self.constants.items()},
            last_run=None,
            _tasks=dict(self._tasks),
            _in={task: edges and list(edges) for task, edges in self._in.items()},
            _out={task: edges and list(edges) for task, edges in self._out.items()},
            _mapped_constants={task: dict(values) for task, values in self._mapped_constants.items()},
            _fed={},
            _parameters=dict(self._parameters),
            _order=self._order.copy(),
            _tokens=[],
            _blocks=[],
        )
        return twin

    # Looking

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in order of definition."""
        return tuple(self._tasks)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, in order of definition of the tasks they go into."""
        return tuple(edge for edges in self._in.values() for edge in edges)

    def edges_to(self, task: Task) -> tuple[Edge, ...]:
        """Return the edges into `task`."""
        return tuple(self._in[self._known(task)])

    def mapped_constants(self, task: Task) -> Mapping[str, object]:
        """Return the sequences written in the flow itself that `task` is mapped over, by input."""
        return self._mapped_constants.get(task, {})

    def edges_from(self, task: Task) -> tuple[Edge, ...]:
        """Return the edges out of `task`."""
        return tuple(self._out[self._known(task)])

    def upstream_tasks(self, task: Task) -> tuple[Task, ...]:
        """Return the tasks directly before `task`, each once."""
        return tuple(dict.fromkeys(edge.upstream_task for edge in self.edges_to(task)))

    def downstream_tasks(self, task: Task) -> tuple[Task, ...]:
        """Return the tasks directly after `task`, each once."""
        return tuple(dict.fromkeys(edge.downstream_task for edge in self.edges_from(task)))

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters."""
        return tuple(self._parameters.values())

    def root_tasks(self) -> tuple[Task, ...]:
        """Return the tasks with nothing upstream."""
        return tuple(task for task, edges in self._in.items() if not edges)

    def terminal_tasks(self) -> tuple[Task, ...]:
        """Return the tasks with nothing downstream."""
        return tuple(task for task, edges in self._out.items() if not edges)

    def reference_tasks(self) -> tuple[Task, ...]:
        """Return the tasks whose states decide the flow's."""
        return self._reference if self._reference is not None else self._default_reference()

    def _default_reference(self) -> tuple[Task, ...]:
        """The terminal tasks, as if tasks that only clean up were not there."""
        judged = [task for task in self._tasks if task.is_reference_by_default]
        if len(judged) == len(self._tasks):
            return self.terminal_tasks()
        return tuple(
            task for task in judged if not any(e.downstream_task.is_reference_by_default for e in self._out[task])
        )

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Let these tasks decide the flow's state; none: the terminal tasks, as by default.

        Raises:
            DefinitionError: if one isn't in the flow.
        """
        given = checks.several(self.name, "reference_tasks", tasks, "Flow")
        self._reference = tuple(self._known(task) for task in given) or None

    def sorted_tasks(self) -> tuple[Task, ...]:
        """Return the tasks so that each comes after its upstream.

        Raises:
            CycleError: naming the tasks of a ring.
        """
        keys = self.keys()
        by_key = {key: task for task, key in keys.items()}
        children = self._children(keys)
        return tuple(by_key[key] for key in sort_keys(children, self._indegree(children)))

    def keys(self) -> dict[Task, str]:
        """Return each task's key: its slug, else its name, then `name-2`, `name-3`; parameters take theirs first."""
        keys: dict[Task, str] = {p: p.name for p in self.parameters()}
        taken = set(keys.values())
        counts: dict[str, int] = {}
        for task in self._tasks:
            if task in keys:
                continue
            wanted = task.slug or task.name
            key = wanted
            while key in taken:
                counts[wanted] = counts.get(wanted, 1) + 1
                key = f"{wanted}-{counts[wanted]}"
            taken.add(key)
            keys[task] = key
        return {task: keys[task] for task in self._tasks} if self._parameters else keys

    def key_of(self, task: Task | str) -> str:
        """Return the key of a task of this flow; a key (also a child's, `clean[3]`) stands for itself.

        Raises:
            UnknownTaskError: if it isn't in the flow; close names are proposed.
        """
        return self.compile().key_of(task)

    def get_tasks(self, name: str | None = None, slug: str | None = None, tags: Iterable[str] = ()) -> list[Task]:
        """Return the tasks with that name, slug and all those tags."""
        wanted = frozenset(tags)
        return [
            task
            for task, key in self.keys().items()
            if (name is None or task.name == name) and (slug is None or key == slug) and wanted <= task.tags
        ]

    def validate(self) -> None:
        """Check that the flow can run. Each task and edge was checked when it was added; this looks at them once more.

        Raises:
            CycleError: if tasks wait on each other.
        """
        self.sorted_tasks()

    def __contains__(self, task: object) -> bool:
        return task in self._tasks

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<Flow: {self.name!r}, {len(self._tasks)} tasks>"

    def _repr_mimebundle_(self, **options: object) -> dict[str, str]:
        from flowbook.draw.picture import LARGEST_SHOWN, picture_of  # noqa: PLC0415  # drawing: only where it is shown

        if len(self._tasks) > LARGEST_SHOWN:
            return {"text/plain": repr(self)}
        try:
            graph = self.compile()
        except DefinitionError:
            return {"text/plain": repr(self)}  # it is still being written
        return {**picture_of(graph, {})._repr_mimebundle_(**options), "text/plain": repr(self)}

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
            filename: where it is written as well, an SVG file.
            format: of the file; "svg" is the only one.
            theme: colours for a light or a dark page; "auto" is light, on a background of its own.

        Raises:
            DefinitionError: if another format is asked for, or `flow_state` has no states of tasks.
            CycleError: if tasks wait on each other.
        """
        from flowbook.core.visualize import visualize  # noqa: PLC0415

        if format not in {None, "svg"}:
            msg = f"Pictures are written as SVG, not as {format!r}. Leave the format out."
            raise DefinitionError(msg, format=format)
        return visualize(self, flow_state, filename, theme)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "last_run": None, "_tokens": [], "_blocks": []}

    def _known(self, task: Task) -> Task:
        if task not in self._tasks:
            msg = f"{task!r} is not in flow {self.name!r}. Its tasks: {', '.join(self.keys().values()) or 'none'}."
            raise UnknownTaskError(msg, key=getattr(task, "name", repr(task)))
        return task

    # Looking back

    def as_of(self, moment: dt.datetime | str) -> AsOf:
        """Return the flow's outputs as they were at a moment: `flow.as_of("2026-11-20 09:00")["clean"]` is a value.

        Args:
            moment: an aware datetime; a naive one and ISO text without a zone are local time.

        Raises:
            DefinitionError: if it is no moment.
        """
        from flowbook.core.time_travel import AsOf  # noqa: PLC0415  # the store: longer to load than all the rest

        return AsOf(self, moment)

    def history(self, task: Task | str) -> pd.DataFrame:
        """Return every successful outcome of a task that is known, oldest first, from recorded runs and from the cache.

        Args:
            task: or its key, also a child's (`clean[3]`).

        Returns:
            Columns `created` (aware UTC), `task`, `state`, `run_id`, `number`, `entry` (id of the cache entry),
            `size_bytes`, `value` (in a few words). Values are not loaded: `flow.as_of(created)[task]` gives one.

        Raises:
            UnknownTaskError: if the task isn't in the flow.
        """
        from flowbook.core.time_travel import history  # noqa: PLC0415  # as above

        return history(self.name, self.key_of(task))

    # Running

    def compile(self) -> Graph:
        """Return the frozen graph that the engine runs.

        Raises:
            CycleError: if tasks wait on each other.
        """
        with collector_paused():
            return self._compile()

    def _compile(self) -> Graph:
        keys = self.keys()
        mapped = {edge.downstream_task for edges in self._in.values() for edge in edges if edge.mapped}
        mapped.update(self._mapped_constants)
        children = self._children(keys)
        by_key = {key: task for task, key in keys.items()}
        specs = {
            key: self._spec(by_key[key], key, keys, mapped) for key in sort_keys(children, self._indegree(children))
        }
        terminal = tuple(key for key, below in children.items() if not below)
        reference = tuple(keys[task] for task in self.reference_tasks())
        return Graph(self.name, specs, children, terminal, reference, self)

    def _children(self, keys: Mapping[Task, str]) -> dict[str, tuple[str, ...]]:
        return {
            keys[task]: (keys[out[0].downstream_task],)
            if len(out) == 1
            else tuple(dict.fromkeys([keys[edge.downstream_task] for edge in out]))
            for task, out in self._out.items()
        }

    @staticmethod
    def _indegree(children: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
        indegree = dict.fromkeys(children, 0)
        for below in children.values():
            for key in below:
                indegree[key] += 1
        return indegree

    def _spec(self, task: Task, key: str, keys: Mapping[Task, str], mapped: set[Task]) -> TaskSpec:
        edges = self._in[task]
        bindings = tuple([Binding(keys[e.upstream_task], e.key, e.mapped, e.flattened, e) for e in edges])
        upstream = (
            tuple(dict.fromkeys([b.upstream for b in bindings])) if len(bindings) != 1 else (bindings[0].upstream,)
        )
        return task.compile_spec(
            key,
            bindings,
            upstream,
            self.constants.get(task),
            self._mapped_constants.get(task),
            is_mapped=task in mapped,
            reads_mapped=bool(mapped) and any(e.upstream_task in mapped and not e.mapped for e in edges),
            flow_result=self.result,
        )

    def run(self, parameters: Mapping[str, object] | None = None, **options: Any) -> State:  # noqa: ANN401
        """Run the flow and wait; return its state, whose `result` maps each task to its state.

        Args:
            parameters: values by name; they may also be given as keywords, `flow.run(origin="JFK")`.
            options: `executor`, `task_states` (task to state), `start_tasks`, `context`, `task_contexts` (task to values
                that only it sees in the context), `state_handlers`, `record`
                (whether the whole run is kept in the store), `max_concurrency` (how many tasks run at once), `limits`
                (the same by tag, e.g. `{"db": 2}`), `raise_on_exception` (for debugging: the first exception of a task
                stops the run and is raised here, traceback and all), and further parameters.

        Raises:
            ParameterError: if a parameter is missing or unknown; nothing has run then.
            StartTaskError: if a start task isn't in the flow, or an input it needs is nowhere.
            CycleError: if tasks wait on each other.
        """
        refuse_inside_block(self)
        self.last_run = start_run(self, parameters, options)
        return self.last_run.run_here()

    __call__ = run

    def start(self, parameters: Mapping[str, object] | None = None, **options: Any) -> FlowRun:  # noqa: ANN401
        """Run the flow in the background; return its FlowRun at once. Arguments and errors as for `run`."""
        refuse_inside_block(self)
        self.last_run = start_run(self, parameters, options)
        return self.last_run.run_behind()

    def own_fields(self, task: object) -> Mapping[str, object]:
        """Return the attributes that a task's author gave it beside its options."""
        from flowbook.core.own_fields import own_fields  # noqa: PLC0415  # only where a run is recorded or compared

        return own_fields(task)

    def handlers(self) -> tuple[Callable[..., object], ...]:
        """Return what is called when the flow's state changes."""
        return policies.handlers(self.state_handlers, self.on_failure)


def _remove(edges: dict[Task, list[Edge] | tuple[()]], task: Task, edge: Edge) -> None:
    edges[task] = [each for each in edges[task] if each is not edge] or ()


def _flat(value: object, argument: str, task: str) -> list[object]:
    try:
        return [item for part in value for item in part]  # type: ignore[attr-defined]  # refused below if it can't
    except TypeError as error:
        msg = f"Input {argument!r} of task {task!r}: flatten needs a list of lists, got {value!r}."
        raise DefinitionError(msg, task=task, argument=argument) from error


def _flow_name(name: str | None) -> str:
    if name is None:
        return "flow"
    if not isinstance(name, str) or not name.strip():
        msg = f"Flow name {name!r} is no name. Give a text, e.g. Flow('delays')."
        raise DefinitionError(msg, name=name)
    return name
