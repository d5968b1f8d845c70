"""The path under which an application is reached: `/flowbook` in Jupyter, `/user/ana/flowbook` behind JupyterHub."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from flowbook.api.settings import ApiSettings

__all__ = ["Prefix", "route_path"]


class Prefix:
    """Tells an application its prefix, whether or not a proxy has removed it from the paths of requests.

    Args:
        app: what is reached there.
        settings: with the prefix.

    Source: the ASGI specification: `path` holds all of the path, `root_path` its beginning.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        #: As paths come: decoded, e.g. the name in "/user/ana%20b".
        self._prefix = unquote(settings.prefix.rstrip("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with the prefix in its path."""
        prefix = self._prefix
        if prefix and scope["type"] == "http":
            path = scope["path"]
            is_whole = path == prefix or path.startswith(f"{prefix}/")
            raw = scope.get("raw_path") or quote(path).encode()
            # In place: what stands before this needs the route that is found, to write into the log instead of the path.
            scope["root_path"] = prefix
            scope["path"] = path if is_whole else f"{prefix}{path}"
            scope["raw_path"] = raw if is_whole else quote(prefix).encode() + raw
        await self._app(scope, receive, send)


def route_path(scope: Scope) -> str:
    """Return a request's path as routes name it: without the prefix."""
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    return path[len(prefix) :] or "/" if path == prefix or path.startswith(f"{prefix}/") else path
