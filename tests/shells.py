"""Shells of IPython that know flowbook, as a notebook's kernel has one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from IPython.core.interactiveshell import InteractiveShell

from flowbook.notebook import extension

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["opened"]


@contextlib.contextmanager
def opened(*cells: str) -> Iterator[InteractiveShell]:
    """Give a shell with flowbook's extension in which these cells have run; undo it at the end."""
    shell = InteractiveShell()
    extension.load(shell)
    try:
        for cell in cells:
            shell.run_cell(cell)
        yield shell
    finally:
        shell.history_manager.end_session()
        extension.unload(shell)
