"""What a run is given: when it begins, and again by whoever goes on with it, which wins.

Touches no store: how it is kept is in `kept`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook._context import context, current_layer
from flowbook.engine.masks import secret_variable
from flowbook.engine.state import Success
from flowbook.engine.task_context import user_values
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import MissingSecretError, ParameterError, RunIncompleteError
from flowbook.flow_run import option_checks
from flowbook.flow_run.run_request import context_of, mapping_of, task_contexts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.executors.base import Executor
    from flowbook.flow_run.run_request import RunRequest

__all__ = [
    "MissingInput",
    "NewInputs",
    "RunInputs",
    "first_inputs",
    "merge_inputs",
    "read_new_inputs",
    "refuse_incomplete",
    "with_parameters",
]


_NONE: Mapping[Any, Any] = MappingProxyType({})


class MissingInput(NamedTuple):
    """Something that a run was given and that is not kept.

    Attributes:
        option: of `flow.run`: "parameters", "context", "task_contexts", "state_handlers" or "executor".
        name: of the parameter, of the value in the context, or of the handler.
        why: in words.
        task: whose context it is; empty: of all.
    """

    option: str
    name: str
    why: str
    task: str = ""


class RunInputs(NamedTuple):
    """What a run was given.

    Attributes:
        parameters: all of them, by name.
        context: what its tasks see besides what every run has: what it was given over what surrounded it.
        task_contexts: by task.
        executor: the one of this run; None where the flow's, or the default, served.
        states: of tasks, by key.
        start: keys of the tasks at which it started; empty: at the top.
        missing: what was given at first and could not be had since.
        secrets: the names of those that were in the context at first.
    """

    parameters: Mapping[str, object]
    context: Mapping[str, object] = _NONE
    task_contexts: Mapping[str, Mapping[str, object]] = _NONE
    handlers: tuple[Callable[..., object], ...] = ()
    executor: Executor | None = None
    states: Mapping[str, State] = _NONE
    start: tuple[str, ...] = ()
    missing: tuple[MissingInput, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewInputs:
    """What somebody gives who goes on with a run; false if that is nothing. `handlers` are None where none are given."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    context: Mapping[str, object] = field(default_factory=dict)
    task_contexts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    handlers: tuple[Callable[..., object], ...] | None = None

    def __bool__(self) -> bool:
        return bool(self.parameters or self.context or self.task_contexts or self.handlers is not None)

    @property
    def options(self) -> list[str]:
        """What was given, as arguments."""
        given = {
            "parameters": self.parameters,
            "context": self.context,
            "task_contexts": self.task_contexts,
            "state_handlers": self.handlers is not None,
        }
        return [f"{option}=" for option, value in given.items() if value]

    def has(self, missing: MissingInput) -> bool:
        """Return whether this, or what surrounds whoever goes on, makes up for something that was not kept."""
        if missing.option == "parameters":
            return missing.name in self.parameters
        if missing.option == "state_handlers":
            return self.handlers is not None
        if missing.task:
            return missing.name in self.task_contexts.get(missing.task, ())
        return missing.name in self.context or missing.name in context


def first_inputs(asked: RunRequest) -> RunInputs:
    """Return what a run that begins here is given: its context is what surrounds it, under what was asked for."""
    surrounding = user_values(current_layer())
    return RunInputs(
        parameters=asked.parameters,
        context={**surrounding, **asked.context} if surrounding else asked.context,
        task_contexts=asked.task_contexts,
        handlers=asked.handlers,
        executor=asked.executor if asked.has_executor else None,
        states=asked.states,
        start=asked.start,
    )


def read_new_inputs(
    graph: Graph, parameters: object, context: object, task_contexts: object, state_handlers: object
) -> NewInputs:
    """Return what is given again, checked.

    Raises:
        DefinitionError, ParameterError, UnknownTaskError: if it is not what it should be.
    """
    values = mapping_of("parameters", parameters, "{'origin': 'JFK'}")
    known = [key for key, spec in graph.specs.items() if spec.is_parameter]
    if unknown := [name for name in values if name not in known]:
        names = ", ".join(map(repr, unknown))
        msg = f"Flow {graph.name!r} has no parameter {names}. Its parameters: {', '.join(known) or 'none'}."
        raise ParameterError(msg, names=unknown)
    handlers = (
        None if state_handlers is None else tuple(option_checks.handlers(graph.name, state_handlers, "A run of flow"))
    )
    return NewInputs(values, context_of(context), task_contexts_of(graph, task_contexts), handlers)


def merge_inputs(given: RunInputs, again: NewInputs, run: str) -> RunInputs:
    """Return what the run goes on with, and what is still missing.

    Args:
        given: as it was kept.
        again: what is given now.
        run: what people call the run.

    Raises:
        ParameterError: if a parameter that the run has is given again.
    """
    if twice := [name for name in again.parameters if name in given.parameters]:
        msg = (
            f"{run} began with {twice[0]}={given.parameters[twice[0]]!r} and goes on with that. "
            "For another value begin a run: flow.run(...)."
        )
        raise ParameterError(msg, names=twice)
    own = {
        key: {**given.task_contexts.get(key, {}), **again.task_contexts.get(key, {})}
        for key in (*given.task_contexts, *again.task_contexts)
    }
    return given._replace(
        parameters={**given.parameters, **again.parameters},
        context={**given.context, **again.context},
        task_contexts=own,
        handlers=given.handlers if again.handlers is None else again.handlers,
        missing=tuple(each for each in given.missing if not again.has(each)),
    )


def refuse_incomplete(given: RunInputs, run: str) -> None:
    """See that nothing is missing that tasks may need.

    Raises:
        MissingSecretError: if a secret that the run's context had is nowhere here.
        RunIncompleteError: if anything else could not be kept.
    """
    for name in given.secrets:
        if not _is_at_hand(name, given):
            _refuse_without_secret(name, run)
    missing = [each for each in given.missing if each.option != "executor"]
    if missing:
        listed = "; ".join(f"{_called(each)} ({each.why})" for each in missing)
        msg = (
            f"{run} can't go on here without what could not be kept: {listed}. "
            f"Give it again, run.resume({_how(missing)}), or go on without it: force=True (on the command line: --force)."
        )
        raise RunIncompleteError(msg, missing=tuple(each.name for each in missing))


def _is_at_hand(name: str, given: RunInputs) -> bool:
    held = [context.get("secrets"), given.context.get("secrets")]
    held += [own.get("secrets") for own in given.task_contexts.values()]
    if any(isinstance(each, Mapping) and name in each for each in held):
        return True
    return bool(name.strip()) and secret_variable(name) in os.environ


def _refuse_without_secret(name: str, run: str) -> None:
    variable = secret_variable(name) if name.strip() else ""
    msg = (
        f"{run} had a secret {name!r} in its context, and secrets are not stored. Set the environment variable {variable}, "
        f"or give it again, run.resume(context={{'secrets': {{{name!r}: ...}}}})"
        ", or go on without it: force=True (on the command line: --force)."
    )
    raise MissingSecretError(msg, name=name, variable=variable)


def _called(missing: MissingInput) -> str:
    match missing.option:
        case "parameters":
            return f"parameter {missing.name!r}"
        case "state_handlers":
            return f"state handler {missing.name}"
    return f"{missing.name!r} of the context" + (f" of task {missing.task!r}" if missing.task else "")


def _how(missing: Iterable[MissingInput]) -> str:
    """Return how the arguments that make up for it are written."""
    named: dict[str, dict[str, list[str]]] = {}
    for each in missing:
        option = "task_contexts" if each.task else each.option
        named.setdefault(option, {}).setdefault(each.task, []).append(f"{each.name!r}: ...")
    written = []
    for option, by_task in named.items():
        if option == "state_handlers":
            written.append("state_handlers=[...]")
        elif option == "task_contexts":
            own = ", ".join(f"{task!r}: {{{', '.join(names)}}}" for task, names in by_task.items())
            written.append(f"task_contexts={{{own}}}")
        else:
            written.append(f"{option}={{{', '.join(by_task[''])}}}")
    return ", ".join(written)


def with_parameters(states: Mapping[str, State], graph: Graph, parameters: Mapping[str, object]) -> dict[str, State]:
    """Return the states of a run that was given these parameters again: what reads them gets them."""
    found = dict(states)
    for name, value in parameters.items():
        found[name] = Success(result=value)
    for spec in graph.specs.values():
        stale = {bound.argument for bound in spec.bindings if bound.upstream in parameters}
        if stale:
            _forget_inputs(found, spec.key, stale)
    return found


def _forget_inputs(states: dict[str, State], task: str, stale: set[str | None]) -> None:
    """Let a task, and its children, take these inputs from upstream: what was kept of them is that they can't be."""
    for key, state in states.items():
        if state.cached_inputs and parent_key(key) == task:
            states[key] = changed = state.copy()
            changed.cached_inputs = {name: each for name, each in state.cached_inputs.items() if name not in stale}
