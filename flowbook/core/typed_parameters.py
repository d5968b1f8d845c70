"""Reads the texts that a person typed for a flow's parameters as values of their defaults' kinds. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.core.parameter import Parameter
from flowbook.flow_run.decision import TypedText
from flowbook.flow_run.typed_text import read_like
from flowbook.report.parameter_text import has_no_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["read_as_defaults"]


def read_as_defaults(parameters: Iterable[Parameter], given: Mapping[str, object]) -> dict[str, object]:
    """Return given values: each `TypedText` read as its default, other texts only where that is a date, an enum and the like.

    A parameter that reads texts itself, as `DateTimeParameter` does, gets its text, or the literal that was typed.

    Raises:
        ParameterError: if a text is no value of its parameter's kind.
    """
    defaults = {each.name: each.default for each in parameters if type(each).accept is Parameter.accept}
    read = dict(given)
    for name, value in given.items():
        like = defaults.get(name)
        if isinstance(value, TypedText) or (isinstance(value, str) and has_no_literal(like)):
            read[name] = read_like(name, str(value), like)
    return read
