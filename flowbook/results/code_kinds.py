"""Which values that code reads are code, which can't change, and which hold content: what hashes of code ask of each. Pure."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import inspect
import itertools
import re
import types
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from flowbook._utils.loaded import LoadedClasses

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["holds_code", "is_code", "is_content", "is_immutable", "is_table", "own_function", "parts_of"]

_IMMUTABLE = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    range,
    enum.Enum,
    re.Pattern,
    dt.date,
    dt.time,
    dt.timedelta,
    PurePath,
)
#: Tables of functions are short: a longer list or dict is taken for data, and not searched.
_TABLE_AT_MOST = 1000
_ARRAY = LoadedClasses("numpy", "ndarray")
_TABLES = LoadedClasses("pandas", "DataFrame", "Series", "Index")
_CODE = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    type,
    functools.partial,
    staticmethod,
    classmethod,
    property,
    functools.cached_property,
    functools.singledispatchmethod,
)
#: Objects of these modules hold no content that an output could come from.
_WITHOUT_CONTENT = frozenset({"_thread", "threading", "typing", "_contextvars", "flowbook"})
#: Their objects have no attributes beside those of the class, none of which is a function written in Python.
_BARE = frozenset({type(None), bool, int, float, complex, str, bytes, range, tuple, list, dict, set, frozenset})


def is_code(held: object) -> bool:
    """Return whether `held` is a function, class, module, or wraps a function."""
    return isinstance(held, _CODE) or own_function(held, "__wrapped__") is not None


def own_function(held: object, name: str) -> types.FunctionType | None:
    """Return the function that an object or its class has by that name; None if it has none. Runs no code of theirs."""
    if type(held) in _BARE:
        return None
    found = inspect.getattr_static(held, name, None)
    return found if isinstance(found, types.FunctionType) else None


def is_immutable(held: object) -> bool:
    """Return whether `held` can't change, so that its content counts as code does."""
    if type(held) in {tuple, frozenset}:
        return all(map(is_immutable, held))  # type: ignore[call-overload]  # a tuple or frozenset
    return isinstance(held, _IMMUTABLE)


def holds_code(held: object) -> bool:
    """Return whether `held` is a table of functions or classes, as `{"csv": read_csv}`."""
    return type(held) in {list, tuple, dict} and len(held) <= _TABLE_AT_MOST and any(map(is_code, parts_of(held)))  # type: ignore[arg-type]  # it has a length


def parts_of(table: Any) -> Iterator[object]:  # noqa: ANN401  # a list, tuple or dict
    """Return the members of a list or tuple, the keys and values of a dict."""
    return itertools.chain.from_iterable(table.items()) if isinstance(table, dict) else iter(table)


def is_content(held: object) -> bool:
    """Return whether an output could come from what `held` holds: not of a lock, or of flowbook's own objects."""
    return str(type(held).__module__).partition(".")[0] not in _WITHOUT_CONTENT


def is_table(held: object) -> bool:
    """Return whether `held` is an array, frame or series."""
    return isinstance(held, (_ARRAY.now(), _TABLES.now()))
