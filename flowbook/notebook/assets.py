"""The views' code as it is sent, read from the package once: what a widget, a report and the labextension each need of it."""

from __future__ import annotations

import functools
import importlib.resources
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.notebook.views_code import compact_script, compact_sheet, pack, read_modules

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["Assets", "read_assets", "read_report_script", "read_report_sheet", "read_views"]

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+)\.js";\n', re.MULTILINE)
_SHEETS = ("tokens.css", "flowbook.css")


@dataclass(frozen=True, slots=True)
class Assets:
    """A widget's code: `esm` is the small loader that the host imports, `parts` all the rest by name, packed.

    Among the parts are the view itself, as "main", what makes its model, "host_widget", and the style sheets, whose names end in
    ".css".
    """

    esm: str
    parts: bytes


@functools.cache
def read_assets(root: str, folder: Traversable | None = None) -> Assets:
    """Return the code of the widget whose root module is `root` ("panel" or "cache").

    Args:
        root: name of the module, without ".js".
        folder: where the files are; the package's own by default.
    """
    static = folder if folder is not None else _static()
    loader = compact_script(static.joinpath("loader.js").read_text("utf-8"))
    return Assets(loader, pack(read_views(root, "host_widget", static)))


def read_views(root: str, host: str, folder: Traversable | None = None) -> dict[str, str]:
    """Return the texts of a view by name: its root module as "main", what makes its model as `host`, and its style sheets."""
    static = folder if folder is not None else _static()
    parts: dict[str, str] = {}
    read_modules(static, root, "main", parts)
    read_modules(static, host, host, parts)
    return parts | {name: compact_sheet(static.joinpath(name).read_text("utf-8")) for name in _SHEETS}


def read_report_sheet() -> str:
    """Return the style sheet of a report's page, without those of the views."""
    return compact_sheet(_static().joinpath("report.css").read_text("utf-8"))


def read_report_script() -> str:
    """Return a report's script: one module, with those that it imports in place of their imports."""
    static = _static()
    entry = static.joinpath("report_entry.js").read_text("utf-8")
    return compact_script(_IMPORT.sub(lambda found: static.joinpath(f"{found[1]}.js").read_text("utf-8"), entry))


def _static() -> Traversable:
    return importlib.resources.files("flowbook.notebook").joinpath("static")
