"""Notices which tasks of a flow were edited since it was written, by what the notebook's names stand for now.

A look compares objects; only what was replaced is hashed. It takes about a microsecond for each name that a task's code reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.core.task import Task
from flowbook.core.task_spec import option_values
from flowbook.exceptions import UnpicklableError
from flowbook.results.code_hash import known_code, read_code
from flowbook.results.content_hash import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from flowbook.engine.graph import Graph
    from flowbook.results.code_hash import Code, GlobalRead

__all__ = ["Edits", "WatchedFlow", "edits_of"]

_MISSING = object()
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
        reads: the globals that the code reads, with what they were.
        seen: what the names stood for when it was compared last, and whether that was another code.
    """

    keys: list[str]
    run: Callable[..., object]
    variable: str
    options: object
    hash: str
    reads: Sequence[GlobalRead]
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
        return _Function([key], run, name, options, code.hash, code.reads)


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
    today = namespace.get(function.variable, _MISSING) if function.variable else _MISSING
    now: list[object] = [today, *(each.names.get(each.name, _MISSING) for each in function.reads)]
    ids = tuple(map(id, now))
    if function.seen[0] != ids:
        function.seen = (ids, _differs(function, today, now[1:]))
        #: As long as these are compared by identity, no other object may get theirs.
        function.held = now
    return function.seen[1]


def _differs(function: _Function, today: object, now: Sequence[object]) -> bool:
    run = _run_of(today, function.run)
    if isinstance(today, Task) and function.options is not None and option_values(today) != function.options:
        return True
    changed = [read for read, value in zip(function.reads, now, strict=True) if value is not read.held]
    if run is function.run and not changed:
        return False
    if _code_of(run).hash != function.hash:
        return True
    return any(_is_other_content(read.held, read.names.get(read.name, _MISSING)) for read in changed)


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
