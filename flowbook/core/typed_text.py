"""Reads the text that a person types for a parameter as a value of its default's kind.

Pure. Nothing that is typed is run: a date may be written as Python shows it, `datetime.date(2026, 1, 28)`, but only its
arguments are read, as literals.
"""

from __future__ import annotations

import ast
import datetime as dt
import json
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flowbook.core.parameter import Parameter
from flowbook.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["read_as_defaults", "read_like"]

#: Kinds without a literal in Python, each read from the text that `str` makes of it.
_WRITTEN = (dt.date, dt.time, dt.timedelta, Decimal, PurePath, UUID)
_CONTAINERS = (list, tuple, dict, set, frozenset)
_UNREADABLE = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, OverflowError, InvalidOperation)
_MOST_MEMBERS = 12


def read_as_defaults(parameters: Iterable[Parameter], given: Mapping[str, object]) -> dict[str, object]:
    """Return given values, with the texts among them read where a default is a date, an enum, a path and the like.

    A parameter that reads texts itself, as `DateTimeParameter` does, gets its text.

    Raises:
        ParameterError: if a text is no value of its parameter's kind.
    """
    defaults = {each.name: each.default for each in parameters if type(each).accept is Parameter.accept}
    read = dict(given)
    for name, value in given.items():
        like = defaults.get(name)
        if isinstance(value, str) and isinstance(like, (Enum, *_WRITTEN)):
            read[name] = read_like(name, value, like)
    return read


def read_like(name: str, text: str, like: object) -> object:
    """Return the value that `text` stands for: a literal or JSON, a value of the kind of `like`, or else the text itself.

    Args:
        name: of the parameter, for the message.
        text: as typed.
        like: the parameter's default; None takes any kind.

    Raises:
        ParameterError: if `like` is of a kind that the text isn't.
    """
    text = text.strip()
    if isinstance(like, Enum):
        return _member(name, text, type(like))
    if isinstance(like, _WRITTEN):
        return _written(name, text, like)
    value = _literal(text)
    if type(like) not in _CONTAINERS or value is None or isinstance(value, type(like)):
        return value
    if isinstance(value, list) and not isinstance(like, dict):
        return type(like)(value)  # type: ignore[call-arg]  # a tuple or a set
    example = '{"n": 1}' if isinstance(like, dict) else '["JFK", "EWR"]'
    raise _unlike(name, text, like, f"Write e.g. {example}.")


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except _UNREADABLE:
        pass
    try:
        return json.loads(text) if text.startswith(("[", "{")) else text
    except _UNREADABLE:
        return text


def _member(name: str, text: str, kind: type[Enum]) -> Enum:
    """Return a member by its name, with that of its class or without, as Python shows it, or by its value."""
    shown = {repr(member): member for member in kind} | {str(member): member for member in kind}
    named = kind.__members__ | {f"{kind.__name__}.{each}": member for each, member in kind.__members__.items()}
    if text in named or text in shown:
        return named[text] if text in named else shown[text]
    value = _literal(text)
    found = [member for member in kind if type(member.value) is type(value) and member.value == value]
    if found:
        return found[0]
    members = [*kind.__members__]
    more = f" and {len(members) - _MOST_MEMBERS} more" if len(members) > _MOST_MEMBERS else ""
    raise _unlike(name, text, next(iter(kind)), f"It is one of {', '.join(members[:_MOST_MEMBERS])}{more}.")


def _written(name: str, text: str, like: object) -> object:
    """Return a date, a path and the like: written plainly, or as Python shows it."""
    kind: Any = type(like)
    try:
        call = ast.parse(text, mode="eval").body
    except _UNREADABLE:
        call = None
    try:
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == kind.__name__:
            named = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
            return kind(*map(ast.literal_eval, call.args), **named)
        plain = _literal(text) if text[:1] in {"'", '"'} else text
        return kind.fromisoformat(plain) if isinstance(like, (dt.date, dt.time)) else kind(plain)
    except _UNREADABLE:
        example = repr(like).removeprefix("datetime.") if isinstance(like, dt.timedelta) else str(like)
        raise _unlike(name, text, like, f"Write e.g. {example}.") from None


def _unlike(name: str, text: str, like: object, advice: str) -> ParameterError:
    kind = type(like).__name__
    article = "an" if kind[0].lower() in "aeio" else "a"
    shown = text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004
    msg = f"{name} is {article} {kind}, and {shown!r} isn't. {advice}"
    return ParameterError(msg, names=[name], value=repr(shown))
