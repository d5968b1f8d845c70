"""`/approve/TOKEN`: one decision by a link. A GET never decides: mail scanners open links."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from starlette.requests import Request  # noqa: TC002  # FastAPI reads the annotations
from starlette.responses import Response

from flowbook.api.problems import problem
from flowbook.exceptions import FlowbookError
from flowbook.pages.approval import ANSWERS, decide_by_link, find_link, rows_of_input, shown_by_link
from flowbook.pages.hub import hub_of
from flowbook.pages.page_files import page

__all__ = ["router"]

router = APIRouter(prefix="/approve", include_in_schema=False)
Token = Annotated[str, Path(max_length=100)]


@router.get("/{token}")
def approve_page(token: Token) -> Response:
    """Show the page; what the link is good for, the page asks."""
    del token
    return page("approve", 1)


@router.get("/{token}/shown")
def shown(request: Request, token: Token) -> Response:
    """Return what the link shows."""
    hub = hub_of(request)
    found = shown_by_link(hub.runs, find_link(hub.store, token))
    return _json(found, HTTPStatus.NOT_FOUND if found["status"] == "unknown" else HTTPStatus.OK)


@router.get("/{token}/rows")
def rows(
    request: Request,
    token: Token,
    name: Annotated[str, Query(max_length=200)],
    asked: Annotated[str, Query(max_length=1000)] = "{}",
) -> Response:
    """Return rows of a frame that the task would get."""
    hub = hub_of(request)
    link = find_link(hub.store, token)
    if link is None:
        return problem(HTTPStatus.NOT_FOUND, "There is no such link. Copy it whole from the notice.")
    try:
        wanted = json.loads(asked)
    except (ValueError, RecursionError):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "asked is no JSON. Send {} for the first rows.", field="asked")
    return _json(rows_of_input(hub.store, hub.runs, link, name, wanted if isinstance(wanted, dict) else {}))


@router.post("/{token}/decide")
def decide(request: Request, token: Token, asked: Annotated[dict[str, Any], Body()]) -> Response:
    """Carry out the one decision that the link is good for."""
    store = hub_of(request).store
    action = next((each for each in ANSWERS if each == asked.get("action")), None)
    if action is None:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"action is one of {', '.join(ANSWERS)}.", field="action")
    by, note = asked.get("by"), asked.get("note")
    try:
        decide_by_link(store, token, action, by if isinstance(by, str) else "", note if isinstance(note, str) else "")
    except FlowbookError as error:
        return _json({"ok": False, "text": str(error)})
    return _json({"ok": True, "text": ""})


def _json(content: object, status: int = HTTPStatus.OK) -> Response:
    text = json.dumps(content, separators=(",", ":"), default=str)
    return Response(text, status, media_type="application/json", headers={"Cache-Control": "no-store"})
