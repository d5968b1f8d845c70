"""What `%load_ext flowbook` and `%unload_ext flowbook` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.notebook.magics import FlowMagics
from flowbook.notebook.tracebacks import show_writers_line, unshow_writers_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Add `%%flow`, `%flow` and `%cache`."""
    shell.register_magics(FlowMagics(shell))
    show_writers_line(shell)


def unload(shell: InteractiveShell) -> None:
    """Take them away again."""
    for kind, names in (("line", ("flow", "cache")), ("cell", ("flow",))):
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    unshow_writers_line(shell)
