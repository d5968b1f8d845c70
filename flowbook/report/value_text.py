"""Describes the values of names in a failing frame in a few words, without running user code."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from enum import Enum
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from flowbook.report.secret_names import MASK, sounds_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["names_in", "value_text"]

_TEXT_CHARS = 60
_MOST_ITEMS = 4
_PLAIN = frozenset({bool, float, int, str, type(None)})
#: An int with more bits isn't written out: that would take long, or Python would refuse it.
_MOST_BITS = 200
#: Packages whose tables and arrays have a shape that can be read without running user code.
_WITH_SHAPES = frozenset({"cupy", "jax", "jaxlib", "numpy", "pandas", "polars", "pyarrow", "scipy", "torch", "xarray"})
#: Types of the standard library whose texts are short and run no user code, with zones of these types.
_WRITTEN = frozenset({dt.date, dt.datetime, dt.time, dt.timedelta, Decimal, UUID})
_ZONES = frozenset({type(None), dt.timezone, ZoneInfo})
_WRITTEN_CHARS = 80
_PATHS = frozenset({PosixPath, PurePosixPath, WindowsPath, PureWindowsPath})
_PATH_CHARS = 120
_SECRET = re.compile(r"passw|secret|token|api_?key|credential|private_?key", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")


def names_in(lines: Iterable[str], known: Mapping[str, object], most: int) -> list[str]:
    """Return the names of `known` that these source lines use, in order, without modules and callables."""
    used = dict.fromkeys(name for line in lines for name in _NAME.findall(line))
    return [name for name in used if name in known and not _is_code(known[name])][:most]


def value_text(name: str, value: object) -> str:
    """Return a value as text: plain values as Python writes them, others as type and size.

    Args:
        name: the value's name; if it sounds like a secret, the value is hidden, unless it is a bool or None.
        value: anything.
    """
    is_secret = _SECRET.search(name) or sounds_secret(name)
    if is_secret and not (value is None or isinstance(value, bool)):
        return MASK
    kind = type(value)
    if kind in {bool, float, complex, type(None)}:
        return repr(value)
    if isinstance(value, int) and kind is int:
        return repr(value) if value.bit_length() <= _MOST_BITS else f"int of {value.bit_length():,} bits"
    if isinstance(value, str) and kind is str:
        return repr(value) if len(value) <= _TEXT_CHARS else f"{value[:_TEXT_CHARS]!r}… ({len(value):,} characters)"
    if kind in {bytes, bytearray, list, tuple, dict, set, frozenset}:
        return _short_repr(value) or f"{kind.__name__} of {len(value):,}"  # type: ignore[arg-type]  # these have a length
    return _written(value) or _shape_text(value) or _type_name(kind)


def _written(value: object) -> str:
    """Return a path, a date and the like, or a member of an enum as Python writes it; "" for anything else."""
    kind = type(value)
    if issubclass(kind, Enum):
        return f"{kind.__qualname__}.{value._name_}"  # type: ignore[attr-defined]  # a member
    if kind in _PATHS:
        text = str(value)
        return repr(value) if len(text) <= _PATH_CHARS else f"{kind.__name__}('…{text[1 - _PATH_CHARS :]}')"
    if kind not in _WRITTEN or type(getattr(value, "tzinfo", None)) not in _ZONES:
        return ""
    text = repr(value)
    return text if len(text) <= _WRITTEN_CHARS else ""


def _short_repr(value: object) -> str:
    """Return a small container of plain values as Python writes it; "" for any other."""
    if not isinstance(value, (list, tuple, dict)) or len(value) > _MOST_ITEMS:
        return ""
    items = [*value, *value.values()] if isinstance(value, dict) else value
    if not all(type(item) in _PLAIN and (type(item) is not int or item.bit_length() <= _MOST_BITS) for item in items):
        return ""
    if isinstance(value, dict) and any(isinstance(key, str) and _SECRET.search(key) for key in value):
        return ""
    text = repr(value)
    return text if len(text) <= _TEXT_CHARS else ""


def _shape_text(value: object) -> str:
    kind = type(value)
    if str(kind.__module__).partition(".")[0] not in _WITH_SHAPES:
        return ""
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not shape or not all(isinstance(size, int) for size in shape):
        return ""
    return f"{kind.__name__}, {' × '.join(f'{size:,}' for size in shape)}"


def _type_name(kind: type) -> str:
    name = kind.__qualname__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _is_code(value: object) -> bool:
    return isinstance(value, type) or type(value).__name__ in {
        "module",
        "function",
        "builtin_function_or_method",
        "method",
    }
