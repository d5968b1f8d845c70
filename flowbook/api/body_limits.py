"""Refuses requests whose body is no JSON, too large or too deeply nested, before anything reads it."""

from __future__ import annotations

import re
from http import HTTPStatus
from itertools import accumulate
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from flowbook.api.prefix import route_path
from flowbook.api.problems import problem

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from flowbook.api.settings import ApiSettings

__all__ = ["BodyLimits", "is_too_deep"]

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(each for each in range(256) if each not in b"[]{}")
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class BodyLimits:
    """Stands between the guard and the application; reads the body of a request whole, up to the limit.

    Args:
        app: what it guards.
        settings: with the limits.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body, or refuse it."""
        if scope["type"] != "http" or self._is_streamed(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if (refusal := self._refusal(headers)) is not None:
            await refusal(scope, receive, send)
            return
        if "content-length" not in headers and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        body = await self._body(receive)
        if body is None:
            return  # whoever sent it is gone
        refusal = self._refusal_of_body(body, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, _replayed(body, receive), send)

    def _is_streamed(self, scope: Scope) -> bool:
        path = route_path(scope)
        return any(path.startswith(each) for each in self._settings.streamed_paths)

    def _refusal(self, headers: Headers) -> Response | None:
        """Return why a request is refused by what its headers say; None if it isn't."""
        length = headers.get("content-length", "0")
        if not length.isdigit():
            return problem(HTTPStatus.BAD_REQUEST, f"Content-Length is {length[:20]!r}. Give a number of bytes.")
        return self._too_large(length) if int(length) > self._settings.body_bytes else None

    def _too_large(self, size: str) -> Response:
        limit = self._settings.body_bytes
        detail = f"The body has {size} bytes, and this server takes {limit:,} at most. Send less at once."
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, field="body")

    async def _body(self, receive: Receive) -> bytes | None:
        """Return the body, or as much of it as shows that it is too large; None if the connection was lost."""
        parts, size, is_more = [], 0, True
        while is_more and size <= self._settings.body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            is_more = message.get("more_body", False)
        return b"".join(parts)

    def _refusal_of_body(self, body: bytes, headers: Headers) -> Response | None:
        if len(body) > self._settings.body_bytes:
            return self._too_large(f"{len(body):,} or more")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and kind != "application/json":
            detail = f"The body is {kind[:100] or 'of no kind'!r}. Send JSON, with the header 'Content-Type: application/json'."
            return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, field="Content-Type")
        if is_too_deep(body, self._settings.nesting):
            detail = f"The body is nested deeper than {self._settings.nesting} levels. Send flatter JSON."
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="body")
        return None


def is_too_deep(body: bytes, limit: int) -> bool:
    """Return whether JSON is nested deeper than `limit` levels. Reads it once, without recursion. Pure."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
    return any(depth > limit for depth in accumulate(map(_STEP.__getitem__, brackets)))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read already, and then what comes."""
    given = False

    async def received() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return received
