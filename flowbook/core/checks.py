"""What a task's options must be; each check returns the option as it is kept. Pure: looks, and refuses."""

from __future__ import annotations

import datetime as dt
import typing
from collections.abc import Iterator, Sized
from typing import TYPE_CHECKING, Any

from flowbook.engine import steps
from flowbook.exceptions import DefinitionError, RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.results.files import Result

__all__ = [
    "OPTIONS",
    "elements",
    "has_fields",
    "nout",
    "nout_of",
    "result",
    "run_name",
    "same_length",
    "slug",
    "target",
    "timeout",
]

_SHOWN_CHARS = 60


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
    try:
        returned = typing.get_type_hints(run).get("return")
    except Exception:  # noqa: BLE001  # an annotation is text of the user's, and may name anything
        return None
    parts = typing.get_args(returned)
    return len(parts) if typing.get_origin(returned) is tuple and ... not in parts else None


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
    "nout": nout,
    "result": result,
    "slug": slug,
    "target": target,
    "task_run_name": run_name,
    "timeout": timeout,
}
