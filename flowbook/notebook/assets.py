"""The JavaScript and style sheets of the views, read from the package as text."""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

__all__ = ["Assets", "read_assets"]

#: How one module of the views names another.
_FROM = re.compile(r'\bfrom "\./([\w-]+)\.js"')
_SHEETS = ("tokens.css", "flowbook.css")


@dataclass(frozen=True, slots=True)
class Assets:
    """A widget's code: `esm` is the small loader that the host imports, `parts` all the rest by name, as text.

    Among the parts are the view itself, as "main", what makes its model, "host_widget", and the style sheets, whose names end in
    ".css".
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
    parts: dict[str, str] = {}
    _read(static, root, "main", parts)
    _read(static, "host_widget", "host_widget", parts)
    parts |= {name: static.joinpath(name).read_text("utf-8") for name in _SHEETS}
    return Assets(static.joinpath("loader.js").read_text("utf-8"), parts)


def _read(static: Traversable, module: str, name: str, parts: dict[str, str]) -> None:
    """Add the text of a module to `parts`, and those of all modules that it imports."""
    parts[name] = static.joinpath(f"{module}.js").read_text("utf-8")
    for imported in _FROM.findall(parts[name]):
        if imported not in parts:
            _read(static, imported, imported, parts)
