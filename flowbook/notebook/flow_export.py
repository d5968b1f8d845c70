"""What `%flow export FILE.py` does: writes a flow of the notebook as a module, from the cells that ran in this kernel."""

from __future__ import annotations

import ast
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from flowbook.notebook.flow_module import MARK, FlowSource, write_module
from flowbook.notebook.frontend import notebook_name
from flowbook.notebook.statements import code_of, read_statements
from flowbook.notebook.task_cell import definition_of_cell
from flowbook.report.phrases import listed, shorten
from flowbook.report.secret_names import shown_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.core.flow import Flow
    from flowbook.notebook.notebook_flows import NotebookFlows
    from flowbook.notebook.statements import Statement

__all__ = ["export_module"]

_EXECUTORS = {
    "local": ("LocalExecutor()", "LocalExecutor"),
    "processes": ('LocalDaskExecutor("processes")', "LocalDaskExecutor"),
    "synchronous": ('LocalDaskExecutor("synchronous")', "LocalDaskExecutor"),
    "threads": ("LocalDaskExecutor()", "LocalDaskExecutor"),
    "dask": ("DaskExecutor()", "DaskExecutor"),
}
_NAMED_AT_MOST = 5
#: Magics whose cell runs as any other.
_TRANSPARENT = frozenset({"capture", "time"})


def export_module(shell: InteractiveShell, flows: NotebookFlows, name: str | None, file: str) -> str:
    """Write a flow as a module; return what to say of it.

    Args:
        shell: the IPython shell.
        flows: of the notebook.
        name: of the flow; None: the only one.
        file: where to.

    Raises:
        UsageError: if there is no such flow, the file is somebody else's, or the flow needs what only a notebook can run.
    """
    path = Path(file).expanduser()
    _refuse_others(path)
    if name is None and len(flows.names()) == 1:
        (name,) = flows.names()
    flow = flows.flow(name)
    cell = flows.cell(flow.name)
    if cell is None:
        msg = f"Flow {flow.name!r} wasn't written by a %%flow cell. Copy the cells that write it into {path.name}."
        raise UsageError(msg)
    options, imports = _options(cell.cache, cell.executor)
    body = shell.transform_cell(cell.body)
    source = FlowSource(flow.name, body, options, imports, _parameters(flow), notebook_name(shell))
    made = write_module(source, list(_history(shell, cell.body)))
    if made.unwritable:
        lines = listed([shorten(each, 60) for each in made.unwritable], _NAMED_AT_MOST)
        msg = f"Only a notebook can run this, and flow {flow.name!r} needs what it gives: {lines}. Write it in Python."
        raise UsageError(msg)
    if made.missing:
        names = listed(made.missing, _NAMED_AT_MOST)
        msg = f"No cell of this kernel sets {names}, which flow {flow.name!r} needs. Run the cells that do, then export again."
        raise UsageError(msg)
    path.write_text(made.text, encoding="utf-8")
    count = sum(not (spec.is_parameter or spec.gathers) for spec in flow.compile().specs.values())
    cells = f"{made.cells + 1} cell{'s' if made.cells else ''}"
    tasks = f"{count} task{'' if count == 1 else 's'}"
    return f"Wrote {path}: flow {flow.name}, {tasks}, from {cells}. Run it: python {shlex.quote(str(path))}"


def _refuse_others(path: Path) -> None:
    if path.suffix != ".py":
        msg = f"%flow export {path}: give a file that ends in .py, for the flow, or in .html, for a run."
        raise UsageError(msg)
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent}. Make it first, or give another file."
        raise UsageError(msg)
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]:
        msg = f"{path} is there already and wasn't exported by flowbook. Give another file, or move it away."
        raise UsageError(msg)


def _options(cache: object, executor: str | None) -> tuple[list[str], dict[str, list[str]]]:
    """Return the options of the flow as code, and what they need to be imported."""
    options = [f"cache={cache!r}"] if cache else []
    if executor is None:
        return options, {}
    code, kind = _EXECUTORS.get(executor, (executor, ""))
    address = executor.removeprefix("dask:")
    if address != executor:
        code, kind = f"DaskExecutor({address!r})", "DaskExecutor"
    return [*options, f"executor={code}"], {"flowbook.executors": [kind]} if kind else {}


def _parameters(flow: Flow) -> dict[str, str]:
    """Return the parameters of the newest run that aren't the defaults, as code: those that can be, and hold no secret."""
    if flow.last_run is None:
        return {}
    defaults = {each.name: each.default for each in flow.parameters()}
    given = {name: value for name, value in flow.last_run.parameters.items() if name in defaults}
    given = {name: value for name, value in given.items() if shown_value(name, value) == value}
    return {name: repr(value) for name, value in given.items() if _is_literal(value) and value != defaults[name]}


def _is_literal(value: object) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False


# The cells -------------------------------------------------------------------------------------------------------------


def _history(shell: InteractiveShell, body: str) -> Iterator[Statement]:
    """Yield the statements of the cells that ran in this kernel, but those of the flow's own cell."""
    history = shell.history_manager
    for number, source in enumerate(history.input_hist_parsed if history is not None else ()):
        yield from _statements(shell, source, number, body)


def _statements(shell: InteractiveShell, source: str, number: int, body: str) -> Iterator[Statement]:
    try:
        found = read_statements(source, number)
    except SyntaxError:
        return
    for each in found:
        magic = _cell_magic(each.node)
        if magic is None:
            yield _named(each)
        elif magic[0] in _TRANSPARENT:
            yield from _statements(shell, shell.transform_cell(magic[2]), number, body)
        elif magic[0] == "task":
            yield from _of_task_cell(shell, magic[1], magic[2], number)
        elif magic[0] == "flow" and magic[2] != body:
            yield from (
                inner for inner in _statements(shell, shell.transform_cell(magic[2]), number, body) if _defines(inner)
            )


def _named(statement: Statement) -> Statement:
    """Return `from module import *` with the names that it imports; other statements as they are."""
    node = statement.node
    module = sys.modules.get(node.module or "") if isinstance(node, ast.ImportFrom) and not node.level else None
    if module is None or not isinstance(node, ast.ImportFrom) or node.names[0].name != "*":
        return statement
    names = getattr(module, "__all__", None) or [each for each in vars(module) if not each.startswith("_")]
    return code_of(ast.ImportFrom(node.module, [ast.alias(each) for each in names], 0), statement.cell)


def _defines(statement: Statement) -> bool:
    """Return whether another flow's cell defines something here that is no task of that flow."""
    return isinstance(
        statement.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
    )


def _cell_magic(node: ast.stmt) -> tuple[str, str, str] | None:
    """Return name, line and body if a statement runs a cell magic, as IPython writes it; of `%time x = 1`, too."""
    call: Any = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    parts = [str(each.value) for each in call.args if isinstance(each, ast.Constant)]
    if call.func.attr == "run_line_magic" and parts[:1] == ["time"]:
        return "time", "", parts[-1]
    is_cell = call.func.attr == "run_cell_magic" and len(parts) == 3  # noqa: PLR2004  # as IPython writes them
    return (parts[0], parts[1], parts[2]) if is_cell else None


def _of_task_cell(shell: InteractiveShell, line: str, cell: str, number: int) -> Iterable[Statement]:
    """Return the task of a `%%task` cell, and the import that it needs."""
    definition, options = definition_of_cell(shell, line, cell)
    decorator = ast.parse(f"task({options})" if options else "task", mode="eval").body
    definition.decorator_list = [decorator]
    return [
        *read_statements("from flowbook import task", number),
        code_of(ast.fix_missing_locations(definition), number),
    ]
