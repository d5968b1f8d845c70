"""`/docs`: a page that says what the API takes and answers, made from its OpenAPI; it loads nothing from elsewhere."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_BEGINNING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>flowbook: the API</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code { font: 0.95em ui-monospace, monospace; overflow-wrap: anywhere; }
dt { margin-top: 1rem; } dd { margin-left: 1.5rem; } dd.fields { opacity: 0.85; }
</style>
<h1>The API of flowbook</h1>
"""
#: Names in the endpoints' docstrings.
_CODE = re.compile(r"`([^`]+)`")
_INTRODUCTION = """<p>Each request needs the header <code>Authorization: Bearer TOKEN</code>, or this browser's login.
Bodies are JSON. <a href="openapi.json">openapi.json</a> has all fields.</p>
"""


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Show what the API takes and answers."""
    document = request.app.openapi()
    content = "".join((_BEGINNING, _INTRODUCTION, *_groups(document), "</html>"))
    return HTMLResponse(content, headers={"content-security-policy": _POLICY})


def _groups(document: Mapping[str, Any]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            group = groups.setdefault((operation.get("tags") or ["other"])[0], [])
            group.append(_operation(document, method, path, operation))
    for name, operations in groups.items():
        yield f"<h2>{escape(name.capitalize())}</h2><dl>{''.join(operations)}</dl>\n"


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    said = _CODE.sub(r"<code>\1</code>", escape(operation.get("description", "")))
    fields = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    body = [*_body(document, operation)]
    lines = [f"<dt><code><b>{method.upper()}</b> {escape(path)}</code></dt><dd>{said}</dd>"]
    lines += [_line("Query", fields)] if fields else []
    lines += [_line("Body", body)] if body else []
    return "\n".join(lines) + "\n"


def _line(name: str, fields: list[str]) -> str:
    return f'<dd class="fields">{name}: {", ".join(f"<code>{escape(each)}</code>" for each in fields)}</dd>'


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the fields of an operation's body."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    yield from document.get("components", {}).get("schemas", {}).get(name, {}).get("properties", {})
