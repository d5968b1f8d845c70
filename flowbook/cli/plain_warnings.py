"""What flowbook warns of while a command runs, as one line: whoever types a command has no use for a line of flowbook's code."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowbook.cli.output import Output

__all__ = ["plain_warnings"]

_PACKAGE = Path(__file__).parents[1]


@contextlib.contextmanager
def plain_warnings(out: Output) -> Iterator[None]:
    """In the block, write flowbook's own warnings as sentences; those of users' code and of libraries stay as they are."""
    shown = warnings.showwarning

    def show(  # noqa: PLR0913  # as Python calls it
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is UserWarning and Path(filename).is_relative_to(_PACKAGE):
            out.warning(str(message))
        else:
            shown(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = shown
