"""Hashes of code: equal code has equal hashes, in every process; and the variables that code reads.

Code is followed from a function through everything it reaches in the user's own modules.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import io
import itertools
import types
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.exceptions import UnpicklableError
from flowbook.results.bytecode import read_bytecode
from flowbook.results.code_kinds import holds_code, is_code, is_content, is_immutable, is_table, own_function, parts_of
from flowbook.results.encoding import TooDeepError, encode, qualified_name
from flowbook.results.function_state import MISSING, FunctionState
from flowbook.results.user_code import is_user_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["Code", "GlobalRead", "code_hash", "known_code", "read_code"]

#: Of the rules by which hashes are made; hashes begin with it. Hashes of different rules say nothing of each other.
_VERSION = 3
#: How many code objects are remembered: those of the flows that somebody works on.
_CODES_KEPT = 10_000
_ACCESSORS = (property, functools.cached_property, functools.singledispatchmethod)
#: Longer texts aren't names.
_NAME_CHARACTERS = 100


class GlobalRead(NamedTuple):
    """A name that code looks up among those of a module.

    Attributes:
        names: of the module.
        name: the one that is looked up.
        held: what it stood for; `MISSING` if it didn't exist.
        is_written: whether the same function sets it: what it holds then isn't what somebody wrote.
    """

    names: Mapping[str, object]
    name: str
    held: object
    is_written: bool = False


class Code(NamedTuple):
    """What a function does.

    Attributes:
        hash: of its code and that of all it reaches, after the number of the rules that it was made by.
        variables: what it reads that is neither code nor a constant, by name: lists, dicts, frames, objects.
        reads: the globals that it and all it reaches read, and what they look up in modules of the user's.
        functions: the user's functions that it reaches, itself first.
        states: of these, each as it was just before it was read.
    """

    hash: str
    variables: Mapping[str, object]
    reads: Sequence[GlobalRead]
    functions: Sequence[types.FunctionType]
    states: Sequence[FunctionState] = ()


def code_hash(function: Callable[..., object]) -> str:
    """Return a hash of what `function` does: its code and that of all it reaches in the user's modules.

    Covered: functions and classes reached by name, through a closure or in a table of them, the class of an object that is
    reached, default arguments, values it closes over and globals of their modules, these as far as they can't change.
    Not covered: installed modules and the standard library (only their names), what can change (see `Code.variables`),
    comments, docstrings and where the code stands. Differs between versions of Python.
    """
    return read_code(function).hash


def read_code(function: Callable[..., object]) -> Code:
    """Return the hash of `function`, see `code_hash`, and the variables that it reads."""
    walk = _Walk()
    walk.visit(function)
    return Code(walk.digest(), walk.variables, walk.reads, walk.functions, walk.states)


def known_code(function: Callable[..., object], known: dict[Callable[..., object], Code]) -> Code:
    """Return what `read_code` does, without reading it again where that is known and nothing has changed since.

    Only code is remembered that reaches nothing but functions, constants and what is installed: whether these are the same is
    seen at a glance. A class, list, dict or module of the user's may have changed in place, so its readers are read each time.

    Args:
        function: what to read.
        known: code by function; what is read here is added.
    """
    found = known.get(function)
    if found is not None and all(state.is_current() for state in found.states):
        return found
    found = read_code(function)
    if type(function) is types.FunctionType and all(state.is_settled() for state in found.states):
        known[function] = found
    return found


class _Walk:
    """One walk from one function; everything is looked at once, in the order in which it is reached."""

    def __init__(self) -> None:
        self.variables: dict[str, object] = {}
        self.reads: list[GlobalRead] = []
        self.functions: list[types.FunctionType] = []
        self.states: list[FunctionState] = []
        self._out = io.BytesIO()
        self._seen: dict[int, int] = {}
        #: What was seen stays alive, so that no two objects share an id.
        self._alive: list[object] = []

    def digest(self) -> str:
        return f"{_VERSION}-{hashlib.sha256(self._out.getvalue()).hexdigest()}"

    def _note(self, tag: str, content: object = "") -> None:
        self._out.write(_noted(tag, content, self._pickled))

    def _pickled(self, value: object) -> bytes:
        from flowbook.results.object_hash import pickle_digest  # noqa: PLC0415  # heavy

        return b"o" + pickle_digest(value, self._reference)

    def _reference(self, code: object) -> str:
        """Return what stands for a function or class in the pickle of a constant."""
        self.visit(code)
        return str(self._seen.get(id(code)))

    def visit(self, thing: object) -> None:  # noqa: C901, PLR0912  # a table of kinds
        if self._is_known(thing):
            return
        if isinstance(thing, types.FunctionType):
            self._function(thing)
        elif isinstance(thing, types.MethodType):
            self.visit(thing.__func__)
            self._bound(thing.__self__)
        elif isinstance(thing, functools.partial):
            self._partial(thing)
        elif isinstance(thing, (staticmethod, classmethod)):
            self.visit(thing.__func__)
        elif isinstance(thing, _ACCESSORS):
            for accessor in (getattr(thing, name, None) for name in ("fget", "fset", "fdel", "func", "dispatcher")):
                if accessor is not None:
                    self.visit(accessor)
        elif isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, enum.Enum):
            self.visit(type(thing))
            self._note("choice", (thing.name, _plain(thing.value)))
        elif holds_code(thing):
            self._note("table", qualified_name(type(thing)))
            for position, entry in enumerate(parts_of(thing)):
                self._reached(f"entry {position}", entry)
        elif isinstance(thing, (types.ModuleType, types.BuiltinFunctionType)):
            self._note("name", f"{getattr(thing, '__module__', '')}.{thing.__name__}")
        elif (wrapped := own_function(thing, "__wrapped__")) is not None:
            self._note("wrapper", qualified_name(type(thing)))
            self.visit(wrapped)
        else:
            self._constant(thing)

    def _is_known(self, thing: object) -> bool:
        """Note which of the earlier things this is, so that circles end and sharing counts."""
        if not isinstance(thing, (types.FunctionType, type)):
            return False
        index = self._seen.setdefault(id(thing), len(self._seen))
        if index < len(self._alive):
            self._note("seen", index)
            return True
        self._alive.append(thing)
        return False

    def _partial(self, thing: functools.partial[Any]) -> None:
        self._note("partial")
        self.visit(thing.func)
        for name, held in itertools.chain(enumerate(thing.args), thing.keywords.items()):
            self._note("argument", name)
            self._reached(f"argument {name} of a partial", held)

    def _function(self, function: types.FunctionType) -> None:
        if not is_user_module(function.__module__):
            self._note("library", f"{function.__module__}.{function.__qualname__}")
            return
        read, written = _global_names(function.__code__)
        self.functions.append(function)
        self.states.append(FunctionState.of(function, read))
        self._note("function")
        self._code(function.__code__, function.__doc__)
        for name, held in _defaults(function):
            self._note("default", name)
            self._reached(f"default of {name} in {function.__name__}", held)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._note("closure", name)
            try:
                held = cell.cell_contents
            except ValueError:
                continue
            self._reached(f"variable {name} around {function.__name__}", held)
        if isinstance(wrapped := function.__dict__.get("__wrapped__"), types.FunctionType):
            self.visit(wrapped)
        if isinstance(registry := function.__dict__.get("registry"), types.MappingProxyType):  # of singledispatch
            for kind, implementation in registry.items():
                self._note("registered", qualified_name(kind))
                self.visit(implementation)
        self._globals(function, read, written)

    def _globals(self, function: types.FunctionType, read: Sequence[str], written: AbstractSet[str]) -> None:
        for name in read:
            held = function.__globals__.get(name, MISSING)
            if held is not MISSING:
                self._note("global", name)
                self.reads.append(GlobalRead(function.__globals__, name, held, name in written))
                self._global(name, held, function.__code__, is_written=name in written)
            elif name not in written:
                self.reads.append(GlobalRead(function.__globals__, name, MISSING))

    def _global(self, name: str, held: object, code: types.CodeType, *, is_written: bool = False) -> None:
        if not isinstance(held, types.ModuleType) or not is_user_module(held.__name__):
            self._reached(f"global {name}", held, is_written=is_written)
            return
        for attribute in dict.fromkeys(_all_names(code)):
            inner = held.__dict__.get(attribute, MISSING)
            self.reads.append(GlobalRead(held.__dict__, attribute, inner))
            if inner is not MISSING and inner is not held:
                self._note("attribute", attribute)
                is_below = isinstance(inner, types.ModuleType) and inner.__name__.startswith(f"{held.__name__}.")
                if is_below:
                    self._global(f"{name}.{attribute}", inner, code)
                elif not isinstance(inner, types.ModuleType):
                    self._reached(f"global {name}.{attribute}", inner)

    def _reached(self, name: str, held: object, *, is_written: bool = False) -> None:
        """Of a mutable object only the type counts: its content isn't code."""
        if (is_code(held) or is_immutable(held) or holds_code(held)) and not is_written:
            self.visit(held)
            return
        self._note("variable", qualified_name(type(held)))
        if is_user_module(type(held).__module__):
            self.visit(type(held))
        if (run := own_function(held, "run")) is not None:
            self.visit(run)
        if is_content(held) and not is_written:
            self._add_variable(name, held)

    def _add_variable(self, name: str, held: object) -> None:
        if any(held is known for known in self.variables.values()):
            return
        unique, count = name, 2
        while unique in self.variables:
            unique, count = f"{name} ({count})", count + 1
        self.variables[unique] = held

    def _bound(self, owner: object) -> None:
        """What a method's object is: its class, and those of its attributes which the class's own code names."""
        if isinstance(owner, type):
            self.visit(owner)
            return
        self.visit(type(owner))
        attributes = getattr(owner, "__dict__", {})
        for name in sorted(_named_by(type(owner)) & attributes.keys()):
            self._note("own", name)
            self._reached(f"attribute {name} of {type(owner).__name__}", attributes[name])

    def _class(self, kind: type) -> None:
        if not is_user_module(kind.__module__):
            self._note("library", qualified_name(kind))
            return
        self._note("class", kind.__qualname__)
        for base in kind.__bases__:
            self.visit(base)
        if type(kind) is not type:
            self.visit(type(kind))
        for name, held in kind.__dict__.items():
            if name not in _CLASS_NOISE:
                self._note("member", name)
                self._member(kind, name, held)

    def _member(self, kind: type, name: str, held: object) -> None:
        is_ours = not name.startswith("_") and (type(held) in {list, dict, set} or is_table(held))
        if is_ours or is_code(held) or is_immutable(held) or holds_code(held):
            self._reached(f"{kind.__name__}.{name}", held)
        else:
            #: Descriptors, and what the makers of enums and dataclasses keep in a class.
            self._note("variable", qualified_name(type(held)))

    def _code(self, code: types.CodeType, doc: str | None) -> None:
        self._out.write(_code_notes(code, code.co_exceptiontable, doc))

    def _constant(self, value: object) -> None:
        try:
            self._note("value", value)
        except (UnpicklableError, TooDeepError):
            self._note("opaque", qualified_name(type(value)))


def _noted(tag: str, content: object, fallback: Callable[[object], bytes]) -> bytes:
    if type(content) is str and len(content) <= _NAME_CHARACTERS:
        return _noted_name(tag, content)
    return b"x2[%b%b]" % (encode(tag, fallback), encode(content, fallback))


@functools.lru_cache(maxsize=_CODES_KEPT)
def _noted_name(tag: str, name: str) -> bytes:
    """Return what `_noted` does for a short text; remembered, since most of what is noted are names that come again."""
    return b"x2[%b%b]" % (encode(tag, _no_constant), encode(name, _no_constant))


def _no_constant(value: object) -> bytes:
    msg = f"{type(value).__name__} is not what the compiler makes constants of."
    raise TypeError(msg)


@functools.lru_cache(maxsize=_CODES_KEPT)
def _code_notes(code: types.CodeType, exceptions: bytes, doc: str | None) -> bytes:
    """Return what counts of a code object and those in it. Code objects compare without their tables of exceptions."""
    del exceptions
    parts = [
        _noted("code", repr(read_bytecode(code)[:2]), _no_constant),
        _noted("names", (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars), _no_constant),
        _noted(
            "signature",
            (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
            _no_constant,
        ),
    ]
    for position, constant in enumerate(code.co_consts):
        if isinstance(constant, types.CodeType):
            parts.append(_code_notes(constant, constant.co_exceptiontable, _docstring(constant)))
        elif not (position == 0 and constant == doc and doc is not None):
            parts.append(_noted("constant", constant, _no_constant))
    return b"".join(parts)


_CLASS_NOISE = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotations__",
        "__annotations_cache__",
        "__annotate__",
        "__annotate_func__",
        #: Pickling an instance adds it.
        "__slotnames__",
        "_abc_impl",
    }
)


def _plain(value: object) -> object:
    """Return the value of an enum's member, or its type where that has no content of its own."""
    return value if is_immutable(value) and not isinstance(value, enum.Enum) else qualified_name(type(value))


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


def _defaults(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    code, defaults = function.__code__, function.__defaults__ or ()
    yield from zip(code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


@functools.lru_cache(maxsize=_CODES_KEPT)
def _global_names(code: types.CodeType) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the globals that `code` and the functions in it read, in order, and those that they set."""
    read: dict[str, None] = {}
    written: set[str] = set()
    for part in _with_nested(code):
        found = read_bytecode(part)
        read.update(dict.fromkeys(found.reads))
        written |= found.writes
    return tuple(read), frozenset(written)


def _with_nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _with_nested(constant)


def _all_names(code: types.CodeType) -> Iterator[str]:
    """Return all names that `code` and the functions in it look up, those of attributes too."""
    return itertools.chain.from_iterable(part.co_names for part in _with_nested(code))


def _docstring(code: types.CodeType) -> str | None:
    """Return the docstring of a nested function: its first constant, if it has one."""
    first = code.co_consts[0] if code.co_consts else None
    return first if isinstance(first, str) and code.co_name != "<lambda>" and _has_docstring(code) else None


def _has_docstring(code: types.CodeType) -> bool:
    flag = getattr(inspect, "CO_HAS_DOCSTRING", 0)
    return bool(code.co_flags & flag) if flag else bool(code.co_flags & inspect.CO_OPTIMIZED)
