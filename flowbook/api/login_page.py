"""What a browser sees that shows no token: how to get in, or, where it came by a link from elsewhere, the same page again.

Browsers keep a `SameSite=Strict` cookie back when a link on another site, a mail or a chat leads here. A page of our own that
leads to the same address brings it along, so such links work for those who are logged in. Reading alone is done so: GET.
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import Scope

__all__ = ["for_browser"]

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">{again}
<title>flowbook</title>
<h1>This page needs a login</h1>
<p>Open the address that <code>flowbook server start</code> printed, with its token, once in this browser.</p>
<p>Or send the header <code>Authorization: Bearer TOKEN</code> with each request. The token is in the file
<code>api.token</code> of the store's folder.</p>
"""


def for_browser(scope: Scope, headers: Headers) -> Response | None:
    """Return the page for a browser that shows no token; None for anything else than a browser that opens a page."""
    is_browser = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    if not is_browser or headers.get("sec-fetch-dest", "document") != "document":
        return None
    is_from_elsewhere = headers.get("sec-fetch-site") == "cross-site"
    query = scope["query_string"].decode("latin-1")
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    # Browsers take a backslash for a slash, and "//name" for another host.
    path = "/" + raw.decode("latin-1").partition("?")[0].replace("\\", "%5C").lstrip("/")
    address = escape(f"{path}{'?' if query else ''}{query}")
    again = f'<meta http-equiv="refresh" content="0;url={address}">' if is_from_elsewhere else ""
    status = HTTPStatus.OK if is_from_elsewhere else HTTPStatus.UNAUTHORIZED
    return HTMLResponse(_PAGE.format(again=again), status, headers={"content-security-policy": _POLICY})
