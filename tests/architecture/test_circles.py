"""No module imports itself by way of others, types included; and each is short enough to be read at once."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "flowbook"
#: A task is compiled by its edges, which lead from task to task; an operator on a task makes another task.
AGGREGATE = ["flowbook.core.deferred", "flowbook.core.edge", "flowbook.core.operators", "flowbook.core.task"]
MOST_LINES = 450


def _name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)


def circles(graph):
    """Return the strongly connected parts of `graph` with more than one member, each sorted (Tarjan's algorithm)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
            on_stack.difference_update(part)
            if len(part) > 1:
                found.append(sorted(part))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_circles_are_found():
    graph = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": []}

    found = circles(graph)

    assert found == [["a", "b", "c"]]


def test_only_tasks_their_operators_and_edges_import_each_other_in_a_circle():
    graph = {
        name: sorted({each for each in _imports(path) if each in MODULES} - {name}) for name, path in MODULES.items()
    }

    found = circles(graph)

    assert found == [AGGREGATE]


def test_every_module_is_short_enough_to_be_read_at_once():
    sizes = {
        path.name: path.read_text(encoding="utf-8").count("\n") for path in (*MODULES.values(), *PACKAGE.rglob("*.js"))
    }

    assert {name: lines for name, lines in sizes.items() if lines > MOST_LINES} == {}
