"""Reads `--param NAME=VALUE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import DefinitionError
from flowbook.flow_run.decision import TypedText
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["read_params"]


def read_params(pairs: Iterable[str]) -> dict[str, TypedText]:
    """Return `["origin=JFK", "year=2013"]` as texts by name, to be read as the parameters' defaults.

    Raises:
        DefinitionError: if one has no `=`.
    """
    found: dict[str, TypedText] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            msg = f"--param {printable(pair)!r} isn't NAME=VALUE. Write e.g. --param origin=JFK."
            raise DefinitionError(msg, param=pair)
        found[name.strip()] = TypedText(text)
    return found
