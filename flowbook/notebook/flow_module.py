"""A flow of a notebook as a module: imports first, then the definitions that matter, then the flow; a script and a deployment.

Functions are written as they stand in the cells, so that their code has the same hashes, and the first run finds the
notebook's cached outputs. Pure: texts in, text out.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, NamedTuple

from flowbook.notebook.statements import awaits, indented, is_definition, needed, read_statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flowbook.notebook.statements import Statement

__all__ = ["MARK", "FlowSource", "ModuleText", "write_module"]

#: In the first line of each exported module: such a file may be replaced.
MARK = "exported from a notebook by flowbook"


class FlowSource(NamedTuple):
    """What a flow is written from.

    Attributes:
        name: of the flow, and of the variable that holds it.
        body: of its cell.
        options: of the flow, each as code: `cache=True`.
        imports: what these options need, by module.
        parameters: of a run that aren't the defaults, as code by name.
        origin: the notebook's name.
    """

    name: str
    body: str
    options: Sequence[str] = ()
    imports: Mapping[str, Sequence[str]] = {}  # never changed
    parameters: Mapping[str, str] = {}  # as above
    origin: str = ""


class ModuleText(NamedTuple):
    """A module.

    Attributes:
        text: its code.
        cells: how many cells its code is from, the flow's own not counted.
        missing: names that the code reads, and no cell sets.
        unwritable: statements that only a notebook can run, of which the code needs what they set.
    """

    text: str
    cells: int
    missing: tuple[str, ...]
    unwritable: tuple[str, ...]


def write_module(flow: FlowSource, statements: Sequence[Statement]) -> ModuleText:
    """Return the module of a flow.

    Args:
        flow: what it is written from.
        statements: of all cells, in the order in which they ran.
    """
    body = read_statements(flow.body)
    own = [each for each in body if is_definition(each.node) and not _needs_earlier(each, body)]
    block = [each for each in body if each not in own]
    made = {name for each in body for name in each.sets}
    found, missing = needed(_read_from_elsewhere(body, made), statements)
    # What the body defines itself, definitions elsewhere may read.
    code = [each for each in (*found, *own) if not isinstance(each.node, ast.Import | ast.ImportFrom)]
    imports = [each.node for each in (*found, *own) if isinstance(each.node, ast.Import | ast.ImportFrom)]
    names = {name for each in (*code, *block) for name in each.reads}
    text = "\n".join(
        [
            _head(flow),
            *_import_lines(imports, names, flow.imports),
            *_code_lines(code),
            *_flow_lines(flow, block),
            "",
        ]
    )
    unwritable = tuple(each.text for each in (*code, *block) if "get_ipython" in each.reads or awaits([each.node]))
    return ModuleText(text, len({each.cell for each in found}), tuple(sorted(missing - made)), unwritable)


def _read_from_elsewhere(body: Sequence[Statement], made: set[str]) -> set[str]:
    """Return the names that a flow's body reads before it sets them; its definitions read them when they are called."""
    before, wanted = set[str](), set[str]()
    for each in body:
        wanted |= each.reads - (made if is_definition(each.node) else before)
        before |= each.sets
    return wanted


def _needs_earlier(statement: Statement, body: Sequence[Statement]) -> bool:
    """Return whether a definition reads, while it is made, what the body sets before it."""
    node = statement.node
    if isinstance(node, ast.Import | ast.ImportFrom):
        return False
    before = body[: body.index(statement)]
    set_there = {name for each in before if not is_definition(each.node) for name in each.sets}
    return bool(set_there & _read_at_once(node))


def _read_at_once(node: ast.stmt) -> set[str]:
    """Return the names that a definition reads while it is made: in decorators, defaults, bases and class bodies."""
    parts: list[ast.AST] = list(getattr(node, "decorator_list", ()))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parts += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    elif isinstance(node, ast.ClassDef):
        parts += [*node.bases, *node.keywords, *node.body]
    return {each.id for part in parts for each in ast.walk(part) if isinstance(each, ast.Name)}


def _head(flow: FlowSource) -> str:
    origin = f": {flow.origin}" if flow.origin else ""
    how = "Run it as a script. A deployment may name this file, too."
    return f'"""Flow {flow.name}, {MARK}{origin}.\n\n{how}\n"""\n'


# Imports ---------------------------------------------------------------------------------------------------------------


def _import_lines(
    nodes: Sequence[ast.Import | ast.ImportFrom], names: set[str], more: Mapping[str, Iterable[str]]
) -> list[str]:
    """Return the imports of these names, the standard library's first, each module once."""
    whole: set[str] = set()
    parts: dict[str, set[str]] = {module: set(found) for module, found in more.items()}
    for node in nodes:
        for each in node.names:
            bound = each.asname or each.name.partition(".")[0]
            is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
            if bound not in names and each.name != "*" and not is_future:
                continue
            text = each.name if each.asname in {None, each.name} else f"{each.name} as {each.asname}"
            if isinstance(node, ast.Import):
                whole.add(text)
            else:
                parts.setdefault("." * node.level + (node.module or ""), set()).add(text)
    parts.setdefault("flowbook", set()).add("Flow")
    lines = [f"import {each}" for each in sorted(whole)]
    lines += [f"from {module} import {', '.join(sorted(found))}" for module, found in sorted(parts.items())]
    groups: dict[int, list[str]] = {}
    for line in lines:
        groups.setdefault(_group(line.split()[1]), []).append(line)
    return [line for group in sorted(groups) for line in [*groups[group], ""]]


def _group(module: str) -> int:
    root = module.partition(".")[0]
    if root == "__future__":
        return 0
    return 1 if root in sys.stdlib_module_names else 2


# Code ------------------------------------------------------------------------------------------------------------------


def _code_lines(statements: Sequence[Statement]) -> list[str]:
    """Return the statements, definitions with two empty lines around them."""
    lines: list[str] = []
    was_definition = False
    for each in statements:
        is_defined = is_definition(each.node)
        if lines and (is_defined or was_definition):
            lines += ["", ""]
        elif is_defined and not lines:
            lines.append("")
        lines.append(each.text)
        was_definition = is_defined
    return [*lines, "", ""] if lines else []


def _flow_lines(flow: FlowSource, block: Sequence[Statement]) -> list[str]:
    options = "".join(f", {each}" for each in flow.options)
    given = ", ".join([*(f"{name}={value}" for name, value in flow.parameters.items()), "record=True"])
    return [
        f"with Flow({flow.name!r}{options}) as {flow.name}:",
        *(indented(each) for each in block),
        "",
        'if __name__ == "__main__":',
        f"    raise SystemExit({flow.name}.run({given}).is_failed())",
    ]
