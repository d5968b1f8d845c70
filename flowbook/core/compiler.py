"""Compile a flow's tasks and edges into the frozen graph that the engine runs. Linear in tasks and edges."""
# ruff: noqa: SLF001  # it reads what tasks keep for the compiler

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from flowbook._utils.gc_pause import gc_paused
from flowbook.core import policies
from flowbook.core.changes import CHANGES, HandlerList
from flowbook.core.task_spec import SpecMaker
from flowbook.engine.graph import Binding, Graph, GraphFacts, sort_keys
from flowbook.exceptions import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from flowbook.core.cache_policy import FlowCache
    from flowbook.core.task import Task
    from flowbook.core.task_graph import TaskGraph
    from flowbook.engine.graph import TaskSpec
    from flowbook.results.files import Result

_new = tuple.__new__

__all__ = ["Compiled", "check_inputs", "compile_graph", "compiled", "sorted_tasks"]


class _Owner(Protocol):
    """The flow, as far as it decides how it is compiled."""

    result: Result | None
    cache: FlowCache
    state_handlers: list[Callable[..., object]]
    on_failure: Callable[..., object] | None
    terminal_state_handler: Callable[..., object] | None


class _Special(NamedTuple):
    """The tasks of a flow that are mapped, and those that only gather; most flows have neither."""

    mapped: set[Task]
    gatherers: set[Task]


def compile_graph(graph: TaskGraph, reference: Iterable[Task], flow: _Owner) -> Graph:
    """Return the frozen graph.

    Args:
        graph: what is compiled.
        reference: tasks whose states decide the flow's.
        flow: says where outputs are written, whether they are cached, and what is called when its state changes.

    Raises:
        ArgumentError: if a task has no value for an input that it needs.
    """
    with gc_paused():
        return _compile(graph, reference, flow)


def _compile(graph: TaskGraph, reference: Iterable[Task], flow: _Owner) -> Graph:
    keys = graph.keys()
    special = _Special(_mapped_tasks(graph), {task for task in graph.tasks if task._gathers})
    children = _children(graph, keys)
    indegree = _indegree(children)
    by_key = {key: task for task, key in keys.items()}
    maker = SpecMaker(flow.result, caches=flow.cache)
    specs = {key: _spec(graph, by_key[key], keys, special, maker) for key in sort_keys(children, indegree)}
    facts = GraphFacts(
        indegree,
        tuple([key for key, count in indegree.items() if not count]),
        tuple([keys[task] for task in graph.tasks if task in special.gatherers]) if special.gatherers else (),
        has_cleanups=maker.has_cleanups,
        caches=maker.has_caches,
    )
    return Graph(
        graph.flow_name,
        specs,
        children,
        tuple([key for key, below in children.items() if not below]),
        tuple([keys[task] for task in reference]),
        flow,
        policies.handlers(flow.state_handlers, flow.on_failure),
        flow.terminal_state_handler,
        _facts=[facts],
    )


def _mapped_tasks(graph: TaskGraph) -> set[Task]:
    mapped = {edge.downstream_task for edges in graph.incoming.values() if edges for edge in edges if edge.mapped}
    mapped.update(graph.mapped_constants)
    return mapped


def sorted_tasks(graph: TaskGraph, roots: Iterable[Task] | None = None) -> tuple[Task, ...]:
    """Return the tasks so that each comes after its upstream; ties in order of definition.

    Args:
        graph: whose tasks these are.
        roots: only these and the tasks downstream of them; default: all.
    """
    keys = graph.keys()
    by_key = {key: task for task, key in keys.items()}
    children = _children(graph, keys)
    found = tuple(by_key[key] for key in sort_keys(children, _indegree(children)))
    if roots is None:
        return found
    wanted = graph.downstream(roots)
    return tuple(task for task in found if task in wanted)


class Compiled(NamedTuple):
    """A flow's graph, with what it was compiled from.

    Attributes:
        graph: the graph, which holds the handlers that are named by identity here.
        tasks: by task how often its attributes have changed, with its handlers: those may change in place.
        version: of the flow's tasks and edges.
        runs: the `run` of each class of tasks.
        settings: the flow's; handlers and results by identity, as they may be equal or have no truth value.
        result: the flow's; held so that its identity is nobody else's.
        changes: the count of changes when `tasks` was last looked at; None: looking is needed every time.
    """

    graph: Graph
    tasks: Sequence[object]
    version: int
    runs: Mapping[type[Task], object]
    settings: tuple[object, ...]
    result: Result | None
    changes: int | None


def compiled(
    graph: TaskGraph, flow: _Owner, before: Compiled | None, reference: Callable[[], Iterable[Task]]
) -> Compiled:
    """Return the compiled flow: `before` if nothing has changed since, else compiled anew. Raises as `compile_graph`.

    Args:
        graph: the flow's tasks and edges.
        flow: its options.
        before: what this returned last.
        reference: returns the tasks whose states decide the flow's.
    """
    changes: int | None = CHANGES.count
    is_same = before is not None and before.version == graph.version and before.settings == _settings(flow)
    if is_same and before is not None:
        is_same = before.runs == {kind: kind.run for kind in before.runs}
        if is_same and before.changes == changes:
            return before
    tasks = [(t._version, *map(id, t.state_handlers)) if t.state_handlers else t._version for t in graph.tasks]
    if any(type(t.state_handlers) is not HandlerList for t in graph.tasks):  # a task that an older flowbook stored
        changes = None
    if is_same and before is not None and before.tasks == tasks:
        return before._replace(changes=changes)
    runs = {kind: kind.run for kind in cast("set[type[Task]]", set(map(type, graph.tasks)))}
    settings, version = _settings(flow), graph.version
    made = compile_graph(graph, reference(), flow)
    return Compiled(made, tasks, version, runs, settings, flow.result, changes)


def _settings(flow: _Owner) -> tuple[object, ...]:
    return flow.cache, *map(id, (flow.result, flow.on_failure, flow.terminal_state_handler, *flow.state_handlers))


def _children(graph: TaskGraph, keys: Mapping[Task, str]) -> dict[str, tuple[str, ...]]:
    return {
        keys[task]: ()
        if not out
        else (keys[out[0].downstream_task],)
        if len(out) == 1
        else tuple(dict.fromkeys([keys[edge.downstream_task] for edge in out]))
        for task, out in graph.outgoing.items()
    }


def _indegree(children: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    indegree = dict.fromkeys(children, 0)
    for below in children.values():
        for key in below:
            indegree[key] += 1
    return indegree


def check_inputs(graph: TaskGraph) -> None:
    """Check that each task has the inputs that its `run` needs. Raises ArgumentError."""
    for task in graph.tasks:
        _check_inputs(graph, task)


def _check_inputs(graph: TaskGraph, task: Task) -> None:
    bound = {edge.key for edge in graph.incoming[task]}
    bound.update(graph.constants.get(task, ()), graph.mapped_constants.get(task, ()))
    missing = [name for name in task._signature.required_names() if name not in bound]
    if missing:
        names = ", ".join(map(repr, missing))
        msg = (
            f"Task {task.name!r} of flow {graph.flow_name!r} has no value for {names}. Call it in the flow with its inputs, "
            f"or bind them: flow.set_dependencies({task.name}, keyword_tasks={{{missing[0]!r}: ...}})."
        )
        raise ArgumentError(msg, task=task.name, missing=missing)


def _spec(graph: TaskGraph, task: Task, keys: Mapping[Task, str], special: _Special, maker: SpecMaker) -> TaskSpec:
    edges = graph.incoming[task]
    required = task._signature.required
    bindings: tuple[Binding, ...]
    # As `Binding(...)`, at half its cost: there is one for each edge.
    if len(edges) == 1:
        edge = edges[0]
        is_fed = not required or (len(required) == 1 and edge.key in required)
        bindings = (_new(Binding, (keys[edge.upstream_task], edge.key, edge.mapped, edge.flattened, edge)),)
    else:
        is_fed = not required or required.issubset([edge.key for edge in edges])
        bindings = tuple([_new(Binding, (keys[e.upstream_task], e.key, e.mapped, e.flattened, e)) for e in edges])
    if not is_fed:
        _check_inputs(graph, task)
    constants = graph.constants.get(task) if graph.constants else None
    conditions = () if task.skip_on_upstream_skip else tuple(keys[e.upstream_task] for e in edges if e._decides)
    mapped, gatherers = special
    if not mapped and not gatherers:
        return maker.spec(task, keys[task], bindings, constants=constants, conditions=conditions)
    return maker.spec(
        task,
        keys[task],
        bindings,
        constants=constants,
        mapped_constants=graph.mapped_constants.get(task),
        is_mapped=task in mapped,
        reads_mapped=any(e.upstream_task in mapped and not e.mapped for e in edges),
        reads_gathered=any(e.upstream_task in gatherers for e in edges),
        conditions=conditions,
    )
