"""Adds the pages to the server's application: `create_app(store, settings, parts=[add_pages])`."""

from __future__ import annotations

import asyncio
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.requests import Request  # noqa: TC002  # FastAPI reads the annotations
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from flowbook.api.problems import problem
from flowbook.exceptions import FlowbookError, UnknownRunError
from flowbook.flow_run.run_names import find_run_id
from flowbook.notebook.run_overview import overview
from flowbook.pages import approve_routes
from flowbook.pages.deployment_list import act_on_deployment, deployment_rows
from flowbook.pages.hub import Hub, hub_of, person_of
from flowbook.pages.lost_page import add_lost_page
from flowbook.pages.page_files import FRAME_POLICY, ViewFiles, page

if TYPE_CHECKING:
    from fastapi import FastAPI

    from flowbook.pages.connections import Connection

__all__ = ["OPEN_PATHS", "add_pages"]

#: What needs no login: a link to approve is a right of its own, and the views' code is no secret.
OPEN_PATHS = ("/approve/", "/static/", "/frame")
_NAME = re.compile(r"[\w-]{8,64}")
_MOST_LISTED, _MOST_MESSAGES = 1000, 100
_FRAME = """<!doctype html><meta charset="utf-8"><script>
addEventListener("message", (event) => {
  if (event.source !== parent || typeof event.data !== "string") return;
  document.open(); document.write(event.data); document.close();
}, { once: true });
</script>"""

router = APIRouter(include_in_schema=False)
Connected = Annotated[str, Query(pattern=r"^[\w-]{8,64}$")]


def add_pages(app: FastAPI) -> None:
    """Add the pages, their files and their streams to an application."""
    hub = app.state.hub = Hub(app.state.store)
    app.include_router(router)
    app.include_router(approve_routes.router)
    app.mount("/static", ViewFiles())
    add_lost_page(app)
    app.state.at_shutdown.append(hub.close)
    app.router.on_shutdown.append(hub.close)


# Documents


@router.get("/")
def runs_page(request: Request) -> Response:
    """Show the runs."""
    return page("runs", 0, person_of(request, ""))


@router.get("/runs/{run}")
def run_page(request: Request, run: str) -> Response:
    """Show one run; if there is none, the page says so itself, and programs go by the status."""
    found = page("run", 1, person_of(request, ""))
    try:
        find_run_id(hub_of(request).store, run)
    except UnknownRunError:
        found.status_code = HTTPStatus.NOT_FOUND
    except FlowbookError:
        pass  # the page tries again until the store can be read
    return found


@router.get("/cache")
def cache_page(request: Request) -> Response:
    """Show the cache."""
    return page("cache", 0, person_of(request, ""))


@router.get("/deployments")
def deployments_page(request: Request) -> Response:
    """Show the deployments."""
    return page("deployments", 0, person_of(request, ""))


@router.get("/frame")
def frame_page() -> Response:
    """Return the empty document that shows a value's own HTML: it gets that by message, and has no origin."""
    return HTMLResponse(_FRAME, headers={"Content-Security-Policy": FRAME_POLICY, "Referrer-Policy": "no-referrer"})


# What is live


@router.get("/live/stream")
async def stream(
    request: Request,
    what: Annotated[str, Query(max_length=600)],
    connection: Connected,
    after: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Stream what a page is told, from the message after `after` on."""
    hub = hub_of(request)

    def opened() -> Connection:
        return hub.connections.open(connection, lambda: hub.subject(what))

    found = await asyncio.to_thread(opened)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(found.told(after), media_type="text/event-stream", headers=headers)


@router.post("/live/say")
def say(request: Request, said: Annotated[dict[str, Any], Body()]) -> Response:
    """Take what a page's views say; it is acknowledged in the page's stream."""
    name = str(said.get("connection"))
    found = hub_of(request).connections.get(name) if _NAME.fullmatch(name) else None
    if found is None:
        return problem(HTTPStatus.GONE, "This page's connection is gone; the page opens another.", field="connection")
    by = person_of(request, said.get("by"))
    messages = said.get("messages")
    for message in (messages if isinstance(messages, list) else [])[:_MOST_MESSAGES]:
        if isinstance(message, dict):
            found.subject.hear({**message, "by": by})
    return JSONResponse({"taken": True})


@router.get("/live/runs")
def list_runs(request: Request, limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 30) -> Response:
    """Return the runs once, for a page that shows earlier ones."""
    return _json(overview(hub_of(request).store, newest=limit))


@router.get("/live/deployments")
def list_deployments(request: Request) -> Response:
    """Return the deployments with their next times."""
    return _json(deployment_rows(hub_of(request).store))


@router.post("/live/deployments/{deployment_id}")
def change_deployment(request: Request, deployment_id: str, asked: Annotated[dict[str, Any], Body()]) -> Response:
    """Pause a deployment, let it go on, or run it now."""
    try:
        text, run = act_on_deployment(hub_of(request).store, deployment_id, str(asked.get("action")))
    except FlowbookError as error:
        return _json({"ok": False, "text": str(error), "run": None})
    return _json({"ok": True, "text": text, "run": run})


def _json(content: object) -> Response:
    text = json.dumps(content, separators=(",", ":"), default=str)
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})
