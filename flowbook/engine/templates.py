"""Texts that a task's author wrote with placeholders, filled in for one run: its name, and the file for its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._context import MISSING
from flowbook.exceptions import RunError
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook._context import ContextLayer

__all__ = ["fill"]


def fill(template: str | Callable[..., str], inputs: Mapping[str, object], layer: ContextLayer) -> str:
    """Return the text: placeholders are inputs, else values of the context, e.g. "{year}/{today}-{map_index}".

    Inputs that are references are loaded if the text uses them. A function gets all as keywords; its exceptions are passed on.

    Raises:
        RunError: if there is nothing of a placeholder's name, or the function returns no text.
    """
    if callable(template):
        text: object = template(**{**_seen(layer), **{name: _loaded(value) for name, value in inputs.items()}})
        if not isinstance(text, str) or not text:
            msg = f"{getattr(template, '__name__', template)} returned {text!r}. Return a text."
            raise RunError(msg)
        return text
    try:
        return template.format_map(_Values(inputs, layer))
    except _UnknownError as error:
        known = ", ".join(inputs) or "none"
        msg = f"{template!r} asks for {error.name!r}, which is neither an input nor in the context. Inputs: {known}."
        raise RunError(msg, name=error.name) from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        msg = f"{template!r} can't be filled in: {error}. Correct the placeholder."
        raise RunError(msg) from error


class _UnknownError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Values(dict[str, object]):
    """Looks a name up among inputs, then outwards through the layers."""

    def __init__(self, inputs: Mapping[str, object], layer: ContextLayer) -> None:
        super().__init__(inputs)
        self._layer = layer

    def __getitem__(self, name: str) -> object:
        return _loaded(super().__getitem__(name))

    def __missing__(self, name: str) -> object:
        layer: ContextLayer | None = self._layer
        while layer is not None:
            value = layer.find(name)
            if value is not MISSING:
                return value
            layer = layer.parent
        raise _UnknownError(name)


def _loaded(value: object) -> object:
    return value.load() if is_reference(value) else value


def _seen(layer: ContextLayer | None) -> dict[str, object]:
    found: dict[str, object] = {}
    while layer is not None:
        for name in layer.names():
            found.setdefault(name, layer.find(name))
        layer = layer.parent
    return found
