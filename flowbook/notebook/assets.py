"""The JavaScript and style sheets of the views, read from the package as text."""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

__all__ = ["Assets", "read_assets", "read_report_script", "read_sheets", "read_views"]

#: How one module of the views names another.
_FROM = re.compile(r'\bfrom "\./([\w-]+)\.js"')
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+)\.js";\n', re.MULTILINE)
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
    static = folder if folder is not None else _static()
    parts = read_views(root, "host_widget", static)
    parts |= {name: static.joinpath(name).read_text("utf-8") for name in _SHEETS}
    return Assets(static.joinpath("loader.js").read_text("utf-8"), parts)


def read_views(root: str, host: str, folder: Traversable | None = None) -> dict[str, str]:
    """Return the text of each module of a view by name: of the root module as "main", of what makes its model as `host`."""
    static = folder if folder is not None else _static()
    parts: dict[str, str] = {}
    _read(static, root, "main", parts)
    _read(static, host, host, parts)
    return parts


def read_sheets() -> str:
    """Return the style sheets of the views and of a report's page."""
    return "\n".join(_static().joinpath(name).read_text("utf-8") for name in ("report.css", *_SHEETS))


def read_report_script() -> str:
    """Return a report's script: one module, with those that it imports in place of their imports."""
    static = _static()
    entry = static.joinpath("report_entry.js").read_text("utf-8")
    return _IMPORT.sub(lambda found: static.joinpath(f"{found[1]}.js").read_text("utf-8"), entry)


def _static() -> Traversable:
    return importlib.resources.files("flowbook.notebook").joinpath("static")


def _read(static: Traversable, module: str, name: str, parts: dict[str, str]) -> None:
    """Add the text of a module to `parts`, and those of all modules that it imports."""
    parts[name] = static.joinpath(f"{module}.js").read_text("utf-8")
    for imported in _FROM.findall(parts[name]):
        if imported not in parts:
            _read(static, imported, imported, parts)
