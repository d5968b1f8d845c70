"""Finds out which member of a value can't be pickled, for the error that says so."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from flowbook._utils.loaded import LoadedClasses
from flowbook.exceptions import UnpicklableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["unpicklable"]

#: How many members are tried in the search for the one that can't be pickled.
_SEARCH_BUDGET = 2000
_FRAME, _SERIES = LoadedClasses("pandas", "DataFrame"), LoadedClasses("pandas", "Series")


def unpicklable(value: object, error: BaseException) -> UnpicklableError:
    """Return the error that names the member of `value` which can't be pickled."""
    try:
        member, culprit, reason = _find_culprit(value, error)
    except BaseException:  # noqa: BLE001  # looking at a user's object may raise anything
        member, culprit, reason = "", value, error
    kind = _type_name(value)
    what = (
        f"{kind} can't be pickled"
        if not member
        else f"{kind} can't be pickled: its {_shortened(member.strip())} is a {_type_name(culprit)}"
    )
    try:
        why = str(reason)
    except BaseException:  # noqa: BLE001  # a user's __str__ may raise, or exit
        why = type(reason).__name__
    what = f"{what} ({why[:300]})"
    msg = (
        f"A {what}. Return plain data instead, open such things inside the task that uses them, "
        "or mark the task keep=False."
    )
    return UnpicklableError(msg, member=member, type_name=kind, what=what)


def _find_culprit(value: object, error: BaseException) -> tuple[str, object, BaseException]:
    """Walk down to the innermost member that still fails; its path, itself, and what it raised."""
    path, budget = "", _SEARCH_BUDGET
    seen: set[int] = set()
    while id(value) not in seen:
        seen.add(id(value))
        for step, member in _members(value):
            budget -= 1
            if budget < 0:
                return path, value, error
            if (problem := _problem(member)) is not None:
                path, value, error = path + step, member, problem
                break
        else:
            break
    return path, value, error


def _problem(value: object) -> BaseException | None:
    import cloudpickle  # noqa: PLC0415  # heavy

    try:
        cloudpickle.dumps(value, protocol=5)
    except BaseException as exc:  # noqa: BLE001  # whatever a user's __reduce__ raises
        return exc
    return None


def _members(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"[{_short(key)}]", member) for key, member in value.items())
        yield from ((f" key {_short(key)}", key) for key in value)
    elif isinstance(value, list | tuple):
        yield from ((f"[{index}]", member) for index, member in enumerate(value))
    elif isinstance(value, set | frozenset):
        yield from ((f"{{{_short(member)}}}", member) for member in value)
    elif (columns := _object_columns(value)) is not None:
        yield from columns
    for cell_name, cell in zip(
        getattr(getattr(value, "__code__", None), "co_freevars", ()),
        getattr(value, "__closure__", None) or (),
        strict=False,
    ):
        yield f" variable {cell_name}", cell.cell_contents
    yield from _globals_of(value)
    yield from _attributes(value)


def _object_columns(value: object) -> Iterator[tuple[str, object]] | None:
    if isinstance(value, _FRAME.now()):
        return ((f"[{_short(name)}]", column.tolist()) for name, column in value.items() if column.dtype == object)
    if isinstance(value, _SERIES.now()) and value.dtype == object:
        return ((f"[{index}]", member) for index, member in enumerate(value.tolist()))
    return None


def _globals_of(function: object) -> Iterator[tuple[str, object]]:
    """Return the globals that a function names, where it would travel with them: modules do by name."""
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    known = getattr(function, "__globals__", None) or {}
    found = ((f" global {name}", known[name]) for name in names if name in known)
    yield from ((step, member) for step, member in found if not isinstance(member, ModuleType))


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, type):
        return
    held = _state_of(value)
    if isinstance(held, dict):
        yield from ((f".{name}", member) for name, member in held.items())
    for base in type(value).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and not name.startswith("__"):
                yield f".{name}", getattr(value, name)


def _state_of(value: object) -> object:
    """Return what an object would travel with: its own `__getstate__` may leave attributes out."""
    if type(value).__getstate__ is not object.__getstate__:
        try:
            state = value.__getstate__()
        except BaseException:  # noqa: BLE001  # a user's may raise, or exit
            return None
        if isinstance(state, dict):
            return state
    return getattr(value, "__dict__", None)


def _short(key: object) -> str:
    try:
        text = repr(key)
    except BaseException:  # noqa: BLE001  # a user's __repr__ may raise, or exit
        return f"<{type(key).__name__}>"
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004


def _shortened(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:100]}…{path[-100:]}"  # noqa: PLR2004


def _type_name(value: object) -> str:
    kind = type(value)
    module = kind.__module__
    return kind.__qualname__ if module in {"builtins", "__main__"} else f"{module}.{kind.__qualname__}"
