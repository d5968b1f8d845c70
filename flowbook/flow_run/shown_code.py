"""Lines of code for people: without the secrets that stand in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.masks import Masks
from flowbook.report.secret_literals import without_secrets
from flowbook.results.code_source import changed_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.results.code_source import ChangedLine, Sources

__all__ = ["shown_changed_line"]


def shown_changed_line(before: Sources, now: Sources, names: Sequence[str]) -> ChangedLine | None:
    """Return the first line that is another one now, as `changed_line` does, with what is secret in it masked.

    That is texts that sound secret by their names, as in tracebacks, and the secrets in this process's environment.
    """
    line = changed_line(before, now, names)
    if line is None:
        return None
    hide = Masks.around(None).text
    return line._replace(text=hide(without_secrets(line.text)), was=hide(without_secrets(line.was)))
