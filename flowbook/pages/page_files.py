"""The files of the pages: one HTML document for each kind, and the modules and style sheets of the views, with their policies."""

from __future__ import annotations

import hashlib
import html
import importlib.resources
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os
    from importlib.resources.abc import Traversable

    from starlette.staticfiles import PathLike
    from starlette.types import Scope

__all__ = ["FRAME_POLICY", "POLICY", "ViewFiles", "page", "stamp"]

#: No script and no style in the page itself, nothing from elsewhere; what a value shows as HTML is in a frame of its own.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
#: What a value's own HTML may do: run its scripts, in a document without an origin and without a network.
FRAME_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; media-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="flowbook-frame" content="{root}frame">
<meta name="flowbook-person" content="{person}">
<title>flowbook</title>
<link rel="icon" href="{static}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{static}page.css">
<link rel="stylesheet" href="{static}tokens.css">
<link rel="stylesheet" href="{static}flowbook.css">
<script type="module" src="{static}page_{kind}.js"></script>
</head>
<body>
<main class="fb-page" id="page" data-page="{kind}"><noscript>flowbook's pages need JavaScript.</noscript></main>
</body>
</html>
"""


def page(kind: str, depth: int, person: str = "") -> Response:
    """Return the document of a kind of page.

    Args:
        kind: "runs", "run", "cache", "deployments" or "approve": names its module.
        depth: how many folders of the server the page's address is in; links are relative, so a proxy may put any path before.
        person: who is logged in, where the server knows it.
    """
    root = "../" * depth
    return HTMLResponse(
        _PAGE.format(static=f"{root}static/{stamp()}/", root=root, kind=kind, person=html.escape(person)),
        headers={
            "Content-Security-Policy": POLICY,
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
        },
    )


class ViewFiles(StaticFiles):
    """Serves the modules; their address has their content's hash, so browsers may keep them.

    A page from before an upgrade asks under the old address, and gets what there is; that isn't kept under that address.
    """

    def __init__(self) -> None:
        super().__init__(directory=str(_folder()), check_dir=False)

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file with what browsers have to know of it."""
        found = super().file_response(full_path, stat_result, scope, status_code)
        is_its_own = f"/{stamp()}/" in scope["path"]
        found.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_its_own else "no-store"
        found.headers["X-Content-Type-Options"] = "nosniff"
        return found

    def get_path(self, scope: Scope) -> str:
        """Return the file's name; whatever stamp comes before it."""
        return super().get_path(scope).rpartition("/")[2]


def stamp() -> str:
    """Return a name that changes whenever one of the files does, also when an upgrade replaces them below a running server."""
    folder = Path(str(_folder()))
    files = ((each.name, each.stat()) for each in sorted(folder.iterdir()) if each.is_file())
    return _stamp(folder, tuple((name, found.st_size, found.st_mtime_ns) for name, found in files))


@lru_cache(maxsize=2)
def _stamp(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    found = hashlib.sha256()
    for name, _, _ in files:
        found.update(name.encode() + b"\0" + (folder / name).read_bytes())
    return found.hexdigest()[:16]


def _folder() -> Traversable:
    return importlib.resources.files("flowbook.notebook").joinpath("static")
