"""Check the options of tasks and flows. Each check returns the option as it is stored, or refuses it. Pure."""

from __future__ import annotations

import datetime as dt
import inspect
import math
import typing
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any

from flowbook.engine import steps, triggers
from flowbook.exceptions import ArgumentError, DefinitionError, RunError
from flowbook.flow_run.option_checks import executor, handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from flowbook.notices.receiver import Receiver
    from flowbook.results.files import Result

__all__ = [
    "cache_key",
    "duration",
    "elements",
    "executor",
    "flow_function",
    "function",
    "handlers",
    "has_fields",
    "name",
    "nout",
    "nout_of",
    "receivers",
    "resources",
    "result",
    "run_name",
    "same_length",
    "several",
    "slug",
    "tags",
    "target",
    "task_args",
    "texts",
    "timeout",
    "trigger",
    "type_hints",
    "unknown_options",
]

_LONGEST_TEXT = 60
_LONGEST_S = 1e11
#: What other engines call an option of a task or flow, and what to write here.
_ELSEWHERE: Mapping[str, str] = {
    "cache_expiration": "cache_for=",
    "cache_key_fn": "cache_validator=",
    "cache_policy": "cache_for= and cache_validator=",
    "cache_result_in_memory": "keep=",
    "depends_on": "upstream_tasks= when you call it",
    "description": "a docstring",
    "execution_timeout": "timeout=",
    "flow_run_name": "flow.run(flow_run_name=...)",
    "log_prints": "log_stdout=",
    "on_completion": "state_handlers=",
    "on_running": "state_handlers=",
    "on_success": "state_handlers=",
    "persist_result": "target=, result= or checkpoint=",
    "result_serializer": "result=",
    "result_storage": "result=",
    "retries": "max_retries=",
    "retry_condition_fn": "retry_on=",
    "retry_delay_seconds": "retry_delay=",
    "retry_exponential_backoff": "retry_delay=",
    "task_id": "name=",
    "task_runner": "executor=",
    "timeout_seconds": "timeout=",
    "trigger_rule": "trigger=",
}
#: The longest value of an option that a message repeats.
_OPTION_CHARS = 40
#: Begins a tag that says what a worker of a Dask cluster must have.
_RESOURCE = "dask-resource:"


def unknown_options(
    owner: str,
    options: Mapping[str, object],
    known: Callable[..., object],
    of: str = "Task",
    of_task: Collection[str] = (),
) -> None:
    """Refuse options that nothing takes; those of other engines with ours.

    Args:
        owner: name of the task or flow.
        options: those left over.
        known: takes the options that there are.
        of: what the owner is.
        of_task: the options that a task takes and this owner doesn't.
    """
    for option, value in options.items():
        ours = _ELSEWHERE.get(option, option).rstrip("=")
        if ours in of_task:
            hint = f"Give it to the task: @task({_written(ours, value)})."
        elif option in _ELSEWHERE:
            hint = f"Here it is {_ELSEWHERE[option]}." if _ELSEWHERE[option] != "a docstring" else "Write a docstring."
        else:
            names = [
                name
                for name in inspect.signature(known).parameters
                if name not in {"self", "fn", "resource_class", "unknown", "options"}
            ]
            import difflib  # noqa: PLC0415  # only where something is wrong

            close = difflib.get_close_matches(option, names, n=1)
            hint = f"Did you mean {close[0]}=?" if close else f"Its options: {', '.join(names)}."
        msg = f"{of} {owner!r} has no option {option!r}. {hint}"
        raise ArgumentError(msg, owner=owner, option=option)


def _written(option: str, value: object) -> str:
    """Return an option as one writes it; a retry needs its delay."""
    text = repr(value) if isinstance(value, (int, float, str)) and len(repr(value)) <= _OPTION_CHARS else "..."
    return f"{option}={text}, retry_delay=..." if option == "max_retries" else f"{option}={text}"


def receivers(flow: str, value: object) -> tuple[Receiver, ...]:
    """Return who is told of a flow's runs."""
    if value is None:
        return ()
    from flowbook.notices.receiver import read_receivers  # noqa: PLC0415  # the store: only where somebody is told

    return read_receivers(f"Flow {flow!r}", value)


def slug(task: str, value: str | None) -> str | None:
    """Return a slug: a text without brackets."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        msg = f"Task {task!r}: slug={value!r} isn't a name. Give a text, e.g. slug='load-2024', or leave it out."
        raise ArgumentError(msg, task=task, slug=value)
    return _without_brackets(f"Task {task!r}: slug={value!r}", value)


def name(value: object) -> str:
    """Return a task's name: a text without brackets."""
    if not isinstance(value, str) or not value.strip():
        msg = f"Task name {value!r} isn't a name. Give a text, e.g. name='load', or leave it out."
        raise ArgumentError(msg, name=value)
    return _without_brackets(f"Task name {value!r}", value)


def _without_brackets(what: str, value: str) -> str:
    if "[" in value or "]" in value:
        msg = f"{what} has brackets, which stand for a mapped task's children. Use e.g. '-' instead."
        raise DefinitionError(msg, name=value)
    return value


def duration(what: str, value: object, example: str) -> dt.timedelta:
    """Return a duration that is given as a timedelta or in seconds.

    Args:
        what: names it in the message, e.g. "Task 'a': timeout".
        value: the duration.
        example: a right one.
    """
    seconds = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if seconds is not None and -_LONGEST_S < seconds < _LONGEST_S:
        return dt.timedelta(seconds=seconds)
    if not isinstance(value, dt.timedelta):
        msg = f"{what}={value!r} isn't a duration. Give seconds or a timedelta, e.g. {example}."
        raise ArgumentError(msg, value=repr(value))
    return value


def cache_key(task: str, value: object) -> str | None:
    """Return the key under which flows share an output."""
    if value is not None and (not isinstance(value, str) or not value):
        msg = (
            f"Task {task!r}: cache_key={value!r} isn't a text. Give one that the flows share, e.g. cache_key='prices'."
        )
        raise ArgumentError(msg, task=task, cache_key=value)
    return value


def trigger(task: str, value: Any) -> Any:  # noqa: ANN401  # unchecked
    """Return a trigger: a function of states, not one that makes triggers."""
    if value in {triggers.some_successful, triggers.some_failed}:
        name = value.__name__
        msg = f"Task {task!r}: trigger={name} doesn't say how many. Call it: trigger={name}(at_least=1)."
        raise DefinitionError(msg, task=task)
    if isinstance(value, str) and value in triggers.__all__:
        msg = f"Task {task!r}: trigger={value!r} can't be called. Write trigger=triggers.{value}."
        raise ArgumentError(msg, task=task)
    return function(task, "trigger", value)


def function(owner: str, what: str, value: Any) -> Any:  # noqa: ANN401  # unchecked
    """Return a function, or None."""
    if value is not None and not callable(value):
        msg = f"Task {owner!r}: {what}={value!r} can't be called. Give a function."
        raise ArgumentError(msg, task=owner)
    return value


def flow_function(flow: str, option: str, value: Any) -> Any:  # noqa: ANN401  # unchecked
    """Return a function of a flow's, or None."""
    if value is not None and not callable(value):
        msg = f"Flow {flow!r}: {option}={value!r} can't be called. Give a function."
        raise DefinitionError(msg, flow=flow)
    return value


def texts(owner: str, option: str, value: Any, of: str = "Task") -> list[str]:  # noqa: ANN401  # unchecked
    """Return several texts."""
    try:
        found = list(value or ())
    except TypeError:
        found = [value]
    for each in found:
        if not isinstance(each, str):
            msg = f"{of} {owner!r}: {option}={value!r} holds {each!r}, which isn't a text. Give e.g. {option}=['db']."
            raise ArgumentError(msg, owner=owner)
    return found


def tags(task: str, value: Iterable[str] | None) -> frozenset[str]:
    """Return labels; those that ask for a resource must be of the form `dask-resource:NAME=N`."""
    if isinstance(value, str):
        msg = f"Task {task!r}: tags={value!r} is one text. Give a list: tags=[{value!r}]."
        raise ArgumentError(msg, task=task, tags=value)
    found = frozenset(texts(task, "tags", value))
    if found:
        resources(task, found)  # refuses what is wrong with them, now and not when it is compiled
    return found


def resources(task: str, value: frozenset[str]) -> tuple[tuple[str, float], ...]:
    """Return what the tags `dask-resource:NAME=N` ask for."""
    return tuple(_resource(task, tag) for tag in sorted(value) if tag.startswith(_RESOURCE))


def _resource(task: str, tag: str) -> tuple[str, float]:
    name, _, written = tag.removeprefix(_RESOURCE).partition("=")
    try:
        count = float(written)
    except ValueError:
        count = 0.0
    if not name.strip() or not 0 < count < math.inf:
        msg = f"Task {task!r}: tag {tag!r} names no resource. Write e.g. {_RESOURCE}GPU=1."
        raise DefinitionError(msg, task=task, tag=tag)
    return name.strip(), count


def several(owner: str, option: str, value: Any, of: str = "Task") -> list[Any]:  # noqa: ANN401  # unchecked
    """Return several tasks."""
    if value is None:
        return []
    if hasattr(type(value), "set_upstream") or isinstance(value, str) or not isinstance(value, Iterable):
        msg = f"{of} {owner!r}: {option}={value!r} is one value. Give a list: {option}=[...]."
        raise ArgumentError(msg, owner=owner)
    return list(value)


def task_args(task: str, value: Any) -> Mapping[str, Any]:  # noqa: ANN401  # unchecked
    """Return the attributes to change in a copy."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value):
        msg = f"Task {task!r}: task_args={value!r} isn't a dict by name. Give e.g. task_args={{'name': 'other'}}."
        raise ArgumentError(msg, task=task)
    return value


def timeout(task: str, value: object) -> dt.timedelta | None:
    """Return a timeout: more than zero."""
    if value is None:
        return None
    found = duration(f"Task {task!r}: timeout", value, "timeout=0.5")
    if found <= dt.timedelta(0):
        msg = f"Task {task!r}: timeout={found.total_seconds():g} s leaves it no time. Give more than zero."
        raise DefinitionError(msg, task=task, timeout=value)
    return found


def nout(task: str, value: object) -> int | None:
    """Return into how many results a task may be unpacked."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        msg = f"Task {task!r}: nout={value!r} isn't a number of results. Give 1, 2, 3, ..."
        raise ArgumentError(msg, task=task, nout=value)
    return value


def nout_of(run: Callable[..., object]) -> int | None:
    """Return how many results the return annotation of `run` promises, None if it doesn't say."""
    returned = type_hints(run).get("return")
    parts = typing.get_args(returned)
    return len(parts) if typing.get_origin(returned) is tuple and ... not in parts else None


def type_hints(run: Callable[..., object]) -> dict[str, Any]:
    """Return the annotations of `run`, none if they can't be evaluated."""
    try:
        return typing.get_type_hints(run)
    except Exception:  # noqa: BLE001  # an annotation is text of the user's, and may name anything
        return {}


def run_name(task: str, value: Any) -> Any:  # noqa: ANN401  # text or callable, as it came
    """Return the name of a task run: a text with placeholders and without brackets, or a function that returns the text."""
    found = _template(task, "task_run_name", value)
    if isinstance(found, str):
        for text in _literals(found):
            _without_brackets(f"Task {task!r}: task_run_name={found!r}", text)
    return found


def target(task: str, value: Any) -> Any:  # noqa: ANN401  # text or callable, as it came
    """Return the name of a file: a text with placeholders, or a function that returns the text."""
    return _template(task, "target", value)


def _template(task: str, option: str, value: Any) -> Any:  # noqa: ANN401
    if value is None or callable(value):
        return value
    if not isinstance(value, str) or not value:
        msg = f"Task {task!r}: {option}={value!r} is neither a text nor a function. Give e.g. {option}='{{task_name}}-{{today}}'."
        raise ArgumentError(msg, task=task)
    try:
        list(_fields(value))
    except ValueError as error:
        msg = f"Task {task!r}: {option}={value!r} can't be filled in: {error}. Write {{{{ and }}}} for plain braces."
        raise DefinitionError(msg, task=task) from error
    return value


def has_fields(value: object) -> bool:
    """Return whether a template can give different texts for different runs."""
    return not isinstance(value, str) or any(_fields(value))


def result(task: str, value: Result | None) -> Result | None:
    """Return where the results of a task or flow are written: an object with `exists`, `read` and `write`."""
    if value is not None and not all(callable(getattr(value, name, None)) for name in ("exists", "read", "write")):
        msg = f"{task!r}: result={value!r} can't store values. Give flowbook.results.Result('folder')."
        raise ArgumentError(msg, task=task)
    return value


def elements(task: str, argument: str, value: object) -> Sequence[Any]:
    """Return a sequence written in the flow to map over; an iterator becomes a list, as each run reads it anew."""
    try:
        found = steps.elements(value, argument)
    except RunError as error:
        text = repr(value)
        what = text if len(text) <= _LONGEST_TEXT else f"a {type(value).__name__}"
        msg = (
            f"Task {task!r} is mapped, and its input {argument!r} is {what}, which isn't a sequence. "
            f"Give a list, or unmapped(...) for each child to get it whole."
        )
        raise ArgumentError(msg, task=task, argument=argument) from error
    return found if isinstance(value, Iterator) or not isinstance(value, Sized) else value  # type: ignore[return-value]  # as long as `found`


def same_length(task: str, sequences: Mapping[str, Sequence[Any]]) -> None:
    """Refuse sequences written in the flow that have different lengths."""
    lengths = {name: len(sequence) for name, sequence in sequences.items()}
    if len(set(lengths.values())) > 1:
        each = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        msg = (
            f"Task {task!r} is mapped over inputs of different lengths: {each}. Make them equal, or use unmapped(...)."
        )
        raise DefinitionError(msg, task=task, lengths=lengths)


def _literals(text: str) -> list[str]:
    return [literal for literal, _ in _parsed(text)]


def _fields(text: str) -> list[str]:
    return [name for _, name in _parsed(text) if name is not None]


def _parsed(text: str) -> list[tuple[str, str | None]]:
    import string  # noqa: PLC0415  # only where a template is given

    return [(literal, name) for literal, name, _, _ in string.Formatter().parse(text)]
