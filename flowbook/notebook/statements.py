"""The statements of a notebook's cells, and which of them a piece of code needs. Pure: texts in, texts out.

A name is what the last statement that sets it makes of it, and those after it that change it in place. A function needs the
names that it reads when it is called, whatever cell sets them.
"""

from __future__ import annotations

import ast
import builtins
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowbook.notebook.names_set import goes_on_from_before

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Statement", "awaits", "code_of", "indented", "is_definition", "needed", "read_statements"]

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement at the top of a cell.

    Attributes:
        node: the statement.
        text: as it was written, with its comments.
        cell: number of the cell.
        sets: names that it binds.
        changes: names whose objects it changes in place: `rates["EUR"] = 2`, `names.append(x)`.
        reads: names that it reads, in functions and classes that it defines too.
    """

    node: ast.stmt
    text: str
    cell: int = 0
    sets: frozenset[str] = field(default=frozenset())
    changes: frozenset[str] = field(default=frozenset())
    reads: frozenset[str] = field(default=frozenset())


def read_statements(source: str, cell: int = 0) -> list[Statement]:
    """Return the statements of a cell. Raises SyntaxError."""
    return [_statement(node, source, cell) for node in ast.parse(source).body]


def code_of(node: ast.stmt, cell: int = 0) -> Statement:
    """Return a statement that was made and not written."""
    return _statement(node, ast.unparse(node), cell, is_whole=True)


def is_definition(node: ast.stmt) -> bool:
    """Return whether a statement defines a function or class, or imports something."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)


def awaits(nodes: Iterable[ast.AST]) -> bool:
    """Return whether statements await outside of any function."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if not isinstance(node, (*_SCOPES, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))
    return False


def needed(wanted: Iterable[str], statements: Sequence[Statement]) -> tuple[list[Statement], set[str]]:
    """Return the statements that make what these names stand for, in order, and the names that none of them sets.

    Args:
        wanted: names.
        statements: of all cells, in the order in which they ran.
    """
    found: set[int] = set()
    missing: set[str] = set()
    seen: set[str] = set()
    stack = list(wanted)
    while stack:
        name = stack.pop()
        if name in seen or name in _BUILTINS:
            continue
        seen.add(name)
        last = max((place for place, each in enumerate(statements) if name in each.sets), default=None)
        if last is None:
            missing.add(name)
            continue
        places = [last, *_that_go_on(name, last, statements)]
        for place in places:
            if place not in found:
                found.add(place)
                stack += statements[place].reads
    return [statements[place] for place in sorted(found)], missing


def indented(statement: Statement, prefix: str = "    ") -> str:
    """Return a statement's text further right; a text of several lines in it stays as it is."""
    several = (
        each
        for each in ast.walk(statement.node)
        if isinstance(each, ast.Constant | ast.JoinedStr) and (each.end_lineno or 0) > each.lineno
    )
    text = ast.unparse(statement.node) if any(several) else statement.text
    return textwrap.indent(text, prefix)


def _that_go_on(name: str, last: int, statements: Sequence[Statement]) -> Iterator[int]:
    """Yield the places of the other statements that make what a name stands for.

    Those before that the last one goes on from, `x = x + 1` or `if rare: x = 1`, and those that change it in place.
    """
    first = last
    while goes_on_from_before(statements[first].node, name):
        before = max((place for place in range(first) if name in statements[place].sets), default=None)
        if before is None:
            break
        first = before
    for place in range(first, len(statements)):
        if place != last and (name in statements[place].changes or (place < last and name in statements[place].sets)):
            yield place


def _statement(node: ast.stmt, source: str, cell: int, *, is_whole: bool = False) -> Statement:
    text = source if is_whole else _text(node, source)
    visitor = _Names()
    visitor.visit(node)
    return Statement(
        node, text, cell, frozenset(visitor.sets), frozenset(visitor.changes - visitor.sets), frozenset(visitor.reads)
    )


def _text(node: ast.stmt, source: str) -> str:
    """Return the lines of a statement, its decorators and the comments right above it included."""
    lines = source.splitlines()
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]) - 1
    last = node.end_lineno or node.lineno
    if node.col_offset or _ends_within(node, lines[last - 1]):
        return ast.unparse(node)
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return "\n".join(lines[first:last]).rstrip().removesuffix(";")


def _ends_within(node: ast.stmt, line: str) -> bool:
    """Return whether another statement follows on a statement's last line."""
    rest = line.encode()[node.end_col_offset or 0 :].decode().strip()
    return bool(rest) and not rest.startswith("#") and rest != ";"


class _Names(ast.NodeVisitor):
    """Gathers the names that a statement sets, changes and reads at the top of its module."""

    def __init__(self) -> None:
        self.sets: set[str] = set()
        self.changes: set[str] = set()
        self.reads: set[str] = set()
        #: The names of the functions around.
        self._local: list[set[str]] = []

    def visit_Name(self, node: ast.Name) -> None:  # what `ast` calls
        if isinstance(node.ctx, ast.Store | ast.Del):
            if not self._local:
                self.sets.add(node.id)
        elif not any(node.id in names for names in self._local):
            self.reads.add(node.id)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:  # as above
        if not self._local:
            self.sets |= {each.asname or each.name.partition(".")[0] for each in node.names}

    visit_ImportFrom = visit_Import  # noqa: N815  # as above

    def visit_AugAssign(self, node: ast.AugAssign) -> None:  # as above
        base = _base(node.target)
        if base and not self._local:
            self.reads.add(base)
            if not isinstance(node.target, ast.Name):
                self.changes.add(base)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:  # as above
        if not self._local:
            self.changes |= {base for each in node.targets if not isinstance(each, ast.Name) and (base := _base(each))}
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:  # as above
        call = node.value
        if not self._local and isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            base = _base(call.func)
            if base:
                self.changes.add(base)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:  # as above
        if not isinstance(node, ast.Lambda):
            if not self._local:
                self.sets.add(node.name)
            for each in node.decorator_list:
                self.visit(each)
            if node.returns is not None:
                self.visit(node.returns)
        self.visit(node.args)
        self._local.append(_locals(node))
        for part in [node.body] if isinstance(node, ast.Lambda) else node.body:
            self.visit(part)
        self._local.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815  # as above
    visit_Lambda = visit_FunctionDef  # noqa: N815  # as above

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # as above
        if not self._local:
            self.sets.add(node.name)
        for each in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self.visit(each)
        self._local.append(set())
        for part in node.body:
            self.visit(part)
        self._local.pop()

    def _visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        own = {each.id for part in node.generators for each in ast.walk(part.target) if isinstance(each, ast.Name)}
        self._local.append(own)
        self.generic_visit(node)
        self._local.pop()

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _visit_comprehension  # noqa: N815  # as above


def _locals(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Return a function's own names."""
    arguments = node.args
    names = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    names |= {each.arg for each in (arguments.vararg, arguments.kwarg) if each is not None}
    shared: set[str] = set()
    stack: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
    while stack:
        each = stack.pop()
        if isinstance(each, ast.Global | ast.Nonlocal):
            shared |= set(each.names)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            names.add(each.id)
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(each.name)
            continue
        elif isinstance(each, ast.Import | ast.ImportFrom):
            names |= {part.asname or part.name.partition(".")[0] for part in each.names}
        elif isinstance(each, ast.ExceptHandler) and each.name:
            names.add(each.name)
        if not isinstance(each, _SCOPES):
            stack.extend(ast.iter_child_nodes(each))
    return names - shared


def _base(node: ast.expr) -> str:
    """Return the name at the left end of `a.b[c]`; "" if there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
