"""Lets a request in only if it shows the token and comes from an allowed place: checks Host, Origin and token on every method.

Host: a page whose name was made to resolve to this machine (DNS rebinding) names itself there. Origin: browsers name there
the page that sends a request, and send cookies along from any page. Pure ASGI: streams pass through untouched.
"""

from __future__ import annotations

from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response

from flowbook.api.access_token import cookie_name, cookie_value, is_same
from flowbook.api.login_page import for_browser
from flowbook.api.prefix import route_path
from flowbook.api.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from flowbook.api.settings import ApiSettings

__all__ = ["TokenGuard", "behind_other_login"]

_SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_COOKIE_S = 30 * 86_400


def behind_other_login(app: ASGIApp, _: ApiSettings) -> ASGIApp:
    """Let all in: for an application mounted in a server that checks login, Host and Origin itself, as Jupyter does.

    Its answers tell browsers the same as everywhere: not to keep them, and not to guess what they are.
    """

    async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, _with_safe_headers(send) if scope["type"] == "http" else send)

    return passed_on


class TokenGuard:
    """Stands before an application.

    Args:
        app: what it guards.
        settings: with the token.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._settings = settings
        self._cookie = cookie_name(settings.token)
        self._cookie_value = cookie_value(settings.token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        answer = self._refusal(scope, headers) or self._first_visit(scope, headers)
        if answer is not None:
            answer.headers.update(_SAFE_HEADERS)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, _with_safe_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return why a request isn't let in; None if it is."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._is_allowed_host(hosts[0]):
            detail = (
                f"This server isn't called {', '.join(hosts)[:100]!r}. Use its own address, "
                "or allow the name: flowbook server start --allow-host NAME."
            )
            return problem(HTTPStatus.FORBIDDEN, detail, field="Host")
        if any(not self._is_allowed_origin(origin, hosts[0]) for origin in origins):
            detail = f"Pages of {origins[0][:100]!r} may not use this server. Open it at its own address."
            return problem(HTTPStatus.FORBIDDEN, detail, field="Origin")
        if self._is_open(scope) or self._shows_token(headers) or self._has_token_link(scope):
            return None
        if (page := for_browser(scope, headers)) is not None:
            return page
        detail = (
            "The request shows no valid token. Send the header 'Authorization: Bearer TOKEN', or open the address that "
            "flowbook server start printed in the browser."
        )
        answer = problem(HTTPStatus.UNAUTHORIZED, detail, field="Authorization")
        answer.headers["www-authenticate"] = 'Bearer realm="flowbook"'
        return answer

    def _is_allowed_host(self, host: str) -> bool:
        allowed = self._settings.allowed_hosts
        name = _name_of(host)
        return name is not None and ("*" in allowed or name in allowed)

    def _is_allowed_origin(self, origin: str, host: str) -> bool:
        if origin in self._settings.allowed_origins:
            return True
        try:
            found = urlsplit(origin)
        except ValueError:  # such as "http://["
            return False
        return found.scheme in {"http", "https"} and found.netloc.lower() == host.lower()

    def _is_open(self, scope: Scope) -> bool:
        path = route_path(scope)
        return any(path.startswith(each) for each in self._settings.open_paths)

    def _shows_token(self, headers: Headers) -> bool:
        if (given := headers.get("authorization")) is not None:
            scheme, _, token = given.partition(" ")
            return scheme.lower() == "bearer" and is_same(token.strip(), self._settings.token)
        return is_same(_cookie_in(headers, self._cookie), self._cookie_value)

    def _has_token_link(self, scope: Scope) -> bool:
        token = dict(_query(scope)).get("token", "")
        return scope["method"] == "GET" and is_same(token, self._settings.token)

    def _first_visit(self, scope: Scope, headers: Headers) -> Response | None:
        """For a link with the token: return an answer that leads to the address without it, and sets the cookie."""
        if not self._has_token_link(scope):
            return None
        rest = urlencode([(name, value) for name, value in _query(scope) if name != "token"])
        path = scope["path"].lstrip("/")  # "//name" would lead to another host
        answer = RedirectResponse(f"/{path}{'?' if rest else ''}{rest}", HTTPStatus.SEE_OTHER)
        answer.set_cookie(
            self._cookie,
            self._cookie_value,
            max_age=_COOKIE_S,
            path=quote(scope.get("root_path") or "/"),
            httponly=True,
            samesite="strict",  # links from elsewhere: see `login_page`
            secure=scope.get("scheme") == "https" or headers.get("x-forwarded-proto") == "https",
        )
        answer.headers["cache-control"] = "no-store"
        return answer


def _name_of(host: str) -> str | None:
    """Return the name in a header Host without its port, in small letters; None if it isn't one."""
    try:
        found = urlsplit(f"//{host}")
        name, _ = found.hostname, found.port
    except ValueError:
        return None
    if not name or found.path or found.query or found.fragment or found.username is not None:
        return None
    return f"[{name}]" if ":" in name else name.rstrip(".")


def _query(scope: Scope) -> list[tuple[str, str]]:
    try:
        return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []


def _cookie_in(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _with_safe_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SAFE_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sent
