"""`%%task NAME(a, b)`: a cell as a task. Its names are the task's own, and its last expression is what the task returns."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from flowbook.core.function_task import task
from flowbook.exceptions import FlowbookError
from flowbook.notebook.statements import awaits

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.core.function_task import FunctionTask

__all__ = ["definition_of_cell", "task_of_cell"]

_USAGE = "Write %%task NAME(a, b=1), and after it options as for @task: %%task clean(rows), cache=True."


def task_of_cell(shell: InteractiveShell, line: str, cell: str) -> FunctionTask:
    """Return the task; put it under its name into the user's namespace.

    Args:
        shell: the IPython shell.
        line: `NAME(a, b=1)`, then options as for `@task`.
        cell: the body.

    Raises:
        UsageError: if the line isn't as above, or the options aren't those of a task.
        SyntaxError: if the cell isn't Python.
    """
    definition, options = definition_of_cell(shell, line, cell)
    name, namespace = definition.name, shell.user_ns
    function = _function(shell, definition, _source(line, cell))
    try:
        made = task(function, **eval(f"dict({options})", namespace))  # noqa: S307  # the person's own line, in their names
    except FlowbookError as error:
        raise UsageError(str(error)) from error
    except Exception as error:
        msg = f"%%task {name}: {options!r} aren't options: {error}. {_USAGE}"
        raise UsageError(msg) from error
    namespace[name] = made
    return made


def definition_of_cell(
    shell: InteractiveShell, line: str, cell: str
) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]:
    """Return the function whose body is the cell, and the task's options as they are written.

    Raises:
        UsageError: if the line isn't a name with arguments, or the cell is empty.
        SyntaxError: if the cell isn't Python.
    """
    signature, options = _split(line.strip())
    source = _source(line, cell)
    body = ast.parse(shell.transform_cell(source), shell.compile.cache(source)).body
    if not body:
        msg = f"%%task {signature}: the cell is empty. Write what the task does."
        raise UsageError(msg)
    if isinstance(body[-1], ast.Expr):
        body[-1] = ast.copy_location(ast.Return(body[-1].value), body[-1])
    keyword = "async def" if awaits(body) else "def"
    definition = ast.parse(f"{keyword} {signature}: pass").body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101  # as just written
    definition.body = body
    return definition, options


def _source(line: str, cell: str) -> str:
    """Return the cell with a line for the magic's own, so that a traceback counts the lines as the person sees them."""
    return f"# %%task {line.strip()}\n{cell}"


def _split(line: str) -> tuple[str, str]:
    """Return the signature and the options after it."""
    for end in (place for place, char in enumerate(line, 1) if char == ")"):
        try:
            ast.parse(f"def {line[:end]}: pass")
        except SyntaxError:
            continue
        rest = line[end:].strip()
        if rest and not rest.startswith(","):
            break
        return line[:end], rest.removeprefix(",").strip()
    msg = f"%%task {line}: that isn't a name with its arguments. {_USAGE}" if line else f"%%task needs a name. {_USAGE}"
    raise UsageError(msg)


def _function(
    shell: InteractiveShell, definition: ast.FunctionDef | ast.AsyncFunctionDef, source: str
) -> Callable[..., Any]:
    """Return the function, compiled."""
    module = ast.Module([definition], [])
    # With the notebook's own `from __future__` imports, not with this module's.
    flags, filename = shell.compile.flags, shell.compile.cache(source)
    code = compile(ast.fix_missing_locations(module), filename, "exec", flags, dont_inherit=True)
    found: dict[str, Any] = {}
    # Its globals are the notebook's own, of which this sets none.
    exec(code, shell.user_ns, found)  # noqa: S102  # the person's own cell
    made: Callable[..., Any] = found[definition.name]
    return made
