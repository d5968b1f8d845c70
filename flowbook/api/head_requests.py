"""Answers HEAD as GET would be answered, without the body; of a stream, as soon as its headers are known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from flowbook.api.settings import ApiSettings

__all__ = ["HeadRequests"]


class HeadRequests:
    """Stands before everything: what follows sees a GET, whose reader leaves once it has the headers.

    Args:
        app: answers GET.
        settings: not used.

    Source: RFC 9110, 9.3.2: the headers are those of GET, such as its Content-Length.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        del settings
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; HEAD as GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        reader = _HeadReader(receive, send)
        # A stream of spec 2.3 ends when `receive` says that its reader is gone; a later one only when `send` fails.
        asked = {**scope, "method": "GET", "asgi": {**scope.get("asgi", {}), "spec_version": "2.3"}}
        try:
            await self._app(asked, reader.receive, reader.send)
        finally:
            scope.update({**asked, "method": "HEAD", "asgi": scope.get("asgi", {})})  # logs take the route from here
        await reader.finish()


class _HeadReader:
    """Takes an answer's headers and no body.

    Args:
        receive: gives what the client sends.
        send: takes what the client is answered.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._has_headers = asyncio.Event()
        self._is_read = False

    async def receive(self) -> Message:
        """Return the request's body; after that, that the reader is gone, once it has the headers."""
        if not self._is_read:
            message = await self._receive()
            self._is_read = message["type"] != "http.request" or not message.get("more_body", False)
            return message
        await self._has_headers.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass the headers on, and nothing that follows."""
        if message["type"] != "http.response.start":
            return
        await self._send(message)
        self._has_headers.set()

    async def finish(self) -> None:
        """End the answer, if there is one."""
        if self._has_headers.is_set():
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
