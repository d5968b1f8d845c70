"""The JavaScript and style sheets of the views, read from the package as text."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

__all__ = ["Assets", "read_assets"]

_LOADER = "loader"
_ROOTS = ("panel", "cache")
_SHEETS = ("tokens.css", "flowbook.css")


@dataclass(frozen=True, slots=True)
class Assets:
    """A widget's code: `esm` is the small loader that the host imports, `parts` all the rest by name, as text.

    Among the parts are the view itself, as "main", and the style sheets, whose names end in ".css".
    """

    esm: str
    parts: Mapping[str, str]


def read_assets(root: str, folder: Traversable | None = None) -> Assets:
    """Return the code of the widget whose root module is `root` ("panel" or "cache").

    Args:
        root: name of the module, without ".js".
        folder: where the files are; the package's own by default.
    """
    static = folder if folder is not None else importlib.resources.files("flowbook.notebook").joinpath("static")
    modules = {item.name.removesuffix(".js"): item for item in static.iterdir() if item.name.endswith(".js")}
    names = [name for name in sorted(modules) if name not in (*_ROOTS, _LOADER)]
    parts = {"main": modules[root], **{name: modules[name] for name in names}}
    parts |= {name: static.joinpath(name) for name in _SHEETS}
    return Assets(modules[_LOADER].read_text("utf-8"), {name: part.read_text("utf-8") for name, part in parts.items()})
