"""Reads the text that a person types for a parameter or an input as a value of the kind that it replaces.

Pure. Nothing that is typed is run: a date may be written as Python shows it, `datetime.date(2026, 1, 28)`, but only its
arguments are read, as literals.
"""

from __future__ import annotations

import ast
import datetime as dt
import functools
import json
import operator
from decimal import InvalidOperation
from enum import Enum, Flag
from typing import Any
from zoneinfo import ZoneInfo

from flowbook.exceptions import ParameterError
from flowbook.report.parameter_text import has_no_literal
from flowbook.report.phrases import shorten
from flowbook.report.secret_names import shown_text, sounds_secret

__all__ = ["read_like"]

_CONTAINERS = (list, tuple, dict, set, frozenset)
_UNREADABLE = (
    ValueError,
    TypeError,
    SyntaxError,
    KeyError,
    MemoryError,
    RecursionError,
    OverflowError,
    InvalidOperation,
)
_MOST_MEMBERS = 12
_MOST_CHARACTERS = 81
_UTC = ("datetime.timezone.utc", "timezone.utc", "datetime.UTC", "dt.UTC", "UTC")


def read_like(name: str, text: str, like: object, *, is_secret: bool = False) -> object:
    """Return the value that `text` stands for: a literal or JSON, a value of the kind of `like`, or else the text itself.

    Args:
        name: of the parameter or input, for the message.
        text: as typed; "None" is None, whatever the kind.
        like: the parameter's default, or what the input replaces; None takes any kind.
        is_secret: whether the message shows no values; nor does it if `name` sounds secret.

    Raises:
        ParameterError: if `like` is of a kind that the text isn't.
    """
    try:
        return _read(text, like)
    except _UnlikeError as unlike:
        kind = type(like).__name__
        what = f"{name} is {'an' if kind[0].lower() in 'aeio' else 'a'} {kind}"
        if is_secret or sounds_secret(name):
            raise ParameterError(f"{what}, and what was typed isn't.", names=[name]) from None
        shown = shown_text(shorten(text.strip(), _MOST_CHARACTERS))
        msg = f"{what}, and {shown!r} isn't. {shown_text(str(unlike))}"
        raise ParameterError(msg, names=[name], value=repr(shown)) from None


class _UnlikeError(Exception):
    """A text is of another kind; the message says what would not be."""


def _read(text: str, like: object) -> object:
    """Return the value that `text` stands for. Raises _UnlikeError."""
    if has_no_literal(like) and text.strip() != "None":
        return _member(text.strip(), type(like)) if isinstance(like, Enum) else _written(text.strip(), like)
    value = _literal(text, is_json=not isinstance(like, str))
    if isinstance(like, bool) and value is text:  # as a text, "false" would be true
        return _truth(text.strip())
    if type(like) not in _CONTAINERS or value is None or isinstance(value, type(like)):
        return value
    if isinstance(value, list) and not isinstance(like, dict):
        try:
            return type(like)(value)  # type: ignore[call-arg]  # a tuple or a set
        except TypeError:  # a set of lists
            pass
    example = '{"n": 1}' if isinstance(like, dict) else '["JFK", "EWR"]'
    raise _UnlikeError(f"Write e.g. {example}.")


def _truth(text: str) -> bool:
    """Return True or False, however it is capitalised. Raises _UnlikeError."""
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise _UnlikeError("Write True or False.") from None


def _literal(text: str, *, is_json: bool = True) -> object:
    stripped = text.strip()
    try:
        return ast.literal_eval(stripped)
    except _UNREADABLE:
        pass
    try:
        return json.loads(stripped) if is_json and stripped.startswith(("[", "{")) else text
    except _UNREADABLE:
        return text


def _member(text: str, kind: type[Enum]) -> Enum:
    """Return a member by its name, with that of its class or without, as Python shows it, or by its value."""
    shown = {each: member for member in kind for each in _shown(member)}
    named = kind.__members__ | {f"{kind.__name__}.{each}": member for each, member in kind.__members__.items()}
    if text in named or text in shown:
        return named[text] if text in named else shown[text]
    found = [*_with_value(_literal(text), kind), *_with_value(text, kind), *_flags(text, kind)]
    if found:
        return found[0]
    members = [*kind.__members__]
    more = f" and {len(members) - _MOST_MEMBERS} more" if len(members) > _MOST_MEMBERS else ""
    several = f", or several, as in {'|'.join(members[:2])}" if issubclass(kind, Flag) and len(members) > 1 else ""
    raise _UnlikeError(f"It is one of {', '.join(members[:_MOST_MEMBERS])}{more}{several}.")


def _shown(member: Enum) -> tuple[str, ...]:
    try:
        return repr(member), str(member)
    except Exception:  # noqa: BLE001  # the user's own methods
        return ()


def _with_value(value: object, kind: type[Enum]) -> list[Enum]:
    return [member for member in kind if type(member._value_) is type(value) and member._value_ == value]


def _flags(text: str, kind: type[Enum]) -> list[Enum]:
    """Return what several flags are together, by their names, as Python shows them, or by their number."""
    if not issubclass(kind, Flag):
        return []
    number = _literal(text)
    names = [each.strip().removeprefix(f"{kind.__name__}.") for each in text.strip("<>").partition(":")[0].split("|")]
    try:
        return [kind(number) if type(number) is int else functools.reduce(operator.or_, [kind[each] for each in names])]
    except _UNREADABLE:
        return []


def _written(text: str, like: object) -> object:
    """Return a date, a path and the like: written plainly, or as Python shows it."""
    kind: Any = type(like)
    try:
        call = ast.parse(text, mode="eval").body
    except _UNREADABLE:
        call = None
    try:
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == kind.__name__:
            named = {str(each.arg): _argument(each.value) for each in call.keywords}
            return kind(*map(_argument, call.args), **named)
        plain = _literal(text) if text[:1] in {"'", '"'} else text
        if not isinstance(like, (dt.date, dt.time)):
            return kind(plain)
        read = kind.fromisoformat(plain)
        if hasattr(read, "nanosecond"):  # of pandas, whose `fromisoformat` drops them
            read = kind(plain)
        return _in_zone(read, like)
    except _UNREADABLE:
        example = repr(like).removeprefix("datetime.") if isinstance(like, dt.timedelta) else str(like)
        raise _UnlikeError(f"Write e.g. {example}.") from None


def _argument(node: ast.expr) -> object:
    """Return an argument of a call that was typed: a literal or, as datetimes show it, a time zone."""
    text = ast.unparse(node)
    if text in _UTC:
        return dt.UTC
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"zoneinfo.ZoneInfo", "ZoneInfo"}:
        return ZoneInfo(*map(ast.literal_eval, [*node.args, *(each.value for each in node.keywords)]))
    return ast.literal_eval(node)


def _in_zone(read: Any, like: object) -> object:  # noqa: ANN401  # a date or a time
    """Return a time that names no zone in the zone of what it replaces."""
    zone = getattr(like, "tzinfo", None)
    return read if zone is None or read.tzinfo is not None else read.replace(tzinfo=zone)
