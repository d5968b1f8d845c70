"""Whether a statement goes on from what a name stood for before: `x = x + 1`, `if rare: x = 1`. Pure."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["goes_on_from_before"]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_LOOPS = (ast.For, ast.AsyncFor)
_WITHS = (ast.With, ast.AsyncWith)
_TRIES = (ast.Try, ast.TryStar)


def goes_on_from_before(node: ast.stmt, name: str) -> bool:
    """Return whether a statement that sets a name reads it first, or may leave it as it was.

    A loop is taken to run at least once as far as its own variable is concerned. A function that calls itself doesn't read.
    """
    return _reads_first([node], name) or not _sets([node], name)


def _reads_first(nodes: Sequence[ast.stmt], name: str) -> bool:
    """Return whether one of these statements reads the name before it is set."""
    for node in nodes:
        if any(_is_in(part, name, ast.Load) for part in _heads(node)):
            return True
        if any(_is_in(part, name, ast.Store) for part in _targets(node)):
            return False
        if any(_reads_first(block, name) for block in _blocks(node)):
            return True
        if _sets([node], name):
            return False
    return False


def _sets(nodes: Sequence[ast.stmt], name: str) -> bool:
    """Return whether the name is set, whichever way these statements go."""
    return any(_sets_one(node, name) for node in nodes)


def _sets_one(node: ast.stmt, name: str) -> bool:
    if _blocks(node):
        return any(_is_in(part, name, ast.Store) for part in _targets(node)) or _block_sets(node, name)
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any((each.asname or each.name.partition(".")[0]) == name for each in node.names)
    return getattr(node, "name", None) == name or _is_in(node, name, ast.Store)


def _block_sets(node: ast.stmt, name: str) -> bool:
    """Return whether the blocks of a statement set the name whichever of them run."""
    if isinstance(node, ast.If):
        return _sets(node.body, name) and _sets(node.orelse, name)
    if isinstance(node, _TRIES):
        always = _sets([*node.body, *node.orelse], name) and all(_sets(each.body, name) for each in node.handlers)
        return always or _sets(node.finalbody, name)
    return isinstance(node, _WITHS) and _sets(node.body, name)


def _heads(node: ast.stmt) -> list[ast.AST]:
    """Return what a statement evaluates first, apart from its blocks."""
    if isinstance(node, ast.AugAssign):  # the name on its left is read, too
        return [node.value, _loaded(node.target) if isinstance(node.target, ast.Name) else node.target]
    if isinstance(node, _WITHS):
        return [each.context_expr for each in node.items]
    if not _blocks(node):
        return [] if isinstance(node, _DEFINITIONS) else [node]
    heads = (getattr(node, field, None) for field in ("iter", "test", "subject"))
    return [each for each in heads if each is not None]


def _targets(node: ast.stmt) -> list[ast.AST]:
    """Return what a loop or a `with` sets before its block."""
    if isinstance(node, _LOOPS):
        return [node.target]
    if isinstance(node, _WITHS):
        return [each.optional_vars for each in node.items if each.optional_vars is not None]
    return []


def _blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    if isinstance(node, _DEFINITIONS):
        return []
    found: list[list[ast.stmt]] = [getattr(node, field, []) for field in ("body", "orelse", "finalbody")]
    inner: Iterable[ast.ExceptHandler | ast.match_case] = [*getattr(node, "handlers", ()), *getattr(node, "cases", ())]
    return [block for block in (*found, *(each.body for each in inner)) if block]


def _loaded(name: ast.Name) -> ast.Name:
    return ast.Name(name.id, ast.Load())


def _is_in(node: ast.AST, name: str, use: type[ast.expr_context]) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, use) for each in ast.walk(node))
