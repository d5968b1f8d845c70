"""Inputs that the caller of `resume` adds to a run: read, checked, and merged with the run's original inputs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowbook._context import context
from flowbook.engine.masks import secret_variable
from flowbook.engine.state import Success
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import DefinitionError, MissingSecretError, ParameterError, RunIncompleteError
from flowbook.flow_run import option_checks
from flowbook.flow_run.run_request import read_context, read_mapping, read_task_contexts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flowbook.engine.graph import Graph
    from flowbook.engine.run_inputs import MissingInput, RunInputs
    from flowbook.engine.state import State
    from flowbook.flow_run.run_description import RunDescription, RunLabel

__all__ = [
    "NewInputs",
    "merge_inputs",
    "read_new_inputs",
    "refuse_incomplete",
    "refuse_late",
    "warn_of_executor",
    "with_parameters",
]


@dataclass(frozen=True, slots=True)
class NewInputs:
    """Inputs passed to `resume`; false if there are none. `handlers` is None if the caller passed none."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    context: Mapping[str, object] = field(default_factory=dict)
    task_contexts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    handlers: tuple[Callable[..., object], ...] | None = None

    def __bool__(self) -> bool:
        return bool(self.parameters or self.context or self.task_contexts or self.handlers is not None)

    @property
    def options(self) -> list[str]:
        """The names of the arguments that were passed."""
        values = {
            "parameters": self.parameters,
            "context": self.context,
            "task_contexts": self.task_contexts,
            "state_handlers": self.handlers is not None,
        }
        return [f"{option}=" for option, value in values.items() if value]

    def has(self, missing: MissingInput) -> bool:
        """Return whether these inputs, or the caller's own context, replace an input that isn't stored."""
        if missing.option == "parameters":
            return missing.name in self.parameters
        if missing.option == "state_handlers":
            return self.handlers is not None
        if missing.task:
            return missing.name in self.task_contexts.get(missing.task, ())
        return missing.name in self.context or missing.name in context


def read_new_inputs(
    graph: Graph, parameters: object, context: object, task_contexts: object, state_handlers: object
) -> NewInputs:
    """Return the arguments of `resume`, checked.

    Raises:
        DefinitionError, ParameterError, UnknownTaskError: if one of them is invalid.
    """
    values = read_mapping("parameters", parameters, "{'origin': 'JFK'}")
    known = [key for key, spec in graph.specs.items() if spec.is_parameter]
    if unknown := [name for name in values if name not in known]:
        names = ", ".join(map(repr, unknown))
        msg = f"Flow {graph.name!r} has no parameter {names}. Its parameters: {', '.join(known) or 'none'}."
        raise ParameterError(msg, names=unknown)
    handlers = (
        None if state_handlers is None else tuple(option_checks.handlers(graph.name, state_handlers, "A run of flow"))
    )
    return NewInputs(values, read_context(context), read_task_contexts(graph, task_contexts), handlers)


def merge_inputs(inputs: RunInputs, new: NewInputs, run: RunLabel) -> RunInputs:
    """Return the inputs that the run resumes with; they name those that are still missing.

    Args:
        inputs: the run's original inputs.
        new: inputs from `resume`; they override the original ones.
        run: named in errors.

    Raises:
        ParameterError: if `new` sets a parameter that the run already has.
    """
    if twice := [name for name in new.parameters if name in inputs.parameters]:
        msg = (
            f"{run.title} began with {twice[0]}={inputs.parameters[twice[0]]!r} and goes on with that. "
            "For another value begin a run: flow.run(...)."
        )
        raise ParameterError(msg, names=twice)
    task_contexts = {
        key: {**inputs.task_contexts.get(key, {}), **new.task_contexts.get(key, {})}
        for key in (*inputs.task_contexts, *new.task_contexts)
    }
    return inputs._replace(
        parameters={**inputs.parameters, **new.parameters},
        context={**inputs.context, **new.context},
        task_contexts=task_contexts,
        handlers=inputs.handlers if new.handlers is None else new.handlers,
        missing=tuple(each for each in inputs.missing if not new.has(each)),
    )


def refuse_late(run: RunLabel, new: NewInputs, where: str) -> None:
    """Raise DefinitionError if inputs were passed for a run that is running already."""
    if new:
        msg = (
            f"{run.title} goes on {where}, with what it was given before. Leave out {' and '.join(new.options)}, "
            "or cancel it first."
        )
        raise DefinitionError(msg, run=run.run_id)


def refuse_incomplete(inputs: RunInputs, run: RunLabel) -> None:
    """Raise an error if an input that tasks may need is missing.

    Raises:
        MissingSecretError: if the run's context had a secret that neither this context nor the environment has.
        RunIncompleteError: if any other input couldn't be stored.
    """
    for name in inputs.secrets:
        if not _is_at_hand(name, inputs):
            raise _missing_secret(name, run)
    missing = [each for each in inputs.missing if each.option != "executor"]
    if missing:
        listed = "; ".join(f"{_phrase(each)} ({each.why})" for each in missing)
        msg = (
            f"{run.title} can't resume here without inputs that couldn't be stored: {listed}. "
            f"Pass them again, run.resume({_arguments(missing)}), "
            "or resume without them: force=True (on the command line: --force)."
        )
        raise RunIncompleteError(msg, missing=tuple(each.name for each in missing))


def warn_of_executor(run: RunDescription) -> None:
    """Warn that a run resumes with a different executor, because its own couldn't be stored or loaded."""
    msg = (
        f"The executor of {run.label} wasn't stored, so it resumes with {run.executor.describe()}. "
        f"For another one: flowbook.run({run.label.run_id!r}, executor=...)."
    )
    warnings.warn(msg, stacklevel=6)


def _is_at_hand(name: str, inputs: RunInputs) -> bool:
    known = [context.get("secrets"), inputs.context.get("secrets")]
    known += [own.get("secrets") for own in inputs.task_contexts.values()]
    if any(isinstance(each, Mapping) and name in each for each in known):
        return True
    return bool(name.strip()) and secret_variable(name) in os.environ


def _missing_secret(name: str, run: RunLabel) -> MissingSecretError:
    variable = secret_variable(name) if name.strip() else ""
    msg = (
        f"{run.title} had a secret {name!r} in its context, and secrets are not stored. Set the environment variable {variable}, "
        f"or give it again, run.resume(context={{'secrets': {{{name!r}: ...}}}})"
        ", or go on without it: force=True (on the command line: --force)."
    )
    return MissingSecretError(msg, name=name, variable=variable)


def _phrase(missing: MissingInput) -> str:
    match missing.option:
        case "parameters":
            return f"parameter {missing.name!r}"
        case "state_handlers":
            return f"state handler {missing.name}"
    return f"{missing.name!r} of the context" + (f" of task {missing.task!r}" if missing.task else "")


def _arguments(missing: Iterable[MissingInput]) -> str:
    """Return the arguments that would supply the missing inputs, as code."""
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
    """Return the states with new parameter values passed to the tasks that read them."""
    found = dict(states)
    for name, value in parameters.items():
        found[name] = Success(result=value)
    for spec in graph.specs.values():
        stale = {bound.argument for bound in spec.bindings if bound.upstream in parameters}
        if stale:
            _forget_inputs(found, spec.key, stale)
    return found


def _forget_inputs(states: dict[str, State], task: str, stale: set[str | None]) -> None:
    """Drop these inputs from the states of a task and its children, which then read them from upstream."""
    for key, state in states.items():
        if state.cached_inputs and parent_key(key) == task:
            states[key] = changed = state.copy()
            changed.cached_inputs = {name: each for name, each in state.cached_inputs.items() if name not in stale}
