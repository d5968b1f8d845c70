"""How one API server is set up: its token, its names, its place in a host's addresses, its limits. Touches no disk."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LOOPBACK", "ApiSettings"]

#: Names of this machine that nothing outside it can make a browser resolve.
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Settings of one application, see `app.create_app`.

    Attributes:
        token: what each request has to show; "" only where the application is mounted behind another login.
        allowed_hosts: names that the header Host may have, without a port; "*" allows any.
        allowed_origins: origins besides the server's own that pages may send requests from, e.g. "https://lab.example.com".
        prefix: path under which the application is reached, "" or e.g. "/user/ana/flowbook"; with or without a proxy that
            removes it from the path.
        open_paths: beginnings of paths that need no token because what is there checks a right of its own, e.g. "/approve/".
            Host and Origin are checked there, too.
        streamed_paths: beginnings of paths whose bodies are no JSON and aren't limited here; what is there limits them.
        body_bytes: the most that the body of any other request may have.
        nesting: how deep its JSON may be nested.
    """

    token: str = ""
    allowed_hosts: tuple[str, ...] = LOOPBACK
    allowed_origins: tuple[str, ...] = ()
    prefix: str = ""
    open_paths: tuple[str, ...] = ()
    streamed_paths: tuple[str, ...] = ("/api/values/", "/api/store/")
    body_bytes: int = 8_000_000
    nesting: int = 100
