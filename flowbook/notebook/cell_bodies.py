"""Runs the body of a cell as IPython runs a cell, but reads and compiles it only once."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult

from flowbook._utils.gc_pause import gc_paused

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import CodeType

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["CellBodies"]


class _Compiled(NamedTuple):
    """What a body was compiled to.

    Attributes:
        source: of the body.
        text: the same as IPython reads it: it ends with a line break.
        filename: by which IPython knows the source; it may depend on the number of the cell.
        flags: of the compiler, which has the notebook's own `from __future__` imports.
        codes: to run one after the other; the last shows the value of the body's last expression.
    """

    source: str
    text: str
    filename: str
    flags: int
    codes: tuple[CodeType, ...]


class CellBodies:
    """The bodies of a notebook's cells, and what those that ran last were compiled to.

    IPython reads a cell three times and compiles each of its lines by itself, which takes 45 ms for 1,000 lines. Where a person
    has changed how cells are read or run, and for a body that isn't plain Python, it is left to IPython alone.

    Args:
        shell: the IPython shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._compiled: dict[str, _Compiled] = {}

    def run(self, name: str, source: str) -> BaseException | None:
        """Run a body as an ordinary cell that isn't noted in the history; return what it raised, which was shown.

        Args:
            name: of the cell; what an earlier body of that name was compiled to is forgotten.
            source: of the body.
        """
        compiled = self._known(name, source) if _is_ordinary(self._shell) else None
        result = self._shell.run_cell(source, store_history=False) if compiled is None else self._run(compiled)
        found: BaseException | None = result.error_before_exec or result.error_in_exec
        return found

    def _known(self, name: str, source: str) -> _Compiled | None:
        """Return what a body is compiled to; None if it isn't plain Python, or can't be compiled as a whole."""
        shell = self._shell
        known = self._compiled.pop(name, None)
        if known is not None and known.source != source:
            known = None
        text = _plain_text(shell, source) if known is None else known.text
        if text is None:
            return None
        filename = shell.compile.cache(text, shell.displayhook.prompt_count, raw_code=source)
        if known is None or (known.filename, known.flags) != (filename, shell.compile.flags):
            try:
                codes = _compile(shell, text, filename)
            except (SyntaxError, ValueError, OverflowError, RecursionError):
                return None
            known = _Compiled(source, text, filename, shell.compile.flags, codes)
        self._compiled[name] = known
        return known

    def _run(self, compiled: _Compiled) -> ExecutionResult:
        """Run a body with all that IPython does around the code of a cell."""
        shell, source = self._shell, compiled.source
        info = ExecutionInfo(source, store_history=False, silent=False, shell_futures=True, cell_id=None)
        result = ExecutionResult(info)
        result.execution_count = shell.displayhook.prompt_count
        try:
            shell.events.trigger("pre_execute")
            shell.events.trigger("pre_run_cell", info)
            shell.logger.log(compiled.text, source)
            with shell.builtin_trap, shell.display_trap:
                shell.displayhook.exec_result = result
                has_failed = any(_ended(shell.run_code(code, result)) for code in compiled.codes)
                shell.displayhook.exec_result = None
            shell.last_execution_succeeded, shell.last_execution_result = not has_failed, result
        except BaseException as error:  # noqa: BLE001  # from around the code: a handler of errors that fails itself
            result.error_in_exec = error
            shell.showtraceback(running_compiled_code=True)
        finally:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
        return result


def _is_ordinary(shell: InteractiveShell) -> bool:
    """Return whether cells are read and run as IPython does on its own."""
    manager = shell.input_transformer_manager
    readers = (*manager.cleanup_transforms, *manager.line_transforms, *manager.token_transformers)
    return (
        shell.ast_node_interactivity == "last_expr"
        and not shell.ast_transformers
        and not shell.input_transformers_post
        and all(each.__module__.startswith("IPython.") for each in readers)
    )


def _plain_text(shell: InteractiveShell, source: str) -> str | None:
    """Return a body as IPython reads it if that changes nothing but its end; None otherwise."""
    try:
        text = shell.transform_cell(source)
    except Exception:  # noqa: BLE001  # IPython shows it when it runs the cell
        return None
    return text if text.removesuffix("\n") == source.removesuffix("\n") else None


def _compile(shell: InteractiveShell, text: str, filename: str) -> tuple[CodeType, ...]:
    compiler: Any = shell.compile  # takes trees, too, of which its types say nothing
    with gc_paused():
        statements = compiler.ast_parse(text, filename=filename).body
        last = [statements.pop()] if statements and isinstance(statements[-1], ast.Expr) else []
        codes = [compiler(ast.Module(statements, []), filename, "exec")] if statements else []
        if last:
            codes.append(compiler(ast.Interactive(last), filename, "single"))
    return tuple(codes)


def _ended(coroutine: Coroutine[object, None, bool]) -> bool:
    """Return what a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return bool(end.value)
    msg = "The code of a cell's body waits for something, though it was compiled without `await`."
    raise RuntimeError(msg)
