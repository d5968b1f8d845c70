"""The arguments of `flow.run`, checked before anything runs. Touches no disk."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flowbook._context import current_layer
from flowbook._utils.fresh import fresh
from flowbook.engine.limits import Limits
from flowbook.engine.run_inputs import RunInputs
from flowbook.engine.state import Mapped, State
from flowbook.engine.task_context import user_values
from flowbook.engine.task_keys import child_key, parent_key, split_child_key
from flowbook.exceptions import DefinitionError, ParameterError, StartTaskError
from flowbook.executors import Executor, LocalExecutor
from flowbook.flow_run import option_checks
from flowbook.flow_run.run_part import PART_WAYS, EarlierRun, PartWay, RunPart, earlier_run_of, run_part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.engine.graph import Graph, TaskSpec
    from flowbook.flow_run.ports import FlowRunner, RunnableFlow

__all__ = [
    "RUN_OPTIONS",
    "RunRequest",
    "no_child",
    "not_from_cache",
    "pop_options",
    "read_context",
    "read_mapping",
    "read_parameters",
    "read_part",
    "read_request",
    "read_task_contexts",
    "refuse_flow_runner",
    "several_tasks",
    "with_contexts",
    "without_cache",
]

#: The options of `flow.run`; every other argument is a parameter's value.
RUN_OPTIONS = frozenset(
    {
        "context",
        "executor",
        "flow_run_name",
        "flow_runner",
        "limits",
        "max_concurrency",
        "_origin",
        "only",
        "parameters",
        "progress",
        "raise_on_exception",
        "raise_on_failure",
        "record",
        "start_at",
        "start_tasks",
        "state",
        "state_handlers",
        "task_contexts",
        "task_states",
        "up_to",
        "use_cache",
        "based_on",
    }
)
#: Newer options: a flow may have had a parameter of this name before, and keeps it.
_NEWER = frozenset({"based_on", "only", "start_at", "up_to", "use_cache"})
#: Inputs of a run that few callers give.
_RARE_INPUTS = frozenset(
    {
        "context",
        "flow_run_name",
        "limits",
        "max_concurrency",
        "only",
        "start_at",
        "start_tasks",
        "state_handlers",
        "task_contexts",
        "task_states",
        "up_to",
        "use_cache",
    }
)
#: Options of other engines, and what to write in flowbook instead.
_FOREIGN_OPTIONS = {
    "cache_policy": "@task(cache_for=...) on the tasks",
    "flow_run_id": "flow_run_name=",
    "log_prints": "@task(log_stdout=True) on the tasks",
    "max_workers": "max_concurrency=",
    "name": "flow_run_name=",
    "num_workers": "executor=LocalDaskExecutor(num_workers=...)",
    "params": "parameters=",
    "persist_result": "record=True",
    "raise_on_error": "raise_on_failure=True",
    "retries": "@task(max_retries=...) on the tasks",
    "retry_delay_seconds": "@task(retry_delay=...) on the tasks",
    "return_state": "nothing: flow.run() returns the state",
    "run_name": "flow_run_name=",
    "runner": "executor=",
    "scheduler": "executor=LocalDaskExecutor(...)",
    "task_runner": "executor=",
    "timeout_seconds": "@task(timeout=...) on the tasks",
    "wait": "flow.start() to run it in the background",
    "wait_for": "upstream_tasks= where the tasks are called",
}


class RunRequest(NamedTuple):
    """The arguments of `flow.run`, checked.

    Attributes:
        executor: where tasks run: the run's own executor, else the flow's, else the default.
        state: the flow's state before the run; None if the caller passed none.
        record: whether the run is recorded; None: decided as in `recording_default`.
        origin: where it was started, e.g. the notebook's name.
        raises_first: whether the first exception of a task stops the run and is raised.
        raises_failure: whether a Failed run raises RunFailedError once it is over.
        progress: whether a terminal shows progress; None: once the run takes a while.
        flow_runner: starts a process of its own for the run; None: it runs in this one.
    """

    graph: Graph
    inputs: RunInputs
    executor: Executor
    state: State | None = None
    record: bool | None = None
    origin: str = ""
    raises_first: bool = False
    raises_failure: bool = False
    progress: bool | None = None
    flow_runner: FlowRunner | None = None


def refuse_flow_runner(flow: str, options: Mapping[str, object]) -> None:
    """Raise DefinitionError if a flow runner is given to `flow.run` or to the call of a flow."""
    if (given := options.get("flow_runner")) is not None:
        msg = (
            f"Flow {flow!r} was called with flow_runner={given!r}. Whoever calls a flow has full control of where it runs, "
            "which is this process, so a flow runner can't be used. Start it in a process of its own with "
            "flow.start(flow_runner=...), or give the flow runner to a deployment: DeploymentSpec(flow_runner=...)."
        )
        raise DefinitionError(msg, flow=flow)


def read_request(flow: RunnableFlow, parameters: Mapping[str, object] | None, options: dict[str, Any]) -> RunRequest:
    """Return the checked arguments; everything in `options` that isn't in RUN_OPTIONS is a parameter.

    Raises:
        DefinitionError, ParameterError, StartTaskError, CycleError, ExecutorError: as documented at `Flow.run`.
    """
    graph = flow.compile()
    _warn_if_unnamed(flow, graph)
    given = pop_options(flow, options, RUN_OPTIONS)
    read = given.get
    executor = option_checks.executor(read("executor") or flow.executor or LocalExecutor())
    state, progress = _state(read("state")), _progress(read("progress"))
    values = {**read_mapping("parameters", parameters, "{'origin': 'JFK'}"), **options}
    inputs = _inputs(graph, given, read_parameters(flow, values))
    for key in inputs.start:
        _check_start(graph, key, inputs.states)
    return RunRequest(
        graph,
        inputs,
        executor,
        state,
        read("record"),
        read("_origin", ""),
        bool(read("raise_on_exception")),
        bool(read("raise_on_failure")),
        progress,
        option_checks.flow_runner(read("flow_runner")),
    )


def _inputs(graph: Graph, given: Mapping[str, Any], parameters: dict[str, object]) -> RunInputs:
    """Return the run's inputs."""
    context, read = user_values(current_layer()), given.get
    if _RARE_INPUTS.isdisjoint(given):
        return RunInputs(parameters, context, executor=read("executor"))
    part = read_part(graph, given, parameters)
    inputs = RunInputs(
        parameters=parameters,
        states=_by_key(graph, read_mapping("task_states", read("task_states"), "{load: Success(result=1)}")),
        start=tuple(_start_key(graph, task) for task in several_tasks(read("start_tasks"))),
        task_contexts=read_task_contexts(graph, read("task_contexts")),
        context={**context, **read_context(read("context"))},
        handlers=tuple(option_checks.handlers(graph.name, read("state_handlers"), "A run of flow")),
        executor=read("executor"),
        limits=_limits(read("max_concurrency"), read("limits")),
        anew=not_from_cache(graph, given, part),
        name=_name(read("flow_run_name")),
    )
    return inputs if part is None else inputs._replace(states=part.states, start=part.start, only=part.runs)


def pop_options(flow: RunnableFlow, options: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Take the options out of the arguments of a run; the others are parameters."""
    newer = _NEWER.intersection(options)
    named = {p.name for p in flow.parameters()} if newer else set()
    return {name: options.pop(name) for name in known.intersection(options) if name not in newer or name not in named}


def read_part(graph: Graph, given: Mapping[str, Any], parameters: Mapping[str, object]) -> RunPart | None:
    """Return the part of the flow that `start_at=`, `only=` or `up_to=` name; None if they name none.

    Raises:
        DefinitionError: if they don't go together.
        StartTaskError: if the part can't run; says why.
    """
    ways: list[PartWay] = [way for way in PART_WAYS if given.get(way) is not None]
    if not ways:
        return None
    others = [name for name in ("start_tasks", "task_states") if given.get(name)]
    if len(ways) > 1 or others:
        msg = f"{' and '.join([*ways, *others])} don't go together. Give one of start_at=, only= and up_to=."
        raise DefinitionError(msg)
    way = ways[0]
    asked = [_start_key(graph, task) for task in several_tasks(given[way])]
    if not asked:
        msg = f"{way}={given[way]!r} names no task. Give a task, its key, or a list of them."
        raise StartTaskError(msg)
    earlier = given.get("based_on")
    if earlier is not None and not hasattr(earlier, "states"):
        msg = f"based_on={earlier!r} isn't a run. Give one from flow.start(), flow.last_run or flowbook.run(...)."
        raise DefinitionError(msg, based_on=repr(earlier))
    if earlier is None:
        taken = EarlierRun()
    else:
        taken = earlier if isinstance(earlier, EarlierRun) else earlier_run_of(earlier.number, earlier.states)
    return run_part(graph, way, asked, taken, parameters)


def not_from_cache(graph: Graph, given: Mapping[str, Any], part: RunPart | None) -> tuple[str, ...]:
    """Return the tasks that run though an output in the cache would fit."""
    if given.get("use_cache", True) in {True, None}:
        return () if part is None else part.anew
    if given["use_cache"] is not False:
        msg = f"use_cache={given['use_cache']!r} isn't True or False. False: every task runs, and its output is stored."
        raise DefinitionError(msg, use_cache=repr(given["use_cache"]))
    return tuple(key for key, spec in graph.specs.items() if spec.cache is not None)


def _progress(given: object) -> bool | None:
    if given is not None and not isinstance(given, bool):
        msg = f"progress={given!r} isn't True or False. Leave it out to see on a terminal how a run goes that takes a while."
        raise DefinitionError(msg, progress=repr(given))
    return given


def _state(given: object) -> State | None:
    if given is not None and not isinstance(given, State):
        msg = f"state={given!r} isn't a state. Give e.g. state=Pending(), or leave it out."
        raise DefinitionError(msg, state=repr(given))
    return given


def _name(given: object) -> str:
    if given is not None and (not isinstance(given, str) or not given.strip()):
        msg = f"flow_run_name={given!r} isn't a name. Give a text, e.g. flow_run_name='nightly'."
        raise DefinitionError(msg, flow_run_name=repr(given))
    return given or ""


def read_mapping(option: str, given: Any, example: str) -> Mapping[Any, Any]:  # noqa: ANN401  # as it came
    """Return a mapping as a dict, None as an empty one. Raises DefinitionError, naming the option."""
    if given is not None and not isinstance(given, Mapping):
        msg = f"{option}={given!r} isn't a dict. Give e.g. {option}={example}."
        raise DefinitionError(msg, **{option: repr(given)})
    return given or {}


def _limits(total: object, by_tag: object) -> Limits | None:
    if total is None and not by_tag:
        return None
    if total is not None and not _is_count(total):
        msg = f"max_concurrency={total!r} is not a number of tasks. Give 1 or more, or leave it out."
        raise DefinitionError(msg, max_concurrency=repr(total))
    if by_tag is not None and not isinstance(by_tag, Mapping):
        msg = f"limits={by_tag!r} isn't a dict. Give the number of tasks by tag, e.g. limits={{'db': 2}}."
        raise DefinitionError(msg, limits=repr(by_tag))
    for tag, count in (by_tag or {}).items():
        if not isinstance(tag, str) or not tag or not _is_count(count):
            msg = (
                f"limits has {tag!r}: {count!r}. Give a tag and a number of tasks, 1 or more, e.g. limits={{'db': 2}}."
            )
            raise DefinitionError(msg, tag=repr(tag))
    return Limits(cast("int | None", total), dict(by_tag or {}))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def read_context(given: Any) -> Mapping[str, Any]:  # noqa: ANN401  # as it came
    """Return the context's values by name, None as an empty dict. Raises DefinitionError."""
    found = read_mapping("context", given, "{'limit': 5}")
    if strange := [name for name in found if not isinstance(name, str)]:
        msg = f"context has {strange[0]!r}, which isn't a name. Give names as text, e.g. context={{'limit': 5}}."
        raise DefinitionError(msg, name=repr(strange[0]))
    return found


def read_parameters(flow: RunnableFlow, given: Mapping[str, object]) -> dict[str, object]:
    """Return the value of every parameter. Raises ParameterError if one is missing, unknown or refused."""
    known = {p.name: p for p in flow.parameters()}
    if not known and not given:
        return {}
    unknown = [name for name in given if name not in known]
    if unknown:
        names = ", ".join(map(repr, unknown))
        ours = "".join(f" For {name}= write {_FOREIGN_OPTIONS[name]}." for name in unknown if name in _FOREIGN_OPTIONS)
        msg = f"Flow {flow.name!r} has no parameter {names}. Its parameters: {', '.join(known) or 'none'}.{ours}"
        raise ParameterError(msg, names=unknown)
    missing = [name for name, p in known.items() if p.required and name not in given]
    if missing:
        first = missing[0]
        names = ", ".join(map(repr, missing))
        msg = (
            f"Flow {flow.name!r} needs a value for {names}. Give it: flow.run({first}=...), or a default in Parameter."
        )
        raise ParameterError(msg, names=missing)
    for name, value in given.items():
        known[name].accept(value)
    return {name: given[name] if name in given else fresh(p.default) for name, p in known.items()}


def _by_key(graph: Graph, task_states: Mapping[object, State]) -> dict[str, State]:
    states: dict[str, State] = {}
    for task, state in task_states.items():
        if not isinstance(state, State):
            msg = f"task_states holds {state!r} for {task!r}, which is not a state. Give e.g. Success(result=...)."
            raise DefinitionError(msg, task=repr(task))
        key = graph.key_of(task)
        states[key] = state
        if isinstance(state, Mapped):
            states.update({child_key(key, index): child for index, child in enumerate(state.map_states)})
    return states


def read_task_contexts(graph: Graph, contexts: Any) -> dict[str, dict[str, object]]:  # noqa: ANN401  # as it came
    """Return the contexts of single tasks, by key.

    Raises:
        DefinitionError: if one isn't a dict, or is for a child of a mapped task.
    """
    found = {}
    for task, values in read_mapping("task_contexts", contexts, "{load: {'limit': 5}}").items():
        key = graph.key_of(task)
        if key not in graph.specs:
            msg = f"task_contexts has {key!r}, one child of a mapped task. Give the mapped task: its children share a context."
            raise DefinitionError(msg, key=key)
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            msg = f"task_contexts has {values!r} for {key!r}, which isn't a dict by name. Give e.g. {{'limit': 5}}."
            raise DefinitionError(msg, key=key)
        found[key] = dict(values)
    return found


def without_cache(graph: Graph, keys: Iterable[str]) -> Graph:
    """Return the graph in which these tasks run though an output in the cache would fit."""
    found = [graph.specs[key] for key in keys if key in graph.specs and graph.specs[key].cache is not None]
    own = {
        spec.key: spec._replace(cache=spec.cache._replace(is_read=False)) for spec in found if spec.cache is not None
    }
    return replace(graph, specs={**graph.specs, **own}, _facts=[graph.facts]) if own else graph


def with_contexts(graph: Graph, contexts: Mapping[str, Mapping[str, object]]) -> Graph:
    """Return the graph with these contexts of single tasks, by key; unknown keys are ignored."""
    if not contexts:
        return graph
    own = {key: graph.specs[key]._replace(context=values) for key, values in contexts.items() if key in graph.specs}
    return replace(graph, specs={**graph.specs, **own}, _facts=[graph.facts])


def several_tasks(tasks: object) -> Iterable[object]:
    """Return `start_tasks` as it was given, one task or several, as several."""
    if tasks is None:
        return ()
    return (tasks,) if isinstance(tasks, str) or not hasattr(type(tasks), "__iter__") or _is_task(tasks) else tasks  # type: ignore[return-value]


def _is_task(value: object) -> bool:
    return hasattr(value, "run") and hasattr(value, "set_upstream")


def _start_key(graph: Graph, task: object) -> str:
    try:
        return graph.key_of(task)
    except DefinitionError as error:
        msg = f"Can't start at {getattr(task, 'name', task)!r}. {error}"
        raise StartTaskError(msg, key=getattr(task, "name", task)) from error


def no_child(key: str, parent: State | None) -> StartTaskError:
    """Return the error that says why there is no child `key` of the mapped task that is in state `parent`."""
    name = parent_key(key)
    if isinstance(parent, Mapped):
        count = parent.n_map_states
        msg = f"There is no {key!r}: {name!r} was mapped over {count}, and children count from 0. Name one below {name}[{count}]."
    elif parent is not None and parent.is_finished():
        msg = f"There is no {key!r}: {name!r} has no children, it is {type(parent).__name__}. Name {name!r} itself."
    else:
        msg = f"{key!r} has not been split off yet. Ask again when {name!r} is Mapped."
    return StartTaskError(msg, key=key)


def _check_start(graph: Graph, key: str, states: Mapping[str, State]) -> None:
    spec: TaskSpec | None = graph.specs.get(key)
    if spec is None:
        parent, index = split_child_key(key)
        whole = states.get(parent)
        if isinstance(whole, Mapped) and index >= whole.n_map_states:
            raise no_child(key, whole)
        return
    given = states.get(key)
    kept = given.cached_inputs if given is not None else {}
    for binding in spec.bindings:
        if binding.argument is None or binding.argument in kept:
            continue
        upstream = states.get(binding.upstream)
        if upstream is None or not upstream.is_finished():
            msg = (
                f"Can't start at {key!r}: its input {binding.argument!r} is nowhere. Give the state of "
                f"{binding.upstream!r} in task_states, or one of {key!r} with cached_inputs."
            )
            raise StartTaskError(msg, key=key, argument=binding.argument)


def _warn_if_unnamed(flow: RunnableFlow, graph: Graph) -> None:
    """Warn if a flow without a name caches outputs."""
    if graph.facts.caches and not flow.is_named:
        warnings.warn(
            "This flow caches outputs and has no name, so it shares them with other flows without one. "
            "Give it a name: Flow('...').",
            stacklevel=4,
        )
