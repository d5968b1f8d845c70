"""What a task's options must be; each check returns the option as it is kept. Pure: looks, and refuses."""

from __future__ import annotations

import datetime as dt
import math
import typing
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any

from flowbook.engine import steps, triggers
from flowbook.exceptions import ArgumentError, DefinitionError, RunError
from flowbook.flow_run.option_checks import executor, handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.results.files import Result

__all__ = [
    "OPTIONS",
    "cache_key",
    "elements",
    "executor",
    "function",
    "handlers",
    "has_fields",
    "name",
    "nout",
    "nout_of",
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
]

_SHOWN_CHARS = 60
#: Begins a tag that says what a worker of a Dask cluster must have.
_RESOURCE = "dask-resource:"


def slug(task: str, given: str | None) -> str | None:
    """Return a slug: a text without the brackets that mark a mapped task's children."""
    if given is None:
        return None
    if not isinstance(given, str) or not given.strip():
        msg = f"Task {task!r}: slug={given!r} is no name. Give a text, e.g. slug='load-2024', or leave it out."
        raise DefinitionError(msg, task=task, slug=given)
    if "[" in given or "]" in given:
        msg = f"Task {task!r}: slug={given!r} has brackets, which stand for a mapped task's children. Use '-' instead."
        raise DefinitionError(msg, task=task, slug=given)
    return given


def name(given: object) -> str:
    """Return a task's name: a text that is not taken for the key of a mapped task's child."""
    if not isinstance(given, str) or not given.strip():
        msg = f"Task name {given!r} is no name. Give a text, e.g. name='load', or leave it out."
        raise DefinitionError(msg, name=given)
    stem, bracket, index = given.rstrip("]").rpartition("[")
    if stem and bracket and given.endswith("]") and index.isdigit():
        msg = f"Task name {given!r} is what a child of a mapped task {stem!r} is called. Use e.g. '{stem}-{index}' instead."
        raise DefinitionError(msg, name=given)
    return given


def cache_key(task: str, given: object) -> str | None:
    """Return the key under which flows share an output."""
    if given is not None and (not isinstance(given, str) or not given):
        msg = f"Task {task!r}: cache_key={given!r} is no text. Give one that the flows share, e.g. cache_key='prices'."
        raise DefinitionError(msg, task=task, cache_key=given)
    return given


def trigger(task: str, given: Any) -> Any:  # noqa: ANN401  # as it came
    """Return a trigger: a function of states, not one that makes triggers."""
    if given in {triggers.some_successful, triggers.some_failed}:
        name = given.__name__
        msg = f"Task {task!r}: trigger {name} says not how many. Call it: trigger={name}(at_least=1)."
        raise DefinitionError(msg, task=task)
    return function(task, "trigger", given)


def function(owner: str, what: str, given: Any) -> Any:  # noqa: ANN401  # as it came
    """Return a function, or None."""
    if given is not None and not callable(given):
        msg = f"Task {owner!r}: {what} {given!r} can't be called. Give a function."
        raise DefinitionError(msg, task=owner)
    return given


def texts(owner: str, option: str, given: Any, of: str = "Task") -> list[str]:  # noqa: ANN401  # as it came
    """Return several texts."""
    try:
        found = list(given or ())
    except TypeError:
        found = [given]
    for each in found:
        if not isinstance(each, str):
            msg = f"{of} {owner!r}: {option}={given!r} holds {each!r}, which isn't a text. Give e.g. {option}=['db']."
            raise ArgumentError(msg, owner=owner)
    return found


def tags(task: str, given: Iterable[str] | None) -> frozenset[str]:
    """Return labels; those that ask for a resource are checked as such."""
    if isinstance(given, str):
        msg = f"Task {task!r}: tags={given!r} is one string. Give a list: tags=[{given!r}]."
        raise DefinitionError(msg, task=task, tags=given)
    found = frozenset(texts(task, "tags", given))
    if found:
        resources(task, found)  # says at once what is wrong with them
    return found


def resources(task: str, given: frozenset[str]) -> tuple[tuple[str, float], ...]:
    """Return what the tags `dask-resource:NAME=N` ask for."""
    return tuple(_resource(task, tag) for tag in sorted(given) if tag.startswith(_RESOURCE))


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


def several(owner: str, option: str, given: Any, of: str = "Task") -> list[Any]:  # noqa: ANN401  # as it came
    """Return several tasks."""
    if given is None:
        return []
    if hasattr(type(given), "set_upstream") or isinstance(given, str) or not isinstance(given, Iterable):
        msg = f"{of} {owner!r}: {option}={given!r} is one value. Give a list: {option}=[...]."
        raise DefinitionError(msg, owner=owner)
    return list(given)


def task_args(task: str, given: Any) -> Mapping[str, Any]:  # noqa: ANN401  # as it came
    """Return the attributes to change in a copy."""
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(each, str) for each in given):
        msg = f"Task {task!r}: task_args={given!r} is no dict by name. Give e.g. task_args={{'name': 'other'}}."
        raise DefinitionError(msg, task=task)
    return given


def timeout(task: str, given: object) -> dt.timedelta | None:
    """Return a timeout: more than no time."""
    if given is None:
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        given = dt.timedelta(seconds=given) if given == given and abs(given) < 1e9 else None  # noqa: PLR0124, PLR2004  # NaN
    if not isinstance(given, dt.timedelta):
        msg = f"Task {task!r}: its timeout is not a time. Give seconds, e.g. timeout=0.5, or a timedelta."
        raise DefinitionError(msg, task=task)
    if given <= dt.timedelta(0):
        msg = f"Task {task!r}: timeout={given.total_seconds():g} s leaves it no time. Give more than zero."
        raise DefinitionError(msg, task=task, timeout=given)
    return given


def nout(task: str, given: object) -> int | None:
    """Return into how many results a task may be unpacked."""
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        msg = f"Task {task!r}: nout={given!r} is not a number of results. Give 1, 2, 3, ..."
        raise DefinitionError(msg, task=task, nout=given)
    return given


def nout_of(run: Callable[..., object]) -> int | None:
    """Return how many results the return annotation of `run` promises, None if it does not say."""
    returned = type_hints(run).get("return")
    parts = typing.get_args(returned)
    return len(parts) if typing.get_origin(returned) is tuple and ... not in parts else None


def type_hints(run: Callable[..., object]) -> dict[str, Any]:
    """Return the annotations of `run`, none if they can't be evaluated."""
    try:
        return typing.get_type_hints(run)
    except Exception:  # noqa: BLE001  # an annotation is text of the user's, and may name anything
        return {}


def run_name(task: str, given: Any) -> Any:  # noqa: ANN401  # text or callable, as it came
    """Return what runs are called: a text with placeholders, or a function that makes the text."""
    return _template(task, "task_run_name", given)


def target(task: str, given: Any) -> Any:  # noqa: ANN401  # text or callable, as it came
    """Return the name of a file: a text with placeholders, or a function that makes the text."""
    return _template(task, "target", given)


def _template(task: str, option: str, given: Any) -> Any:  # noqa: ANN401
    if given is None or callable(given):
        return given
    if not isinstance(given, str) or not given:
        msg = f"Task {task!r}: {option}={given!r} is neither a text nor a function. Give e.g. {option}='{{task_name}}-{{today}}'."
        raise DefinitionError(msg, task=task)
    try:
        list(_fields(given))
    except ValueError as error:
        msg = f"Task {task!r}: {option}={given!r} can't be filled in: {error}. Write {{{{ and }}}} for plain braces."
        raise DefinitionError(msg, task=task) from error
    return given


def has_fields(given: object) -> bool:
    """Return whether what a template makes can differ between runs."""
    return not isinstance(given, str) or any(_fields(given))


def result(task: str, given: Result | None) -> Result | None:
    """Return where the results of a task or flow go: something that writes, reads and knows what is there."""
    if given is not None and not all(callable(getattr(given, name, None)) for name in ("exists", "read", "write")):
        msg = f"{task!r}: result={given!r} can't keep values. Give flowbook.results.Result('folder')."
        raise DefinitionError(msg, task=task)
    return given


def elements(task: str, argument: str, given: object) -> Sequence[Any]:
    """Return a sequence written in the flow to map over; an iterator becomes a list, as each run goes over it anew."""
    try:
        found = steps.elements(given, argument)
    except RunError as error:
        shown = repr(given)
        what = shown if len(shown) <= _SHOWN_CHARS else f"a {type(given).__name__}"
        msg = (
            f"Task {task!r} is mapped, and its input {argument!r} is {what}, which is not a sequence. "
            f"Give a list, or unmapped(...) for each child to get it whole."
        )
        raise DefinitionError(msg, task=task, argument=argument) from error
    return found if isinstance(given, Iterator) or not isinstance(given, Sized) else given  # type: ignore[return-value]  # as long as `found`


def same_length(task: str, sequences: Mapping[str, Sequence[Any]]) -> None:
    """Refuse sequences written in the flow that have different lengths."""
    lengths = {name: len(sequence) for name, sequence in sequences.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        msg = (
            f"Task {task!r} is mapped over inputs of different lengths: {told}. Make them equal, or use unmapped(...)."
        )
        raise DefinitionError(msg, task=task, lengths=lengths)


def _fields(text: str) -> list[str]:
    import string  # noqa: PLC0415  # only where a template is given

    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


#: The options that a copy of a task may change too, with their checks.
OPTIONS: Mapping[str, Callable[[str, Any], object]] = {
    "cache_key": cache_key,
    "name": lambda _, given: name(given),
    "nout": nout,
    "on_failure": lambda task, given: function(task, "on_failure", given),
    "result": result,
    "slug": slug,
    "state_handlers": handlers,
    "target": target,
    "task_run_name": run_name,
    "timeout": timeout,
    "trigger": lambda task, given: trigger(task, given if given is not None else triggers.all_successful),
}
