"""A value in a few characters, for people, as a form would show it: what was compared can't be read from its hash.

Runs no code of the user's, and prints nothing large first to find it too long.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["short_text"]

_CHARACTERS = 40
_MEMBERS = 10
_PLAIN = frozenset({str, int, float, bool, type(None)})
_CONTAINERS = frozenset({list, tuple, set, frozenset, dict})
#: Kinds by top module and name, of which `str` says all: they are loaded only where somebody uses them.
_WRITTEN = frozenset(
    {
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("decimal", "Decimal"),
        ("pandas", "Timestamp"),
        ("pathlib", "PosixPath"),
        ("pathlib", "PurePosixPath"),
        ("pathlib", "PureWindowsPath"),
        ("pathlib", "WindowsPath"),
        ("uuid", "UUID"),
    }
)


def short_text(value: object) -> str | None:
    """Return a plain value as Python writes it, a date or a path as text, an enum's member by name; None for what is long.

    None for all other values, too.
    """
    try:
        text = _text(value)
    except Exception:  # noqa: BLE001  # an int of too many digits, a set that another thread changes, a class that says it is another
        return None
    return text if text is not None and len(text) <= _CHARACTERS else None


def _text(value: object) -> str | None:
    kind = type(value)
    if kind in _PLAIN:
        return repr(value) if _is_short(value) else None
    if isinstance(value, Enum):
        return value._name_  # `name` may be the user's own
    if kind in _CONTAINERS:
        return _members_text(value)
    if kind.__name__ == "timedelta" and kind.__module__ == "datetime":
        return repr(value).removeprefix("datetime.")
    return str(value) if (kind.__module__.partition(".")[0], kind.__name__) in _WRITTEN else None


def _members_text(value: object) -> str | None:
    assert isinstance(value, list | tuple | set | frozenset | dict)  # noqa: S101  # the caller looked
    if len(value) > _MEMBERS:
        return None
    members = [*value, *(value.values() if isinstance(value, dict) else ())]
    return repr(value) if all(type(each) in _PLAIN and _is_short(each) for each in members) else None


def _is_short(value: object) -> bool:
    return not isinstance(value, str) or len(value) <= _CHARACTERS
