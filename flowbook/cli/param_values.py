"""Reads `--param NAME=VALUE`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from flowbook.exceptions import DefinitionError
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["read_params"]


def read_params(pairs: Iterable[str]) -> dict[str, object]:
    """Return `["origin=JFK", "year=2013"]` as values by name: Python literals as their values, anything else as text.

    Raises:
        DefinitionError: if one has no `=`.
    """
    found: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            msg = f"--param {printable(pair)!r} isn't NAME=VALUE. Write e.g. --param origin=JFK."
            raise DefinitionError(msg, param=pair)
        try:
            found[name.strip()] = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found[name.strip()] = text
    return found
