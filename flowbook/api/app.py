"""Makes the application: a store's API as FastAPI, with what guards it, and with the parts that others add.

To add routes, pages or static files, write a function that takes the application, and give it in `parts`:

    def add_pages(app: FastAPI) -> None:
        app.include_router(router)
        app.mount("/static", StaticFiles(directory=FOLDER))

    app = create_app(store, ApiSettings(token=read_token(), open_paths=("/approve/", "/static/")), parts=[add_pages])

An endpoint gets the store by an argument `store: StoreHere` (`flowbook.api.answers`). Behind another login, as in Jupyter,
give `guard=behind_other_login` and the path as `ApiSettings(prefix=...)`. Links within pages are relative, or begin with
`request.scope["root_path"]`, which is that prefix. What keeps a request open has a function in `app.state.at_shutdown` that
ends it, so that the server can end.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware import Middleware

from flowbook.api import cache, decisions, deployments, docs_page, flows, health, receivers, runs, streams
from flowbook.api.answers import PROBLEMS
from flowbook.api.body_limits import BodyLimits
from flowbook.api.guard import TokenGuard
from flowbook.api.head_requests import HeadRequests
from flowbook.api.prefix import Prefix
from flowbook.api.problems import add_problems
from flowbook.api.store_calls import add_store_calls, end_waiting
from flowbook.api.streams import close_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp

    from flowbook.api.settings import ApiSettings
    from flowbook.store import Store

__all__ = ["create_app"]

_ROUTERS = tuple(
    each.router for each in (health, flows, deployments, runs, decisions, streams, cache, receivers, docs_page)
)


def create_app(
    store: Store,
    settings: ApiSettings,
    *,
    parts: Sequence[Callable[[FastAPI], None]] = (),
    guard: Callable[[ASGIApp, ApiSettings], ASGIApp] = TokenGuard,
) -> FastAPI:
    """Return the application that serves a store.

    Args:
        store: open for as long as the application is used.
        settings: its token, names, place and limits.
        parts: each adds routes, pages or static files of its own; later ones see what earlier ones added.
        guard: stands before everything; `behind_other_login` where another server has checked login, Host and Origin.

    Raises:
        ValueError: if there is a guard and no token.
    """
    if guard is TokenGuard and not settings.token:
        msg = "An API server without a token would let anybody in. Give ApiSettings(token=read_token())."
        raise ValueError(msg)
    app = FastAPI(
        title="flowbook",
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(each, settings) for each in (HeadRequests, Prefix, guard, BodyLimits)],
        responses=PROBLEMS,
    )
    app.state.store = store
    app.state.settings = settings
    app.state.at_shutdown = []
    add_problems(app)
    add_store_calls(app)  # first: routes are tried one after the other, and these are asked for most
    for router in _ROUTERS:
        app.include_router(router)
    app.state.at_shutdown += [partial(end_waiting, app), partial(close_streams, app)]
    for part in parts:
        part(app)
    return app
