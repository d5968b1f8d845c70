"""HTTP connections that send a request in one piece, and read the head of an answer without making a mail message of it.

The standard library sends head and body one after the other, each of which wakes the server, and parses headers as those of a
mail. For short calls over a connection that is open, that is a third of the time.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OnePieceConnection", "OnePieceSecureConnection"]


class OnePieceConnection(http.client.HTTPConnection):
    """An HTTP connection; a request whose body is bytes is sent at once."""

    _held: bytearray | None = None

    def request(  # type: ignore[override]  # the body and headers that flowbook sends
        self,
        method: str,
        url: str,
        body: Any = None,  # noqa: ANN401  # bytes, or an iterable of them
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """See the base class."""
        if not isinstance(body, bytes):
            super().request(method, url, body, headers or {})
            return
        self._held = bytearray()
        try:
            super().request(method, url, body, headers or {})
            whole = bytes(self._held)
        finally:
            self._held = None
        self.send(whole)

    def send(self, data: Any) -> None:  # noqa: ANN401  # as the base class
        """Send, or keep what belongs to a request that is sent at once."""
        if self._held is None:
            super().send(data)
        else:
            self._held += data


class OnePieceSecureConnection(OnePieceConnection, http.client.HTTPSConnection):
    """The same over TLS."""
