"""Notices which tasks of a flow were edited since it was written, by what the notebook's names stand for now.

A look compares objects; only what was replaced is hashed. For 100 tasks with a dozen names each it takes 0.2 ms.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.core.task import Task
from flowbook.core.task_spec import option_values
from flowbook.exceptions import UnpicklableError
from flowbook.results.code_hash import known_code, read_code
from flowbook.results.content_hash import content_hash
from flowbook.results.function_state import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from types import FunctionType

    from flowbook.engine.graph import Graph
    from flowbook.results.code_hash import Code, GlobalRead

__all__ = ["Edits", "WatchedFlow", "edits_of"]

#: Variables of these types are compared by content; others count as edited when they are replaced.
_COMPARED = (
    str, bytes, int, float, complex, bool, type(None), tuple, list, dict, set, frozenset, PurePath, date, time, timedelta,
)  # fmt: skip


class Edits(NamedTuple):
    """What was edited since a flow was written.

    Attributes:
        edited: keys of the tasks whose code, or what it reads, differs now.
        stale: keys of the tasks below them, in order.
    """

    edited: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.edited)


@dataclass(slots=True)
class _Function:
    """One function that tasks of the flow run.

    Attributes:
        keys: of these tasks.
        run: the function.
        variable: name of the variable that holds the task, or the class of the task; "" if there is none.
        options: of the task that the variable held.
        hash: of its code.
        reads: the names that the code looks up, with what they were.
        functions: those that it reaches, itself first: an editor that reloads modules changes them in place.
        bodies: their code and defaults, as they were.
        seen: what was found when it was compared last, and whether that was another code.
        held: that itself: as long as it is compared by identity, no other object may get its.
    """

    keys: list[str]
    run: Callable[..., object]
    variable: str
    options: object
    hash: str
    reads: Sequence[GlobalRead]
    functions: Sequence[FunctionType]
    bodies: Sequence[object]
    seen: tuple[tuple[int, ...], bool] = ((), False)
    held: list[object] = field(default_factory=list)


def edits_of(graph: Graph, edited: AbstractSet[str]) -> Edits:
    """Return the edits of a flow of which these tasks were edited; what only gathers the results of others counts for none."""
    below = graph.downstream(edited) - edited
    stale = [key for key, spec in graph.specs.items() if key in below and not spec.gathers]
    return Edits(tuple(key for key in graph.specs if key in edited), tuple(stale))


class WatchedFlow:
    """The definitions that a flow was written with: those at `begin`, which comes right after the flow's own cell.

    Args:
        graph: of the flow.
        namespace: the notebook's variables, as they are when the flow has just been written.
    """

    def __init__(self, graph: Graph, namespace: Mapping[str, object]) -> None:
        self._graph = graph
        self._functions: list[_Function] | None = None
        self._variables = _task_variables(namespace)

    def begin(self) -> Sequence[_Function]:
        """Read the definitions, once."""
        if self._functions is None:
            self._functions = self._read()
        return self._functions

    def look(self, namespace: Mapping[str, object]) -> Edits:
        """Return what was edited since the flow was written."""
        edited = {key for each in self.begin() if _is_edited(each, namespace) for key in each.keys}
        if not edited:
            return Edits()
        return edits_of(self._graph, edited)

    def _read(self) -> list[_Function]:
        found: dict[Callable[..., object], _Function] = {}
        for key, spec in self._graph.specs.items():
            known = found.get(spec.run)
            if known is not None:
                known.keys.append(key)
            elif not (getattr(spec.run, "__module__", None) or "").startswith("flowbook."):
                found[spec.run] = self._function(key, spec.run)
        return list(found.values())

    def _function(self, key: str, run: Callable[..., object]) -> _Function:
        code = known_code(_unbound(run), self._graph.codes)
        name, template = self._variables.get(_identity(run), ("", None))
        options = option_values(template) if isinstance(template, Task) else None
        return _Function([key], run, name, options, code.hash, code.reads, code.functions, _bodies(code.functions))


def _task_variables(namespace: Mapping[str, object]) -> dict[object, tuple[str, object]]:
    """Return by function, or by class of the task, the variable that holds the task or the class, and what it holds."""
    found: dict[object, tuple[str, object]] = {}
    for name, value in list(namespace.items()):
        if isinstance(value, Task):
            found.setdefault(_identity(value.run), (name, value))
        elif isinstance(value, type) and issubclass(value, Task):
            found[value] = (name, value)
    return found


def _identity(run: Any) -> object:  # noqa: ANN401  # a function or a method
    """Return what stands for a task's code: its function; of a method, the class of the task."""
    owner = getattr(run, "__self__", None)
    return type(owner) if isinstance(owner, Task) else run


def _is_edited(function: _Function, namespace: Mapping[str, object]) -> bool:
    today = namespace.get(function.variable, MISSING) if function.variable else MISSING
    now = [each.names.get(each.name, MISSING) for each in function.reads]
    bodies = _bodies(function.functions)
    found = [today, *now, *bodies]
    ids = tuple(map(id, found))
    if function.seen[0] != ids:
        function.seen = (ids, _differs(function, today, now, bodies))
        function.held = found
    return function.seen[1]


def _bodies(functions: Sequence[FunctionType]) -> list[object]:
    """Return the code and the defaults of functions."""
    found: list[object] = []
    for each in functions:
        found += (each.__code__, each.__defaults__)
    return found


def _differs(function: _Function, today: object, now: Sequence[object], bodies: Sequence[object]) -> bool:
    run = _run_of(today, function.run)
    if isinstance(today, Task) and function.options is not None and option_values(today) != function.options:
        return True
    changed = [(read, value) for read, value in zip(function.reads, now, strict=True) if value is not read.held]
    is_same = not changed and all(map(operator.is_, bodies, function.bodies))
    if run is function.run and is_same:
        return False
    if _code_of(run).hash != function.hash:
        return True
    return any(_is_other_content(read.held, value) for read, value in changed if not read.is_written)


def _code_of(run: Any) -> Code:  # noqa: ANN401  # a function or a method
    """Return the code of what a task runs."""
    return read_code(_unbound(run))


def _unbound(run: Any) -> Callable[..., object]:  # noqa: ANN401  # a function or a method
    """Return what a task runs; of a method the class's own, so that another object's compares equal."""
    kind = _identity(run)
    found: Callable[..., object] = kind.run if isinstance(kind, type) and issubclass(kind, Task) else run
    return found


def _run_of(today: object, run: Callable[..., object]) -> Callable[..., object]:
    """Return what a task runs by today's definition; as before if there is none, or it stands for something else."""
    if isinstance(today, Task):
        return today.run
    if isinstance(today, type) and issubclass(today, Task) and today is not _identity(run):
        return today.run
    return run


def _is_other_content(before: object, now: object) -> bool:
    """Return whether a variable holds something else; code is compared by its hash."""
    if callable(before) or callable(now):
        return False
    if type(before) is not type(now):
        return True
    if not isinstance(now, _COMPARED):
        return True
    try:
        return content_hash(before) != content_hash(now)
    except (UnpicklableError, OSError):
        return True
