"""The page that a browser shows for an address where there is nothing, with a link to the runs. Programs get a problem."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from flowbook.api.prefix import route_path
from flowbook.api.problems import of_http

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["add_lost_page"]

_SHOWN_CHARS = 100
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>flowbook: nothing here</title>
<h1>There is nothing here</h1>
<p>There is nothing at {path}.</p>
<p><a href="{root}">See the runs</a></p>
"""


def add_lost_page(app: FastAPI) -> None:
    """Let an application answer browsers with this page where it has nothing."""
    app.add_exception_handler(HTTPException, _lost)


def _lost(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # it is registered for these
    is_browser = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    path = route_path(request.scope)
    if error.status_code != HTTPStatus.NOT_FOUND or not is_browser or path.startswith("/api/"):
        return of_http(request, error)
    root = escape(request.scope.get("root_path", "").rstrip("/") + "/")
    text = _PAGE.format(path=escape(path[:_SHOWN_CHARS]), root=root)
    return HTMLResponse(text, HTTPStatus.NOT_FOUND, headers={"Content-Security-Policy": _POLICY})
