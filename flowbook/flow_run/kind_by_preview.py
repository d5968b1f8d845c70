"""Makes a stand-in for a stored value from its preview, so that a process that unpickles nothing can read what a person types.

Pure. Nothing in a preview is run: it is text that the process which stored the value wrote.
"""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from decimal import Decimal
from enum import Enum, Flag
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from flowbook.exceptions import ParameterError
from flowbook.flow_run.decision import TypedText
from flowbook.flow_run.typed_text import read_like
from flowbook.report.parameter_text import has_no_literal, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.results.reference import Preview

__all__ = ["like_of", "typed_if_like", "written_of"]


class PosixPath(PurePosixPath):
    """Stands for a path of another machine, perhaps."""


class Timestamp(dt.datetime):
    """Stands for one of pandas, which isn't loaded for that; may be made of a text, as pandas shows it."""

    def __new__(cls, *given: Any, **named: Any) -> Self:  # noqa: ANN401  # as datetime takes them
        """Return what a text or the numbers say; of a text's zone only the offset is known."""
        is_text = bool(given) and isinstance(given[0], str)
        return cls.fromisoformat(given[0]) if is_text else super().__new__(cls, *given, **named)


class WindowsPath(PureWindowsPath):
    """Stands for a path of another machine, perhaps."""


#: A value of each kind that has no literal, by the type that a preview names.
_KINDS: Mapping[str, object] = {
    "datetime.date": dt.date(2026, 1, 28),
    "datetime.datetime": dt.datetime.fromisoformat("2026-01-28"),
    "datetime.time": dt.time(),
    "datetime.timedelta": dt.timedelta(1),
    "decimal.Decimal": Decimal("1.5"),
    "pandas.Timestamp": Timestamp(2026, 1, 28),
    "pathlib.PosixPath": PosixPath("data"),
    "pathlib.PurePosixPath": PurePosixPath("data"),
    "pathlib.PureWindowsPath": PureWindowsPath("data"),
    "pathlib.WindowsPath": WindowsPath("data"),
    "uuid.UUID": UUID(int=0),
}
#: Containers that JSON doesn't have: a list stands for them there.
_WRITTEN_AS_LISTS: Mapping[str, object] = {"tuple": (), "set": set(), "frozenset": frozenset()}
_CONTAINERS: Mapping[str, object] = {"list": [], "dict": {}, **_WRITTEN_AS_LISTS}
#: A longer repr isn't read.
_MOST_CHARACTERS = 1000
#: How a member of an enum is shown: `<Level.HIGH: 2>`, or `re.DOTALL`.
_SHOWN_MEMBER = re.compile(r"<?\w+\.(?P<name>[\w|]+)(?::|$)")
#: How pandas shows a time, with nanoseconds, which Python's times don't have.
_SHOWN_TIMESTAMP = re.compile(r"Timestamp\('(?P<text>[^']+)'")


def like_of(preview: Preview | None) -> object:
    """Return a value like the one that has this preview, and equal to it if its repr can be read.

    A member of an enum is one of an enum made of the names in the preview: the real one is the user's code.

    Returns:
        None for numbers, for texts, and for what isn't known.
    """
    if preview is None:
        return None
    kind, shown = str(preview.get("type")), str(preview.get("repr"))
    members = preview.get("members")
    if isinstance(members, dict) and members:
        return _member(Flag if preview.get("is_flag") else Enum, kind, members, shown)
    if kind == "bool":
        return shown == "True"
    if kind not in _KINDS or len(shown) > _MOST_CHARACTERS:
        return _CONTAINERS.get(kind, _KINDS.get(kind))
    try:
        return read_like("", shown, _KINDS[kind])
    except ParameterError:
        return _KINDS[kind]


def written_of(preview: Preview | None) -> str:
    """Return the text by which a person may write the value that has this preview; "" if it has a literal, or isn't known."""
    like, shown = like_of(preview), str((preview or {}).get("repr"))
    if isinstance(like, Timestamp):
        found = _SHOWN_TIMESTAMP.match(shown)
        return "" if found is None else found["text"]
    is_it = like.name == _name_in(shown) if isinstance(like, Enum) else repr(like) == shown
    return written(like) if is_it else ""


def typed_if_like(value: object, preview: Preview | None) -> object:
    """Return plain JSON as a text to be read as what it replaces, if JSON can't say a value of that kind; else as it is.

    Args:
        value: as it came.
        preview: of what it replaces.
    """
    if isinstance(value, list) and preview is not None and preview.get("type") in _WRITTEN_AS_LISTS:
        return TypedText(json.dumps(value))
    if isinstance(value, str | int | float) and not isinstance(value, bool) and has_no_literal(like_of(preview)):
        return TypedText(value if isinstance(value, str) else json.dumps(value))
    return value


def _member(base: type[Enum], kind: str, members: Mapping[str, str], shown: str) -> object:
    try:
        stand_in: Any = base(kind.rpartition(".")[2], {each: _literal(text) for each, text in members.items()})  # type: ignore[call-arg]  # not of this module
        first = next(iter(stand_in))
    except (ValueError, TypeError, StopIteration):  # names that no enum of ours may have
        return None
    try:
        return read_like("", _name_in(shown), first)
    except ParameterError:
        return first


def _name_in(shown: str) -> str:
    found = _SHOWN_MEMBER.match(shown)
    return "" if found is None else found["name"]


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text
