"""All that a hash of code takes from one function, by which the hash is known to hold still without reading the code again."""

from __future__ import annotations

import operator
import types
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flowbook.results.user_code import is_user_module

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MISSING", "FunctionState"]

#: What a name stands for that doesn't exist.
MISSING: Final = object()
#: What can't change, and has no attributes that could.
_FIXED = frozenset(
    {type(None), bool, int, float, complex, str, bytes, range, types.CodeType, types.BuiltinFunctionType}
)  # fmt: skip


class FunctionState(NamedTuple):
    """A function as it was at one moment.

    Attributes:
        function: the function.
        names: of the globals that it reads, those that don't exist too.
        held: its parts and what the names stood for.
    """

    function: types.FunctionType
    names: Sequence[str]
    held: Sequence[object]

    @classmethod
    def of(cls, function: types.FunctionType, names: Sequence[str]) -> FunctionState:
        """Return the state of a function now."""
        return cls(function, names, _held(function, names))

    def is_current(self) -> bool:
        """Return whether all parts and names are the objects that they were."""
        function: Any = self.function  # mypy binds it as a method
        now = _held(function, self.names)
        return len(now) == len(self.held) and all(map(operator.is_, now, self.held))

    def is_settled(self) -> bool:
        """Return whether nothing that it holds can change in place, other functions aside."""
        return all(type(each) is types.FunctionType or _is_fixed(each) for each in self.held)


def _held(function: types.FunctionType, names: Sequence[str]) -> list[object]:
    attributes, variables = function.__dict__, function.__globals__
    found: list[object] = [function.__code__, function.__doc__, function.__module__, function.__defaults__]
    found += [attributes.get("__wrapped__"), attributes.get("registry")]
    for default in (function.__kwdefaults__ or {}).items():
        found += default
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # an empty one
            found.append(MISSING)
    found += [variables.get(name, MISSING) for name in names]
    return found


def _is_fixed(held: object) -> bool:
    kind = type(held)
    if kind in _FIXED or held is MISSING:
        return True
    if kind is tuple or kind is frozenset:
        return all(map(_is_fixed, held))  # type: ignore[call-overload]  # a tuple or frozenset
    #: Of what isn't the user's own, only the name counts as code.
    if kind is types.ModuleType:
        return not is_user_module(held.__name__)  # type: ignore[attr-defined]  # a module
    return isinstance(held, type) and not is_user_module(held.__module__)
