"""Hashes of code: equal code has equal hashes, in every process.

Code is followed from a function through everything it reaches in the user's own modules.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import hashlib
import inspect
import io
import itertools
import re
import types
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import UnpicklableError
from flowbook.results.content_hash import TooDeepError, qualified_name, write_down
from flowbook.results.user_code import is_user_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["code_hash"]


def code_hash(function: Callable[..., object]) -> str:
    """Return a hash of what `function` does: its code and that of all it reaches in the user's modules.

    Covered: functions and classes reached by name, through a closure or in a table of them, the class of an object that is
    reached, what the object of a method holds that cannot change, default arguments, values it closes over, and immutable
    constants of their modules. Not covered: installed modules and the standard library (only their names),
    globals that can change, comments, docstrings and where the code stands. Differs between versions of Python.
    """
    return _CodeHash().of(function)


class _CodeHash:
    """One walk from one function; everything is looked at once, in the order in which it is reached."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._seen: dict[int, int] = {}
        #: What was seen stays alive, so that no two objects share an id.
        self._alive: list[object] = []

    def of(self, function: object) -> str:
        self._visit(function)
        return hashlib.sha256(self._out.getvalue()).hexdigest()

    def _note(self, tag: str, content: object = "") -> None:
        self._out.write(b"x2[%b%b]" % (write_down(tag), write_down(content)))

    def _visit(self, thing: object) -> None:  # noqa: C901, PLR0912  # a table of kinds
        if self._is_known(thing):
            return
        if isinstance(thing, types.FunctionType):
            self._function(thing)
        elif isinstance(thing, types.MethodType):
            self._visit(thing.__func__)
            self._bound(thing.__self__)
        elif isinstance(thing, functools.partial):
            self._note("partial")
            for part in (thing.func, thing.args, thing.keywords):
                self._visit(part)
        elif isinstance(thing, staticmethod | classmethod):
            self._visit(thing.__func__)
        elif isinstance(thing, property | functools.cached_property):
            for accessor in (getattr(thing, name, None) for name in ("fget", "fset", "fdel", "func")):
                if accessor is not None:
                    self._visit(accessor)
        elif isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, enum.Enum):
            self._visit(type(thing))
            self._note("choice", (thing.name, _plain(thing.value)))
        elif _holds_code(thing):
            self._note("table", qualified_name(type(thing)))
            for entry in _parts(thing):
                self._reached(entry)
        elif isinstance(thing, types.ModuleType | types.BuiltinFunctionType):
            self._note("name", f"{getattr(thing, '__module__', '')}.{thing.__name__}")
        elif isinstance(wrapped := inspect.getattr_static(thing, "__wrapped__", None), types.FunctionType):
            self._note("wrapper", qualified_name(type(thing)))
            self._visit(wrapped)
        else:
            self._constant(thing)

    def _is_known(self, thing: object) -> bool:
        """Say which of the earlier things this is, so that circles end and sharing counts."""
        if not isinstance(thing, types.FunctionType | type):
            return False
        index = self._seen.setdefault(id(thing), len(self._seen))
        if index < len(self._alive):
            self._note("seen", index)
            return True
        self._alive.append(thing)
        return False

    def _function(self, function: types.FunctionType) -> None:
        if not is_user_module(function.__module__):
            self._note("library", f"{function.__module__}.{function.__qualname__}")
            return
        self._note("function")
        self._code(function.__code__, function.__doc__)
        for default in (function.__defaults__, function.__kwdefaults__):
            self._visit(default)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._note("closure", name)
            try:
                held = cell.cell_contents
            except ValueError:
                continue
            self._visit(held)
        if isinstance(wrapped := function.__dict__.get("__wrapped__"), types.FunctionType):
            self._visit(wrapped)
        for name in _names(function.__code__):
            if name in function.__globals__:
                self._global(name, function.__globals__[name], _names(function.__code__))

    def _global(self, name: str, held: object, names: list[str]) -> None:
        self._note("global", name)
        if isinstance(held, types.ModuleType) and is_user_module(held.__name__):
            for attribute in names:
                if attribute in held.__dict__ and not isinstance(held.__dict__[attribute], types.ModuleType):
                    self._note("attribute", attribute)
                    self._reached(held.__dict__[attribute])
            return
        self._reached(held)

    def _reached(self, held: object) -> None:
        """Globals that can change are left out but for their type: their content is not code."""
        if _is_code(held) or _is_immutable(held) or _holds_code(held):
            self._visit(held)
            return
        self._note("variable", qualified_name(type(held)))
        if is_user_module(type(held).__module__):
            self._visit(type(held))
        wrapped = inspect.getattr_static(held, "run", None)
        if isinstance(wrapped, types.FunctionType):
            self._visit(wrapped)

    def _bound(self, owner: object) -> None:
        """What a method's object is: its class, and those of its attributes which the class's own code names."""
        if isinstance(owner, type):
            self._visit(owner)
            return
        self._visit(type(owner))
        attributes = getattr(owner, "__dict__", {})
        for name in sorted(_named_by(type(owner)) & attributes.keys()):
            self._note("own", name)
            self._reached(attributes[name])

    def _class(self, kind: type) -> None:
        if not is_user_module(kind.__module__):
            self._note("library", qualified_name(kind))
            return
        self._note("class", kind.__qualname__)
        for base in kind.__bases__:
            self._visit(base)
        if type(kind) is not type:
            self._visit(type(kind))
        for name, held in kind.__dict__.items():
            if name not in _CLASS_NOISE:
                self._note("member", name)
                self._reached(held)

    def _code(self, code: types.CodeType, doc: str | None) -> None:
        self._note("code", code.co_code)
        self._note("names", (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
        self._note("signature", (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags))
        for position, constant in enumerate(code.co_consts):
            if isinstance(constant, types.CodeType):
                self._code(constant, _docstring(constant))
            elif not (position == 0 and constant == doc and doc is not None):
                self._note("constant", constant)

    def _constant(self, value: object) -> None:
        try:
            self._note("value", value)
        except (UnpicklableError, TooDeepError):
            self._note("opaque", qualified_name(type(value)))


_CLASS_NOISE = frozenset(
    {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__", "__annotations__"}
)
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
)


def _is_code(held: object) -> bool:
    return isinstance(held, _CODE) or isinstance(inspect.getattr_static(held, "__wrapped__", None), types.FunctionType)


def _is_immutable(held: object) -> bool:
    if type(held) in {tuple, frozenset}:
        return all(map(_is_immutable, held))  # type: ignore[call-overload]  # a tuple or frozenset
    return isinstance(held, _IMMUTABLE)


def _holds_code(held: object) -> bool:
    """Return whether `held` is a table of functions or classes, as `{"csv": read_csv}`."""
    return (
        type(held) in {list, tuple, dict} and len(held) <= _TABLE_AT_MOST and any(map(_is_code, _parts(held)))  # type: ignore[arg-type]  # it has a length
    )


def _parts(table: Any) -> Iterator[object]:  # noqa: ANN401  # a list, tuple or dict
    return itertools.chain.from_iterable(table.items()) if isinstance(table, dict) else iter(table)


def _plain(value: object) -> object:
    """Return the value of an enum's member, or its type where that has no content of its own."""
    return value if _is_immutable(value) and not isinstance(value, enum.Enum) else qualified_name(type(value))


def _named_by(kind: type) -> set[str]:
    """Return the names that the code of the user's classes among `kind` and its bases looks up, attributes included."""
    return {
        name
        for base in kind.__mro__
        if is_user_module(base.__module__)
        for held in base.__dict__.values()
        if isinstance(held, types.FunctionType)
        for name in _all_names(held.__code__)
    }


def _names(code: types.CodeType) -> list[str]:
    """Return the names that `code` and the functions in it look up, each once, in order."""
    return list(dict.fromkeys(_all_names(code)))


def _all_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _all_names(constant)


def _docstring(code: types.CodeType) -> str | None:
    """Return the docstring of a nested function: its first constant, if it has one."""
    first = code.co_consts[0] if code.co_consts else None
    return first if isinstance(first, str) and code.co_name != "<lambda>" and _has_docstring(code) else None


def _has_docstring(code: types.CodeType) -> bool:
    flag = getattr(inspect, "CO_HAS_DOCSTRING", 0)
    return bool(code.co_flags & flag) if flag else bool(code.co_flags & inspect.CO_OPTIMIZED)
