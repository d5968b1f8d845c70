"""The server extension of Jupyter: the same application under `/flowbook`, behind Jupyter's own login.

Jupyter checks login and XSRF, and hands each request on as ASGI; answers are passed through as they come, streams too. Only a
link to approve needs no login: it is a right of its own.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from flowbook import config
from flowbook.notebook.frontend import person

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jupyter_server.serverapp import ServerApp

    from flowbook.api.settings import ApiSettings

    App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

__all__ = ["FlowbookHandler", "LinkHandler"]

_PATH = "flowbook"
#: What a handler's defaults say is the application's business.
_OWN_HEADERS = ("Content-Security-Policy", "X-Content-Type-Options", "Server", "Date", "Content-Type")
#: As jupyter_server calls whoever has only a token.
_NOBODY = "Anonymous"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "flowbook.pages.jupyter"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Serve the application, unless something that it needs isn't there; the side bar asks a kernel then."""
    if (url := config.api_url()) is not None:
        server.log.info("flowbook's pages are those of %s, where FLOWBOOK_API_URL says that the store is.", url)
        return
    try:
        import fastapi  # noqa: F401, PLC0415  # an optional extra
    except ImportError:
        server.log.info("flowbook's pages need FastAPI. Install it: pip install 'jupyter-flowbook[server]'")
        return
    base = server.web_app.settings["base_url"]
    given = {"served": _Served(url_path_join(base, _PATH))}
    root = url_path_join(base, _PATH)
    server.web_app.add_handlers(  # type: ignore[no-untyped-call]  # tornado's
        ".*$",
        [
            (root, web.RedirectHandler, {"url": f"{root}/", "permanent": False}),
            (rf"{root}/(?:(?:approve|static)/.*|frame)", LinkHandler, given),
            (rf"{root}/.*", FlowbookHandler, given),
        ],
    )
    server.web_app.settings.setdefault("page_config_data", {})["flowbookPages"] = True
    server.log.info("flowbook's pages are at %s/", root)


class _Served:
    """The application, made with the first request: opening a store takes its time."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._app: App | None = None
        self._is_made = asyncio.Lock()

    async def app(self) -> App:
        """Return the application."""
        async with self._is_made:
            if self._app is None:
                self._app = await asyncio.to_thread(_application, self._prefix)
            return self._app


def _application(prefix: str) -> App:
    from flowbook.api.app import create_app  # noqa: PLC0415  # an optional extra
    from flowbook.api.guard import behind_other_login  # noqa: PLC0415  # as above
    from flowbook.pages.app_part import OPEN_PATHS, add_pages  # noqa: PLC0415  # as above
    from flowbook.store import open_store  # noqa: PLC0415  # loading the store takes long

    settings = _settings(prefix, OPEN_PATHS)
    return create_app(open_store(config.home()), settings, parts=[add_pages], guard=behind_other_login)


def _settings(prefix: str, open_paths: tuple[str, ...]) -> ApiSettings:
    from flowbook.api.settings import ApiSettings  # noqa: PLC0415  # an optional extra

    # Nobody knows this token, so nobody uses the store through it: kernels of this machine open it themselves.
    return ApiSettings(token=secrets.token_urlsafe(), prefix=prefix, open_paths=open_paths)


class FlowbookHandler(JupyterHandler):
    """Hands requests of whoever is logged in to the application."""

    auth_resource = "flowbook"

    def initialize(self, served: _Served) -> None:
        """See tornado."""
        super().initialize()
        self._served = served
        self._gone = asyncio.Event()

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Pass the request on."""
        await self.pass_on()

    @web.authenticated
    @authorized
    async def head(self) -> None:
        """Pass the request on."""
        await self.pass_on()

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Pass the request on."""
        await self.pass_on()

    @web.authenticated
    @authorized
    async def patch(self) -> None:
        """Pass the request on."""
        await self.pass_on()

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Pass the request on."""
        await self.pass_on()

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Pass the request on."""
        await self.pass_on()

    def on_connection_close(self) -> None:
        """Tell the application that nobody listens any more."""
        self._gone.set()
        super().on_connection_close()

    def person(self) -> str:
        """Return who is logged in; where only a token is known, whose server this is."""
        user = self.current_user
        name = str(getattr(user, "display_name", None) or getattr(user, "name", None) or "")
        return person() if not name or name.startswith(_NOBODY) else name

    async def pass_on(self) -> None:
        """Let the application answer."""
        _ = self.xsrf_token  # sets the cookie that the page's posts show
        app = await self._served.app()
        body = [self.request.body]

        async def receive() -> dict[str, Any]:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        try:
            await app(self._scope(), receive, self._answer)
        except StreamClosedError:
            self._gone.set()
        except Exception:  # noqa: BLE001  # the application has answered and logged it; tornado would log the address
            self._gone.set()
        if not self._finished:
            await self.finish()

    async def _answer(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.set_status(message["status"])
            for name in _OWN_HEADERS:
                self.clear_header(name)
            for name, value in message.get("headers", ()):
                if name.lower() not in {b"content-length", b"transfer-encoding"}:
                    self.add_header(name.decode("latin-1"), value.decode("latin-1"))
        elif message["type"] == "http.response.body" and message.get("body"):
            self.write(message["body"])
            if message.get("more_body"):
                await self.flush()

    def _scope(self) -> dict[str, Any]:
        request = self.request
        path, _, query = request.uri.partition("?") if request.uri else ("/", "", "")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.protocol,
            "path": unquote(path),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.get_all()
            ],
            "client": (request.remote_ip or "", 0),
            "server": None,
            "flowbook.person": self.person(),
        }


class LinkHandler(FlowbookHandler):
    """Hands requests on that need no login: links to approve, and the views' code, which is no secret."""

    def check_xsrf_cookie(self) -> None:
        """Nothing: the link itself is the right, and no cookie adds to it."""

    def _log(self) -> None:
        """Nothing: addresses of links are secrets."""

    def _request_summary(self) -> str:
        """Return what logs may say of a request."""
        return f"{self.request.method} of a link or of a view's file"

    def person(self) -> str:
        """Return nobody: who has a link says who they are."""
        return ""

    @allow_unauthenticated
    async def get(self) -> None:
        """Pass the request on."""
        await self.pass_on()

    @allow_unauthenticated
    async def head(self) -> None:
        """Pass the request on."""
        await self.pass_on()

    @allow_unauthenticated
    async def post(self) -> None:
        """Pass the request on."""
        await self.pass_on()
