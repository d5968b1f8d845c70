"""The body of a `%%flow` cell: run inside a new flow, and evaluated anew with the definitions of the moment."""

from __future__ import annotations

import ast
import sys
import tokenize
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from IPython.core.displayhook import DisplayHook
from IPython.core.error import UsageError

from flowbook.core.flow import Flow
from flowbook.core.operators import name_after_variables
from flowbook.core.task import Task
from flowbook.exceptions import DefinitionError, FlowbookError
from flowbook.notebook.tracebacks import skip_showing
from flowbook.report.phrases import error_text, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.core.cache_policy import FlowCache
    from flowbook.notebook.cell_bodies import CellBodies

__all__ = ["FlowCell"]


@dataclass(frozen=True, slots=True)
class FlowCell:
    """One `%%flow` cell as it ran last.

    Attributes:
        name: of the flow.
        body: the cell without the magic's own line.
        cache: the flow's option.
        executor: where it runs, as the cell's line says it; None: not said.
    """

    name: str
    body: str
    cache: FlowCache = False
    executor: str | None = None

    def write(self, shell: InteractiveShell, bodies: CellBodies) -> Flow:
        """Run the body as an ordinary cell inside a new flow, and return the flow. Raises what the body raises."""
        _refuse_second_flow(self.body)
        _refuse_await(self.body)
        failed = None
        flow = Flow(self.name, cache=self.cache)
        before = {key: value for key, value in shell.user_ns.items() if isinstance(value, Task)}
        try:
            with flow, _tasks_unshown(shell, self.body):
                failed = bodies.run(self.name, self._source)
                if failed is not None:
                    shell.user_ns.update(before)
                    skip_showing(shell, failed)
                    raise failed
                name_after_variables(flow, _new_tasks(shell.user_ns, before))
        except FlowbookError as error:
            if error is failed:
                raise
            raise UsageError(str(error)) from error
        if not len(flow):
            msg = f"Flow {self.name!r} has no tasks. Call at least one @task in the cell's body."
            raise UsageError(msg)
        return flow

    def rewrite(self, shell: InteractiveShell) -> Flow:
        """Return a new flow of the body with today's definitions; may be called in any thread.

        What the body itself defines or imports isn't evaluated again if it is still there: a newer definition wins.

        Raises:
            DefinitionError: if the body can't be evaluated any more.
        """
        namespace = shell.user_ns
        before = {key: value for key, value in namespace.items() if isinstance(value, Task)}
        flow = Flow(self.name, cache=self.cache)
        try:
            tree = ast.parse(shell.transform_cell(self._source))
            tree.body = [each for each in tree.body if not _is_defined(each, namespace)]
            # With the notebook's own `from __future__` imports, not with this module's.
            filename = shell.compile.cache(self._source)
            code = compile(tree, filename, "exec", shell.compile.flags, dont_inherit=True)
            with flow:
                exec(code, namespace)  # noqa: S102  # the person's own cell, as the shell ran it
                name_after_variables(flow, _new_tasks(namespace, before))
        except BaseException as error:
            namespace.update(before)
            msg = (
                f"The cell of flow {self.name!r} can't be evaluated with today's definitions: {error_text(error)}. "
                "Run the cell itself to see where, or go on with the code as it was: --as-recorded."
            )
            raise DefinitionError(msg, flow=self.name) from error
        return flow

    @property
    def _source(self) -> str:
        """The body with a line for the magic's own, so that a traceback counts the lines as the person sees them."""
        return f"# %%flow {self.name}\n{self.body}"


def _is_defined(node: ast.stmt, namespace: Mapping[str, object]) -> bool:
    """Return whether a statement only defines or imports what is there already."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name in namespace
    if isinstance(node, ast.Import | ast.ImportFrom):
        return all((each.asname or each.name.partition(".")[0]) in namespace for each in node.names)
    return False


def _new_tasks(now: Mapping[str, object], before: Mapping[str, Task]) -> dict[str, object]:
    """Return the variables that a cell gave a task."""
    return {name: value for name, value in now.items() if isinstance(value, Task) and before.get(name) is not value}


@contextmanager
def _tasks_unshown(shell: InteractiveShell, cell: str) -> Iterator[None]:
    """Show the cell's last expression, as any cell does, unless it is a task: the graph shows those."""
    with shell.display_trap:
        show = sys.displayhook
        is_quiet = _ends_quietly(cell)
        sys.displayhook = lambda value: None if is_quiet or _holds_task(value) else show(value)
        try:
            yield
        finally:
            sys.displayhook = show


def _ends_quietly(cell: str) -> bool:
    if ";" not in cell:  # of a long cell, finding out takes long
        return False
    try:
        return bool(DisplayHook.semicolon_at_end_of_expression(cell))
    except (tokenize.TokenError, SyntaxError):
        return False


def _holds_task(value: object) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list, set)) else (value,)
    return any(isinstance(item, Task) for item in items)


def _refuse_second_flow(cell: str) -> None:
    if "%%flow" not in cell or _is_python(cell):  # of a text, a line may begin so
        return
    for number, line in enumerate(cell.splitlines(), 2):
        if line.startswith("%%flow"):
            msg = f"Line {number} begins another flow: {shorten(line, 60)}. Write it in a cell of its own."
            raise UsageError(msg)


def _is_python(cell: str) -> bool:
    try:
        ast.parse(cell)
    except (SyntaxError, ValueError):
        return False
    return True


def _refuse_await(cell: str) -> None:
    if "await" not in cell and "async" not in cell:  # of a long cell, finding out takes long
        return
    try:
        tree = ast.parse(cell, mode="exec")
    except SyntaxError:
        return  # magics and shell lines aren't Python, and an error shows when the cell runs
    nested = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            msg = (
                f"Line {getattr(node, 'lineno', 0) + 1} awaits at the top of a %%flow cell: the flow is only written here. "
                "Await in another cell, or inside an `async def` task."
            )
            raise UsageError(msg)
        if not isinstance(node, nested):
            stack.extend(ast.iter_child_nodes(node))
