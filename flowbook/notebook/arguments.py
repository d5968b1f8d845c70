"""Parses what is written on the line of a magic: values, moments, executors."""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from flowbook.exceptions import ArgumentError, DefinitionError
from flowbook.executors import Executor, LocalDaskExecutor, LocalExecutor
from flowbook.flow_run.decision import TypedText
from flowbook.flow_run.times import parse_time

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping

    from flowbook.flow_runners import UniversalFlowRunner

__all__ = [
    "EXECUTORS",
    "parse_executor",
    "parse_flow_runner",
    "parse_moment",
    "parse_parameters",
    "parse_value",
    "unquoted",
]

_NAMED: dict[str, Callable[[], Executor]] = {
    "local": LocalExecutor,
    "processes": lambda: LocalDaskExecutor("processes"),
    "synchronous": lambda: LocalDaskExecutor("synchronous"),
    "threads": LocalDaskExecutor,
}
#: The names that `--executor` takes.
EXECUTORS = (*_NAMED, "dask", "dask:")
_EXECUTORS = f"{', '.join(_NAMED)}, dask, dask:ADDRESS"


def unquoted(text: str) -> str:
    """Return `text` without the quotes around it; IPython passes them on."""
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if is_quoted else text


def parse_moment(text: str) -> dt.datetime:
    """Return the time that `--at` names, aware. Raises UsageError: if it isn't one."""
    try:
        return parse_time(text)
    except DefinitionError as error:
        msg = f"--at {error}"
        raise UsageError(msg) from error


def parse_parameters(
    pairs: Iterable[str], namespace: Mapping[str, object], option: str = "--param"
) -> dict[str, object]:
    """Return `["origin=JFK", "k=$n"]` as values by name: texts as they were typed, or variables' values.

    Raises:
        UsageError: if one has no `=`, or names a variable that isn't there.
    """
    found: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = unquoted(pair).partition("=")
        if not equals or not name.strip().isidentifier():
            msg = f"{option} {pair!r} isn't NAME=VALUE. Write e.g. {option} origin=JFK."
            raise UsageError(msg)
        found[name.strip()] = parse_value(text, namespace) if text.startswith("$") else TypedText(text)
    return found


def parse_value(text: str, namespace: Mapping[str, object]) -> object:
    """Return a Python literal as its value, `$name` as that variable's, anything else as the text.

    Raises:
        UsageError: if there is no such variable.
    """
    if text.startswith("$"):
        name = text[1:]
        if name not in namespace:
            msg = f"{text} names no variable of this notebook. Define {name} first, or write the value itself."
            raise UsageError(msg)
        return namespace[name]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def parse_executor(text: str | None, namespace: Mapping[str, object]) -> Executor | None:
    """Return the executor that `text` names: local, threads, processes, dask, dask:tcp://host:8786, or an expression.

    Raises:
        UsageError: if it is none of these.
    """
    if text is None:
        return None
    if text in _NAMED:
        return _NAMED[text]()
    if text.partition(":")[0] == "dask":
        return _dask(text.partition(":")[2])
    try:
        # The person's own cell, evaluated in their own namespace as any other line of it.
        value = eval(text, dict(namespace))  # noqa: S307
    except Exception as error:
        close = difflib.get_close_matches(text, _NAMED, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        msg = f"--executor {text!r} isn't one of {_EXECUTORS}, nor a valid expression: {error}.{meant}"
        raise UsageError(msg) from error
    if not callable(getattr(value, "submit", None)):
        msg = f"--executor {text!r} is {value!r}, not an executor. Use one of {_EXECUTORS}."
        raise UsageError(msg)
    return value  # type: ignore[no-any-return]  # checked above


def parse_flow_runner(text: str | None, namespace: Mapping[str, object]) -> UniversalFlowRunner:
    """Return the flow runner that `text` names: a place such as subprocess, which is the default, or an expression.

    Raises:
        UsageError: if it is neither.
    """
    from flowbook.flow_runners import PLACES, UniversalFlowRunner, from_word  # noqa: PLC0415  # only where it is used

    try:
        return from_word(text or "subprocess")  # shows no output: its panel shows what tasks print
    except ArgumentError:
        pass  # it is an expression then
    try:
        # The person's own cell, as for an executor.
        value = eval(str(text), dict(namespace))  # noqa: S307
    except Exception as error:
        msg = f"--on {text!r} isn't {', '.join(PLACES)}, nor a valid expression: {error}."
        raise UsageError(msg) from error
    if not isinstance(value, UniversalFlowRunner):
        msg = f"--on {text!r} is {value!r}, not a flow runner. Use subprocess, or e.g. SubprocessFlowRunner(virtualenv='./venv')."
        raise UsageError(msg)
    return value


def _dask(address: str) -> Executor:
    from flowbook.executors import DaskExecutor  # noqa: PLC0415  # only where it is used

    return DaskExecutor(address.strip() or None)
